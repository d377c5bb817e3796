import type { Failure } from '../core/errors.ts'
import type { PieceIndex } from '../core/model/ids.ts'
import type { SourceHealth } from '../core/plan/source-health.ts'
import type { Source } from '../core/ports.ts'

/** What a delivery knows of one source. What outlives the delivery is in `health`. */
export interface SourceState {
  readonly source: Source
  readonly health: SourceHealth
  /** Place in the order of preference. */
  rank: number
  /** It has said that it does not have this artifact. */
  isMissing: boolean
  /** It left: its tab closed, or the set dropped it. */
  isGone: boolean
  /** It was in trouble here, so that others were let in. */
  isLeftBehind: boolean
  /** It sent this piece wrong, and may put that right by reading past its cache. */
  parole: PieceIndex | undefined
  verifiedPieces: number
  /** Reads that it has not sent all of. */
  reading: number
  /** Reads whose pieces are not all kept, those included. */
  running: number
  /** Memory for whole pieces that its reads hold. */
  roomHeld: number
  /** When anything last came from it. */
  heardAtMs: number
  /** The newest thing that went wrong. */
  lastFailure: Failure | undefined
}

export function createSourceState(source: Source, rank: number, health: SourceHealth): SourceState {
  return {
    source,
    health,
    rank,
    isMissing: false,
    isGone: false,
    isLeftBehind: false,
    parole: undefined,
    verifiedPieces: 0,
    reading: 0,
    running: 0,
    roomHeld: 0,
    heardAtMs: 0,
    lastFailure: undefined,
  }
}
