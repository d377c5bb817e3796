import type { AuditRecord, DeliveryEvent, PieceSpan } from 'sealift/page'
import type { ServedRequest } from '../../demo/stack/cdn-origin.ts'
import { demand, type SourceCounts } from './scenario.ts'
import type { Finished, TimedEvent } from './visit.ts'

/** What the record says each tier delivered. @throws {Error} when it does not name one source for every piece */
export function sourcesOf(record: AuditRecord): SourceCounts {
  const named = new Uint8Array(record.artifact.pieces)
  const counts = { cdn: 0, gateway: 0, mesh: 0 }
  for (const { tier, pieces } of record.sources) {
    for (const { start, end } of pieces) {
      counts[tier] += end - start
      for (let piece = start; piece < end; piece++) named[piece] = (named[piece] ?? 0) + 1
    }
  }
  demand(
    named.every((count) => count === 1),
    'the record names one source for every piece',
  )
  return counts
}

/** When each piece was known to be verified, at the latest. */
export function verifiedAt(events: readonly TimedEvent[]): ReadonlyMap<number, number> {
  const times = new Map<number, number>()
  for (const { atMs, event } of events) {
    for (const { start, end } of spansOf(event)) {
      for (let piece = start; piece < end; piece++) if (!times.has(piece)) times.set(piece, atMs)
    }
  }
  return times
}

function spansOf(event: DeliveryEvent) {
  if (event.kind === 'progress') return event.pieces
  return event.kind === 'resolved' ? event.kept : []
}

/** @throws {Error} when a server was asked for a piece that was verified before */
export function requireNoPieceTwice(events: readonly TimedEvent[], requests: readonly ServedRequest[], pieceBytes: number): void {
  const times = verifiedAt(events)
  for (const { atMs, start, end } of requests) {
    for (let piece = Math.floor(start / pieceBytes); piece * pieceBytes < end; piece++) {
      const verifiedMs = times.get(piece)
      demand(
        verifiedMs === undefined || verifiedMs > atMs,
        `piece ${piece} was asked for after it was verified (${atMs - (verifiedMs ?? 0)} ms later)`,
      )
    }
  }
}

/** Milliseconds from `faultMs` to the first verified piece from a tier that is not `deadTier`. @throws {Error} when there is none */
export function recoveryMs(finished: Finished, faultMs: number, deadTier?: PieceSpan['tier']): number {
  for (const { atMs, event } of finished.events) {
    if (atMs < faultMs || event.kind !== 'progress') continue
    if (event.pieces.some(({ tier }) => tier !== deadTier)) return atMs - faultMs
  }
  throw new Error('not so: a piece came from elsewhere after the fault')
}

export function sentBytes(requests: readonly ServedRequest[]): number {
  return requests.reduce((sum, request) => sum + request.sentBytes, 0)
}
