import type { Page } from 'puppeteer-core'
import { requireNoPieceTwice } from './evidence.ts'
import {
  firstRequestMs,
  goOn,
  INTERRUPT_AFTER_PIECES,
  openMidway,
  requireDelivered,
  requireLittleSent,
  slowSingleOrigin,
  verifiedPieces,
  within,
} from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { crash, finish, openPortal, startDownload, waitForController, waitForPieces } from './visit.ts'

const TAB_MS = 2000
const BROWSER_MS = 3000
const HANDOVER_MS = 500

export async function closedTab(room: DrillRoom): Promise<Outcome> {
  const { browser, page } = await openMidway(room)
  const before = await verifiedPieces(page)
  await page.close()
  const backMs = Date.now()
  return inTime(await goOn(room, await openPortal(browser, room.stack.urls.portal), { before, backMs }), TAB_MS)
}

export async function crashedRenderer(room: DrillRoom): Promise<Outcome> {
  const { browser, page } = await openMidway(room)
  const before = await verifiedPieces(page)
  await crash(page)
  const backMs = Date.now()
  return inTime(await goOn(room, await openPortal(browser, room.stack.urls.portal), { before, backMs }), TAB_MS)
}

export async function killedBrowser(room: DrillRoom): Promise<Outcome> {
  const { page, profileDir, kill } = await openMidway(room)
  const before = await verifiedPieces(page)
  await kill()
  const { browser } = await room.launch({ profileDir })
  const backMs = Date.now()
  return inTime(await goOn(room, await openPortal(browser, room.stack.urls.portal), { before, backMs }), BROWSER_MS)
}

function inTime(outcome: Outcome, limitMs: number): Outcome {
  within(outcome.recoveryMs ?? 0, limitMs, 'the next byte is asked for')
  return outcome
}

/** Three tabs: one fetches, one takes over when that dies, one gets the file from what they kept. */
export async function twoTabs(room: DrillRoom): Promise<Outcome> {
  const { stack, agent } = room
  await slowSingleOrigin(room)
  const { browser } = await room.launch()
  const open = async (): Promise<Page> => {
    const page = await openPortal(browser, stack.urls.portal)
    await waitForController(page)
    return page
  }
  const [first, second, third] = [await open(), await open(), await open()]
  await startDownload(first, agent.name)
  await waitForPieces(first, 1)
  for (const page of [second, third]) await startDownload(page, agent.name)
  await waitForPieces(first, INTERRUPT_AFTER_PIECES)
  const before = await verifiedPieces(first)
  // Who waits sees what the other one keeps.
  await Promise.all([second, third].map((page) => waitForPieces(page, 1)))
  const faultMs = Date.now()
  await crash(first)
  const endings = [await finish(second), await finish(third)] as const
  const { pieceBytes, sources } = await requireDelivered(room, second, endings[0])
  await requireDelivered(room, third, endings[1])
  const began = endings.map(({ events }) => events.find(({ event }) => event.kind === 'resolved')?.atMs ?? Number.POSITIVE_INFINITY)
  const kept = endings.map(({ events }) => events.flatMap(({ event }) => (event.kind === 'resolved' ? event.kept : [])))
  const [least] = kept.map((spans) => spans.reduce((sum, { start, end }) => sum + end - start, 0)).toSorted((a, b) => a - b)
  demand((least ?? 0) >= before.size, `what the first tab had verified was kept (${least} of ${before.size})`)
  for (const { events } of endings) requireNoPieceTwice(events, stack.cdn[0].requests, pieceBytes)
  requireLittleSent(room)
  demand(firstRequestMs(room, faultMs) >= faultMs, 'somebody went on')
  return { recoveryMs: within(Math.min(...began) - faultMs, HANDOVER_MS, 'another tab has the lock'), sources }
}
