/** How long a source that failed is left alone. Figures: docs/decisions/0003-timers.md. */

import { LIMITS } from '../limits.ts'

/** After this many failures in a row a source rests in earnest. */
const FAILURES_TO_OPEN = 3
const BASE_MS = 500
const CAP_MS = 30_000
/** What answers with something else than the file goes on doing so for a while: a captive portal, a proxy that cannot do ranges. */
const WRONG_ANSWER_MS = 5000
/** One that nobody could stand in for is not left alone for longer than this: a slow answer beats none. */
const NEEDED_CAP_MS = 1000

export interface RestQuestion {
  /** Failures in a row, this one included. */
  readonly failures: number
  /** It brought a verified piece before it failed. */
  readonly hadProgress: boolean
  /** What the source asked for. */
  readonly retryAfterSeconds: number | undefined
  /** The answer was none to what was asked, so that the next one will hardly be. */
  readonly isWrongAnswer: boolean
}

export interface Rest {
  readonly ms: number
  /** The source asked for it. */
  readonly isAskedFor: boolean
}

/** Full jitter, after AWS Architecture Blog "Exponential Backoff And Jitter". `random` gives 0 to below 1. */
export function restAfter(request: RestQuestion, random: () => number): Rest {
  if (request.retryAfterSeconds !== undefined)
    return { ms: Math.min(request.retryAfterSeconds, LIMITS.retryAfterSeconds) * 1000, isAskedFor: true }
  if (request.hadProgress) return { ms: 0, isAskedFor: false }
  const exponent = Math.max(0, request.failures - FAILURES_TO_OPEN)
  const ceiling = request.failures < FAILURES_TO_OPEN ? BASE_MS : Math.min(CAP_MS, BASE_MS * 2 ** (exponent + 1))
  const ms = Math.floor(random() * ceiling)
  return { ms: request.isWrongAnswer ? Math.max(ms, WRONG_ANSWER_MS) : ms, isAskedFor: false }
}

/** Who else could go on meanwhile. `resting`: others, and all of them rest. */
export type Others = 'none' | 'resting' | 'ready'

/** The rest that is granted: whoever is needed is asked again soon, and one that is the only one left even if it asked for more. */
export function grantedRestMs({ ms, isAskedFor }: Rest, others: Others): number {
  const isNeeded = others === 'none' || (others === 'resting' && !isAskedFor)
  return isNeeded ? Math.min(ms, NEEDED_CAP_MS) : ms
}
