import type { Page } from 'puppeteer-core'
import { requireNoPieceTwice, sentBytes, sourcesOf, verifiedAt } from './evidence.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { endingWords, finish, hashAtPage, openPortal, startDownload, waitForController, waitForPieces, type Finished } from './visit.ts'

const MIB = 2 ** 20
/** So that a download takes some seconds, and there is a middle to interrupt it in. */
const RATE = 12 * MIB
/** What may be on its way when a download is cut: the runs of pieces that one origin is asked for at once. */
const IN_FLIGHT_BYTES = 16 * MIB
export const INTERRUPT_AFTER_PIECES = 30

/** One origin alone, so that its own count of bytes is the whole truth. */
export async function slowSingleOrigin(room: DrillRoom, rateBytesPerSecond = RATE): Promise<void> {
  await room.stack.set('cdn-2', 'down')
  await room.stack.set('gateway', 'down')
  await room.stack.set('cdn-1', { rateBytesPerSecond })
}

/** A page in the middle of downloading the large artifact. */
export async function openMidway(room: DrillRoom, launch: DrillRoom['launch'] = room.launch) {
  await slowSingleOrigin(room)
  const one = await launch()
  const page = await openPortal(one.browser, room.stack.urls.portal)
  await waitForController(page)
  await startDownload(page, room.agent.name)
  await waitForPieces(page, INTERRUPT_AFTER_PIECES)
  return { ...one, page }
}

/** Pieces that the page was told of as verified so far. */
export async function verifiedPieces(page: Page): Promise<ReadonlySet<number>> {
  return new Set(verifiedAt(await page.evaluate(() => window.drill?.events ?? [])).keys())
}

export interface Interrupted {
  /** What was known to be verified before. */
  readonly before: ReadonlySet<number>
  /** When the page began to come back. */
  readonly backMs: number
}

/** Downloads to the end, and holds the origin's own log against what was kept. */
export async function goOn(room: DrillRoom, page: Page, { before, backMs }: Interrupted): Promise<Outcome> {
  const { agent, stack } = room
  await startDownload(page, agent.name)
  const finished = await finish(page)
  const { pieceBytes, sources } = await requireDelivered(room, page, finished)
  const kept = keptPieces(finished)
  const lost = [...before].filter((piece) => !kept.has(piece))
  demand(lost.length === 0, `every piece that was verified is kept, but ${lost.join(', ')} is not`)
  demand(kept.size >= INTERRUPT_AFTER_PIECES, `at least ${INTERRUPT_AFTER_PIECES} pieces were kept, not ${kept.size}`)
  requireNoPieceTwice(finished.events, stack.cdn[0].requests, pieceBytes)
  requireLittleSent(room)
  return { recoveryMs: firstRequestMs(room, backMs) - backMs, sources }
}

/** The right bytes at the page, and a record that names a source for each piece. */
export async function requireDelivered(
  room: DrillRoom,
  page: Page,
  { ending }: Finished,
  entry: { readonly artifact: { readonly sha256: string } } = room.agent,
) {
  if (ending.kind !== 'delivered') throw new Error(`not so: it is delivered; it ended ${endingWords(ending)}`)
  const received = await hashAtPage(page, room.receiver.url)
  demand(received.sha256 === entry.artifact.sha256, `the page has the right SHA-256, not ${received.sha256}`)
  demand(ending.record.outcome.kind === 'delivered', 'the record says so')
  return { sources: sourcesOf(ending.record), pieceBytes: ending.artifact.pieceLengthBytes }
}

/** Nothing but what was on its way may be sent a second time. */
export function requireLittleSent({ stack, agent }: DrillRoom): void {
  const sent = sentBytes(stack.cdn[0].requests)
  demand(
    sent <= agent.artifact.sizeBytes + IN_FLIGHT_BYTES,
    `nothing verified was sent again (${sent} bytes for ${agent.artifact.sizeBytes})`,
  )
}

/** Pieces that an earlier visit left. */
export function keptPieces({ events }: Finished): ReadonlySet<number> {
  return new Set(verifiedAt(events.filter(({ event }) => event.kind === 'resolved')).keys())
}

/** When the origin was first asked for bytes of the artifact after `sinceMs`. */
export function firstRequestMs({ stack }: DrillRoom, sinceMs: number): number {
  return Math.min(...stack.cdn[0].requests.map(({ atMs }) => atMs).filter((atMs) => atMs >= sinceMs))
}

/** Milliseconds from `sinceMs` to the first piece that was verified after it. */
export function nextPieceMs({ events }: Pick<Finished, 'events'>, sinceMs: number): number {
  const first = events.find(({ atMs, event }) => atMs >= sinceMs && event.kind === 'progress' && event.pieces.length > 0)
  if (first === undefined) throw new Error('not so: a piece was verified after the fault')
  return first.atMs - sinceMs
}

/** @throws {Error} when something took longer than it may */
export function within(tookMs: number, limitMs: number, what: string): number {
  demand(tookMs <= limitMs, `${what} within ${limitMs} ms, not ${Math.round(tookMs)} ms`)
  return Math.round(tookMs)
}

/** Waits on this side for something that no page tells. */
export async function until(isTrue: () => boolean | Promise<boolean>, claim: string, deadlineMs = 30_000): Promise<void> {
  const endMs = Date.now() + deadlineMs
  while (!(await isTrue())) {
    demand(Date.now() < endMs, `${claim} within ${deadlineMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
