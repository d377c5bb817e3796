import type { Browser, CDPSession, Page } from 'puppeteer-core'
import { sentBytes, sourcesOf, verifiedAt } from './evidence.ts'
import type { Received } from './receiver.ts'
import { demand, type DrillRoom, type Outcome, type Scenario } from './scenario.ts'
import {
  endingWords,
  finish,
  hashAtPage,
  openPortal,
  startDownload,
  waitForController,
  waitForPieces,
  waitForSealift,
  type Finished,
} from './visit.ts'

const MIB = 2 ** 20
/** So that a download takes some seconds, and there is a middle to interrupt it in. */
const RATE = 12 * MIB
/** What may be on its way when a download is cut: the runs of pieces that one origin is asked for at once. */
const IN_FLIGHT_BYTES = 16 * MIB
const INTERRUPT_AFTER_PIECES = 30
const RETRIES_MS = 120_000

/** What was verified before an interruption is not fetched again after it. */
export const resumeScenarios: readonly Scenario[] = [
  { group: 'resume', name: 'the tab is closed', run: (room) => interrupt(room, closeTab) },
  { group: 'resume', name: 'the page is reloaded', run: (room) => interrupt(room, reload) },
  { group: 'resume', name: 'the whole browser is killed', run: (room) => killBrowser(room) },
  { group: 'resume', name: 'the service worker is killed while it answers a fetch', run: (room) => killWorker(room) },
]

type Interruption = (page: Page, browser: Browser, url: string) => Promise<Page>

const closeTab: Interruption = async (page, browser, url) => {
  await page.close()
  return openPortal(browser, url)
}

const reload: Interruption = async (page) => {
  await page.reload({ waitUntil: 'domcontentloaded' })
  await waitForSealift(page)
  return page
}

async function interrupt(room: DrillRoom, interruption: Interruption): Promise<Outcome> {
  await slowSingleOrigin(room)
  const { browser } = await room.launch()
  const page = await openPortal(browser, room.stack.urls.portal)
  await waitForController(page)
  await startDownload(page, room.agent.name)
  await waitForPieces(page, INTERRUPT_AFTER_PIECES)
  const faultMs = Date.now()
  return goOn(room, await interruption(page, browser, room.stack.urls.portal), faultMs)
}

async function killBrowser(room: DrillRoom): Promise<Outcome> {
  await slowSingleOrigin(room)
  const first = await room.launch()
  const page = await openPortal(first.browser, room.stack.urls.portal)
  await waitForController(page)
  await startDownload(page, room.agent.name)
  await waitForPieces(page, INTERRUPT_AFTER_PIECES)
  const faultMs = Date.now()
  await first.kill()
  const second = await room.launch(first.profileDir)
  return goOn(room, await openPortal(second.browser, room.stack.urls.portal), faultMs)
}

/** Downloads to the end, and holds the origins' own count against what was kept. */
async function goOn(room: DrillRoom, page: Page, faultMs: number): Promise<Outcome> {
  const { agent, stack } = room
  await startDownload(page, agent.name)
  const finished = await finish(page)
  const { ending } = finished
  if (ending.kind !== 'delivered') throw new Error(`not so: it is delivered; it ended ${endingWords(ending)}`)
  demand((await hashAtPage(page, room.receiver.url)).sha256 === agent.artifact.sha256, 'the page has the right SHA-256')
  const kept = keptPieces(finished)
  demand(kept >= INTERRUPT_AFTER_PIECES, `at least ${INTERRUPT_AFTER_PIECES} pieces were kept, not ${kept}`)
  const sent = sentBytes(stack.cdn[0].requests)
  demand(
    sent <= agent.artifact.sizeBytes + IN_FLIGHT_BYTES,
    `nothing verified was sent again (${sent} bytes for ${agent.artifact.sizeBytes})`,
  )
  return { recoveryMs: firstNewPieceMs(finished) - faultMs, sources: sourcesOf(ending.record) }
}

async function killWorker(room: DrillRoom): Promise<Outcome> {
  const { agent, stack } = room
  await slowSingleOrigin(room)
  const { browser } = await room.launch()
  const page = await openPortal(browser, stack.urls.portal)
  await waitForController(page)
  const devtools = await page.createCDPSession()
  await startFetching(page, `/_sealift/name/${agent.name}/${agent.name}`)
  await until(() => sentBytes(stack.cdn[0].requests) > INTERRUPT_AFTER_PIECES * MIB, 'the origin sends')
  const faultMs = Date.now()
  await stopWorkers(devtools)
  const received = await page.evaluate(
    async (url, receiverUrl, deadlineMs) => {
      const first = await window.drillFetch
      const startedMs = Date.now()
      // The very request is lost with its worker, or it survives; asked again, it has to be answered in full.
      for (let response = first; ; response = await fetch(url).catch(() => undefined)) {
        if (response?.ok === true) {
          const answeredMs = Date.now()
          const answer = await fetch(receiverUrl, { method: 'POST', body: await response.blob() })
          const got: Received = await answer.json()
          return { ...got, answeredMs }
        }
        if (Date.now() - startedMs > deadlineMs) throw new Error(`still no answer: ${response?.status ?? 'network error'}`)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    },
    `/_sealift/name/${agent.name}/${agent.name}`,
    room.receiver.url,
    RETRIES_MS,
  )
  demand(received.sha256 === agent.artifact.sha256, `the page has the right SHA-256, not ${received.sha256}`)
  const sent = sentBytes(stack.cdn[0].requests)
  demand(
    sent <= agent.artifact.sizeBytes + IN_FLIGHT_BYTES,
    `nothing verified was sent again (${sent} bytes for ${agent.artifact.sizeBytes})`,
  )
  const [record] = (await page.evaluate(() => window.sealift?.audit() ?? [])).slice(-1)
  demand(record !== undefined, 'there is a record of it')
  return { recoveryMs: received.answeredMs - faultMs, sources: sourcesOf(JSON.parse(record ?? '{}')) }
}

async function slowSingleOrigin(room: DrillRoom): Promise<void> {
  await room.stack.set('cdn-2', 'down')
  await room.stack.set('gateway', 'down')
  await room.stack.set('cdn-1', { rateBytesPerSecond: RATE })
}

declare global {
  interface Window {
    drillFetch?: Promise<Response | undefined>
  }
}

async function startFetching(page: Page, url: string): Promise<void> {
  await page.evaluate((wanted) => {
    window.drillFetch = fetch(wanted).catch(() => undefined)
  }, url)
}

async function stopWorkers(devtools: CDPSession): Promise<void> {
  await devtools.send('ServiceWorker.enable')
  await devtools.send('ServiceWorker.stopAllWorkers')
}

async function until(isTrue: () => boolean, claim: string): Promise<void> {
  const deadlineMs = Date.now() + 30_000
  while (!isTrue()) {
    demand(Date.now() < deadlineMs, `${claim} within 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function keptPieces({ events }: Finished): number {
  return events.flatMap(({ event }) => (event.kind === 'resolved' ? event.kept : [])).reduce((sum, { start, end }) => sum + end - start, 0)
}

function firstNewPieceMs({ events }: Finished): number {
  const kept = verifiedAt(events.filter(({ event }) => event.kind === 'resolved'))
  const fresh = [...verifiedAt(events)].filter(([piece]) => !kept.has(piece)).map(([, atMs]) => atMs)
  return Math.min(...fresh)
}
