import { existsSync } from 'node:fs'
import type { Page } from 'puppeteer-core'
import { requireNoPieceTwice } from './evidence.ts'
import { firstRequestMs, nextPieceMs, openMidway, requireDelivered, requireLittleSent, within } from './returning.ts'
import { demand, NO_SOURCES, type DrillRoom, type Outcome } from './scenario.ts'
import { endingWords, finish, openPortal, startDownload } from './visit.ts'

const MIB = 2 ** 20
const ONLINE_MS = 2000
/** Long enough for every request to fail and every source to be given a rest. */
const AWAY_MS = 6000
/** A delivery has at most so many pieces in hand. */
const PIECES_HELD = 8

export async function cutOff(room: DrillRoom): Promise<Outcome> {
  const { page } = await openMidway(room)
  await room.stack.set('cdn-2', 'up')
  await room.stack.set('gateway', 'up')
  await setOffline(page, true)
  demand(await page.evaluate(() => !navigator.onLine), 'the page knows that it is offline')
  await new Promise((resolve) => setTimeout(resolve, AWAY_MS))
  demand(await page.evaluate(() => window.drill?.ending === undefined), 'the download waits')
  const backMs = Date.now()
  await setOffline(page, false)
  const finished = await finish(page)
  const { sources, pieceBytes } = await requireDelivered(room, page, finished)
  const during = finished.events.flatMap(({ atMs, event }) =>
    event.kind === 'progress' && atMs > backMs - AWAY_MS + 1000 && atMs < backMs ? event.pieces : [],
  )
  // What had arrived before may still be kept.
  const kept = during.reduce((sum, { start, end }) => sum + end - start, 0)
  demand(kept <= PIECES_HELD, `nothing came while it was offline, not ${kept} pieces`)
  requireNoPieceTwice(finished.events, [...room.stack.cdn[0].requests, ...room.stack.cdn[1].requests], pieceBytes)
  requireLittleSent(room)
  return { recoveryMs: within(nextPieceMs(finished, backMs), ONLINE_MS, 'the next piece is in'), sources }
}

/** Long enough for a source that fails to rest in earnest: up to 30 s, unless somebody says that the network is back. */
const LONG_AWAY_MS = 20_000

/** Behind a line that is down for long something near by may still answer; then nothing hurries, and what is beyond the line rests. */
export async function longOutage(room: DrillRoom): Promise<Outcome> {
  const { page } = await openMidway(room)
  const { stack } = room
  await stack.set('cdn-2', { rateBytesPerSecond: MIB })
  await stack.set('cdn-1', 'down')
  await new Promise((resolve) => setTimeout(resolve, LONG_AWAY_MS))
  demand(await page.evaluate(() => window.drill?.ending === undefined), 'the download goes on slowly')
  await stack.set('cdn-1', { rateBytesPerSecond: 12 * MIB })
  const backMs = Date.now()
  // As the browser tells it: its emulation would take the other origin away too.
  await page.evaluate(() => dispatchEvent(new Event('online')))
  const { sources } = await requireDelivered(room, page, await finish(page))
  return { recoveryMs: within(firstRequestMs(room, backMs) - backMs, ONLINE_MS, 'the origin that rested is asked'), sources }
}

async function setOffline(page: Page, isOffline: boolean): Promise<void> {
  await page.setOfflineMode(isOffline)
}

const DAY = 86_400
const LIBRARIES = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1']

interface Skew {
  readonly days: number
  readonly refused: string
  readonly isSuspect: boolean
}

const SKEWS: readonly Skew[] = [
  { days: 400, refused: 'catalogue-expired', isSuspect: false },
  { days: -400, refused: 'catalogue-future', isSuspect: true },
]

export async function skewedClock(room: DrillRoom): Promise<Outcome> {
  for (const skew of SKEWS) {
    const { browser } = await room.launch({ env: fakeTime(skew.days), args: ['--no-zygote'] })
    const page = await openPortal(browser, room.stack.urls.portal)
    const aheadDays = (await page.evaluate(() => Date.now())) / 1000 / DAY - Date.now() / 1000 / DAY
    demand(Math.abs(aheadDays - skew.days) < 1, `the page's clock is ${skew.days} days off, not ${aheadDays}`)
    await visitSkewed(room, page, skew)
  }
  return { recoveryMs: null, sources: NO_SOURCES }
}

/** Nothing is resolved by name, as though it were fresh; a digest that the page pins is delivered, and said to be pinned. */
async function visitSkewed(room: DrillRoom, page: Page, skew: Skew): Promise<void> {
  const { small } = room
  await startDownload(page, small.name)
  const byName = (await finish(page)).ending
  demand(byName.kind === 'refused' && byName.code === skew.refused, `a name is refused as ${skew.refused}; it was ${endingWords(byName)}`)
  await startDownload(page, small.artifact.sha256)
  const finished = await finish(page)
  await requireDelivered(room, page, finished, small)
  const resolved = finished.events.map(({ event }) => event).find((event) => event.kind === 'resolved')
  if (resolved?.kind !== 'resolved') throw new Error('not so: the digest was resolved')
  demand(resolved.catalogue.freshness === 'pinned', 'it is said to be pinned')
  demand(resolved.catalogue.isClockSuspect === skew.isSuspect, 'it says whether the clock is suspect')
}

export function hasFakeTime(): boolean {
  return LIBRARIES.some((path) => existsSync(path))
}

function fakeTime(days: number): Readonly<Record<string, string>> {
  const library = LIBRARIES.find((path) => existsSync(path))
  if (library === undefined) throw new Error('there is no libfaketime on this machine')
  return {
    LD_PRELOAD: library,
    FAKETIME: `${days > 0 ? '+' : ''}${days}d`,
    // Chromium 156 hangs with its shared memory, with a zygote, with a monotonic clock that is moved, and with a mended one.
    FAKETIME_DISABLE_SHM: '1',
    FAKETIME_FORCE_MONOTONIC_FIX: '0',
    DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}
