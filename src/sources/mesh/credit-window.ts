/** How many bytes a peer may have on their way to us. Found, not fixed: see `onDelay`. */
export interface CreditWindow {
  readonly bytes: number
  /**
   * A grant has been used up: `delayMs` passed from giving it to its last byte. The window grows while that stays near the shortest delay
   * seen, and shrinks when it rises, for then a queue builds up somewhere and would end in lost packets.
   * @param wasFull whether the window was the limit; if not, nothing is learnt about growing
   */
  onDelay(delayMs: number, nowMs: number, wasFull: boolean): void
}

const KIB = 1024
export const WINDOW_START_BYTES = 128 * KIB
export const WINDOW_MIN_BYTES = 64 * KIB
export const WINDOW_MAX_BYTES = 1024 * KIB

/** Queueing that is borne for the sake of a full line. */
const NEAR_MS = 8
const FAR_MS = 10
const STEP_BYTES = 16 * KIB
const SHRINK = 0.8
const DRAIN = 0.5
/** Grants that are looked at together. */
const ROUND = 4
/** The shortest delay is forgotten after one to two of these: routes change. */
const MEMORY_MS = 10_000

export function createCreditWindow(): CreditWindow {
  return new DelayWindow()
}

class DelayWindow implements CreditWindow {
  #bytes = WINDOW_START_BYTES
  #isStarting = true
  #shortestMs = Number.POSITIVE_INFINITY
  #shortestBeforeMs = Number.POSITIVE_INFINITY
  #epochMs: number | undefined
  #latestMs: readonly number[] = []
  #shrunkAtMs = Number.NEGATIVE_INFINITY

  get bytes(): number {
    return this.#bytes
  }

  onDelay(measuredMs: number, nowMs: number, wasFull: boolean): void {
    this.#epochMs ??= nowMs
    if (nowMs - this.#epochMs >= MEMORY_MS) {
      this.#shortestBeforeMs = this.#shortestMs
      this.#shortestMs = Number.POSITIVE_INFINITY
      this.#epochMs = nowMs
      // A queue of our own making would pass for the line's delay: let it run dry, and measure anew.
      this.#set(this.#bytes * DRAIN)
    }
    this.#shortestMs = Math.min(this.#shortestMs, measuredMs)
    const shortestMs = Math.min(this.#shortestMs, this.#shortestBeforeMs)
    // A queue delays every grant of a round; a busy machine only some.
    this.#latestMs = [...this.#latestMs.slice(1 - ROUND), measuredMs]
    const delayMs = Math.min(...this.#latestMs)
    if (delayMs <= shortestMs + NEAR_MS) {
      if (wasFull) this.#set(this.#bytes + (this.#isStarting ? 2 : 1) * STEP_BYTES)
    } else if (delayMs > shortestMs * 1.25 + FAR_MS && nowMs - this.#shrunkAtMs >= delayMs) {
      // Once per round: the grants that were under way meet the same queue and say nothing new.
      this.#isStarting = false
      this.#shrunkAtMs = nowMs
      this.#set(this.#bytes * SHRINK)
    }
  }

  #set(bytes: number): void {
    this.#bytes = Math.round(Math.min(WINDOW_MAX_BYTES, Math.max(WINDOW_MIN_BYTES, bytes)))
  }
}
