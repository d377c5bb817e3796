import { failureOf, type Failure } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'

/** How often something is tried, and with what pauses. */
export interface Retries {
  /** At least 1. */
  readonly attempts: number
  readonly clock: Clock
  /** From 0 up to 1. */
  readonly random: () => number
}

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 10_000
const BUSY = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * Does `work` again after what may pass by itself, after a pause that is drawn anew each time, so that many files do not come back at once.
 * @throws what the last attempt threw
 */
export async function retried<T>(work: () => Promise<T>, { attempts, clock, random }: Retries, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined || attempt >= attempts || !mayPass(failure)) throw error
      const longestMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS)
      const askedMs = failure.code === 'source-status' ? (failure.retryAfterSeconds ?? 0) * 1000 : 0
      await clock.sleep(askedMs + random() * longestMs, signal)
    }
  }
}

/** A mirror that gave back other bytes is written to once more: they may have been altered on the way. */
function mayPass(failure: Failure): boolean {
  switch (failure.code) {
    case 'source-status':
      return BUSY.has(failure.status)
    case 'source-unreachable':
    case 'source-timeout':
    case 'source-length':
    case 'source-missing':
    case 'blob-mismatch':
      return true
    default:
      return false
  }
}
