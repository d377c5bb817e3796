/** When to wait, hedge, give a piece to somebody else, abort, retry. Figures: docs/decisions/0003-timers.md. */

export interface Timing {
  /** No response head for this long: start the next source beside it. */
  readonly hedgeMs: number
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
  hedgeMs: 400,
  stallMs: 1000,
  abortMs: 3000,
  slowAfterMs: 1000,
  floorBytesPerSecond: 64 * 1024,
  slowFactor: 8,
  giveUpMs: 90_000,
}

/** Small artifacts cannot afford a second of silence: at most 1 MiB stalls after 400 ms. */
export function timingFor(sizeBytes: number, base: Timing = TIMING): Timing {
  return sizeBytes <= 1024 * 1024 ? { ...base, stallMs: Math.min(base.stallMs, 400) } : base
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

/** Whether a transfer may keep its pieces for itself. `bestOtherRate` in bytes per second, 0 when unknown. */
export function judgeTransfer(view: TransferView, nowMs: number, bestOtherRate: number, timing: Timing): TransferJudgement {
  if (view.pausedSinceMs !== undefined) return { kind: 'fine' }
  const silentMs = nowMs - view.lastByteAtMs
  const phase = view.firstByteAtMs === undefined ? 'headers' : 'stall'
  if (silentMs >= timing.abortMs) return { kind: 'abort', phase }
  if (silentMs >= (phase === 'headers' ? timing.hedgeMs : timing.stallMs)) return { kind: 'release', phase }
  if (view.firstByteAtMs === undefined) return { kind: 'fine' }
  const runMs = readingMs(view, nowMs)
  if (runMs < timing.slowAfterMs) return { kind: 'fine' }
  const rate = (view.receivedBytes * 1000) / runMs
  const floor = Math.max(timing.floorBytesPerSecond, bestOtherRate / timing.slowFactor)
  return rate < floor ? { kind: 'release', phase: 'slow' } : { kind: 'fine' }
}

/** Breaker: after this many failures in a row a source rests. */
const FAILURES_TO_OPEN = 3
const BASE_MS = 500
const CAP_MS = 30_000
const RETRY_AFTER_CAP_MS = 60_000
/** The last source left is not left alone for longer than this: a slow answer beats none. */
const LAST_SOURCE_CAP_MS = 1000

export interface RetryQuestion {
  /** Failures in a row, this one included. */
  readonly failures: number
  readonly hadProgress: boolean
  readonly retryAfterSeconds: number | undefined
  readonly isLastSource: boolean
}

/** As `restMs`, while pieces are fetched: the last source left is asked again soon, even if it asked for more. Nobody else could go on. */
export function restInDeliveryMs(question: RetryQuestion, random: () => number): number {
  const rest = restMs(question, random)
  return question.isLastSource ? Math.min(rest, LAST_SOURCE_CAP_MS) : rest
}

/** How long a source rests after a failure, in milliseconds. Full jitter, after AWS Architecture Blog "Exponential Backoff And Jitter". */
export function restMs(question: RetryQuestion, random: () => number): number {
  if (question.retryAfterSeconds !== undefined) return Math.min(question.retryAfterSeconds * 1000, RETRY_AFTER_CAP_MS)
  if (question.hadProgress) return 0
  const exponent = Math.max(0, question.failures - FAILURES_TO_OPEN)
  const ceiling = question.failures < FAILURES_TO_OPEN ? BASE_MS : Math.min(CAP_MS, BASE_MS * 2 ** (exponent + 1))
  const rest = Math.floor(random() * ceiling)
  return question.isLastSource ? Math.min(rest, LAST_SOURCE_CAP_MS) : rest
}
