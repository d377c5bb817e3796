import type { Failure } from '../core/errors.ts'
import type { Source } from '../core/ports.ts'

/** What a delivery knows of one source. Rates in bytes per second, 0 while unknown. */
export interface SourceState {
  readonly source: Source
  rank: number
  bytesPerSecond: number
  firstByteMs: number | undefined
  /** In a row, since the last verified piece. */
  failuresInRow: number
  /** Monotonic time before which it rests. */
  restsUntilMs: number
  /** It has said that it does not have this artifact. */
  isMissing: boolean
  /** It left: its tab closed, or the set dropped it. */
  isGone: boolean
  verifiedPieces: number
  verifiedBytes: number
  receivedBytes: number
  readonly failures: Failure[]
}

export function createSourceState(source: Source, rank: number): SourceState {
  return {
    source,
    rank,
    bytesPerSecond: 0,
    firstByteMs: undefined,
    failuresInRow: 0,
    restsUntilMs: 0,
    isMissing: false,
    isGone: false,
    verifiedPieces: 0,
    verifiedBytes: 0,
    receivedBytes: 0,
    failures: [],
  }
}

/** The state of a source that came back as another object. What is known of it holds; what it did is counted anew, beside the former. */
export function succeedSourceState(former: SourceState, source: Source, rank: number): SourceState {
  const { bytesPerSecond, firstByteMs, failuresInRow, restsUntilMs, verifiedPieces } = former
  return { ...createSourceState(source, rank), bytesPerSecond, firstByteMs, failuresInRow, restsUntilMs, verifiedPieces }
}

/** Weight of the newest measurement in the moving average. */
const NEWEST = 0.5
/** A failing source can fail thousands of times; the record needs the kinds, not each one. */
export const FAILURES_KEPT = 20

export function noteRate(state: SourceState, bytes: number, elapsedMs: number): void {
  if (bytes === 0) return
  const rate = (bytes * 1000) / Math.max(elapsedMs, 1)
  state.bytesPerSecond = state.bytesPerSecond === 0 ? rate : state.bytesPerSecond * (1 - NEWEST) + rate * NEWEST
}

export function noteFailure(state: SourceState, failure: Failure): void {
  state.failuresInRow++
  if (state.failures.length < FAILURES_KEPT) state.failures.push(failure)
}
