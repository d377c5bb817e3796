/** When to wait, hedge, give a piece to somebody else, abort. Figures: docs/decisions/0003-timers.md. */

export interface Timing {
  /** No byte for this long: the pieces of the transfer go to others. */
  readonly stallMs: number
  /** No byte for this long: the transfer is cut. */
  readonly abortMs: number
  /** A transfer is judged slow only after it has run this long. */
  readonly slowAfterMs: number
  /** Slow below this, whatever the others do. */
  readonly floorBytesPerSecond: number
  /** Slow below the best other source divided by this. */
  readonly slowFactor: number
  /** Without a verified piece for this long, the download ends with `sources-exhausted`. Longer than any rest: one that all sources ask for ends nothing. */
  readonly giveUpMs: number
}

export const TIMING: Timing = {
  stallMs: 1000,
  abortMs: 3000,
  slowAfterMs: 1000,
  floorBytesPerSecond: 64 * 1024,
  slowFactor: 8,
  giveUpMs: 90_000,
}

const SMALL_BYTES = 1024 * 1024
const SMALL_PATIENCE_MS = 400

/** Small artifacts cannot afford a second of silence, or of trickle: 400 ms are most of the download. */
export function timingFor(sizeBytes: number, base: Timing = TIMING): Timing {
  if (sizeBytes > SMALL_BYTES) return base
  return { ...base, stallMs: Math.min(base.stallMs, SMALL_PATIENCE_MS), slowAfterMs: Math.min(base.slowAfterMs, SMALL_PATIENCE_MS) }
}

/** One lane of a poor line, of which several share it. */
const CREEP_BYTES_PER_SECOND = 16 * 1024

/** As `giveUpMs` of the timing, but no less than a large piece takes that comes slowly: it is no sign that nothing comes. */
export function giveUpMs(pieceBytes: number, timing: Timing): number {
  return Math.max(timing.giveUpMs, (pieceBytes * 1000) / CREEP_BYTES_PER_SECOND)
}

/** What can be seen of one running transfer. Times are monotonic milliseconds. */
export interface TransferView {
  readonly startedAtMs: number
  readonly firstByteAtMs: number | undefined
  /** When the last byte came, or when reading went on after a pause. */
  readonly lastByteAtMs: number
  readonly receivedBytes: number
  /** Since when nobody reads from it, because an earlier piece is still being kept. Undefined while it is read. */
  readonly pausedSinceMs: number | undefined
  /** Time of earlier pauses. */
  readonly pausedMs: number
}

/** For how long a transfer was read since its first byte, in milliseconds: pauses are ours, not the source's. */
export function readingMs(view: TransferView, nowMs: number): number {
  if (view.firstByteAtMs === undefined) return 0
  return (view.pausedSinceMs ?? nowMs) - view.firstByteAtMs - view.pausedMs
}

export type TransferJudgement =
  | { readonly kind: 'fine' }
  | { readonly kind: 'release' | 'abort'; readonly phase: 'headers' | 'stall' | 'slow' }

/** What a transfer is measured by, besides itself. */
export interface Yardstick {
  readonly nowMs: number
  /** No response head for this long: the next source is started beside it. `source-health.ts` knows. */
  readonly hedgeMs: number
  /** Of the other running transfers, in bytes per second; 0 when unknown. */
  readonly bestOtherRate: number
}

/** Whether a transfer may keep its pieces for itself. */
export function judgeTransfer(view: TransferView, { nowMs, hedgeMs, bestOtherRate }: Yardstick, timing: Timing): TransferJudgement {
  if (view.pausedSinceMs !== undefined) return { kind: 'fine' }
  const silentMs = nowMs - view.lastByteAtMs
  const phase = view.firstByteAtMs === undefined ? 'headers' : 'stall'
  if (silentMs >= timing.abortMs) return { kind: 'abort', phase }
  if (silentMs >= (phase === 'headers' ? hedgeMs : timing.stallMs)) return { kind: 'release', phase }
  if (view.firstByteAtMs === undefined) return { kind: 'fine' }
  const runMs = readingMs(view, nowMs)
  if (runMs < timing.slowAfterMs) return { kind: 'fine' }
  const rate = (view.receivedBytes * 1000) / runMs
  const floor = Math.max(timing.floorBytesPerSecond, bestOtherRate / timing.slowFactor)
  return rate < floor ? { kind: 'release', phase: 'slow' } : { kind: 'fine' }
}
