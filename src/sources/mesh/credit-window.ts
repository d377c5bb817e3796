/** Bytes that a peer was allowed to send, and has sent. */
export interface UsedGrant {
  readonly bytes: number
  /** From giving it to its last byte. */
  readonly delayMs: number
  /** Whether the window was the limit; if not, nothing is learnt about growing. */
  readonly wasFull: boolean
}

/** How many bytes a peer may have on their way to us. Found, not fixed: see `onUsed`. */
export interface CreditWindow {
  readonly bytes: number
  /**
   * The window grows while delays stay near the shortest one seen, slower the longer they are, and shrinks to what the queue should be once they
   * are longer: for then packets pile up somewhere, and would soon be lost.
   */
  onUsed(grant: UsedGrant, nowMs: number): void
}

const KIB = 1024
export const WINDOW_START_BYTES = 128 * KIB
export const WINDOW_MIN_BYTES = 64 * KIB
export const WINDOW_MAX_BYTES = 1024 * KIB

/**
 * Queueing that is borne for the sake of a full line: so many bytes, or so long, whichever is more. Less than the queue of an ordinary line, or packets
 * get lost: 256 KiB, 21 ms at 100 Mbit/s, and what one link adds there has to leave room for another. On slower lines queues are longer, and so
 * are the times for which a busy machine keeps a frame waiting.
 */
const QUEUE_BYTES = 112 * KIB
const QUEUE_MS = 9
/** By which part of what was used up it grows until a queue is seen for the first time. */
const START_GAIN = 0.25
/** From then on it grows by so much for a whole window that was used up while nothing queued. Added, not multiplied: two links end up alike. */
const STEP_BYTES = 32 * KIB
/** Most that goes at once. */
const SHRINK = 0.5
/** Grants that are looked at together: a queue delays each of them, a busy machine only some. */
const ROUND = 4
/**
 * How often a link lets what it has under way run dry, for as long as one grant takes. Only then does it see how long the way is without a queue of
 * its own, and only then do others on the same line.
 */
const DRAIN_EVERY_MS = 10_000
/** Shortest delays of so many of these spans count: routes change. */
const SPANS = 2

export function createCreditWindow(): CreditWindow {
  return new DelayWindow()
}

class DelayWindow implements CreditWindow {
  #bytes = WINDOW_START_BYTES
  #isStarting = true
  /** Of each span, the newest last. */
  #shortestMs: readonly number[] = [Number.POSITIVE_INFINITY]
  #latestMs: readonly number[] = []
  #shrunkAtMs = Number.NEGATIVE_INFINITY
  #spanAtMs: number | undefined
  /** While it runs dry: what it goes back to. */
  #bytesBefore: number | undefined

  get bytes(): number {
    return this.#bytes
  }

  onUsed(grant: UsedGrant, nowMs: number): void {
    const { delayMs } = grant
    const latest = Math.min(this.#shortestMs.at(-1) ?? delayMs, delayMs)
    this.#shortestMs = [...this.#shortestMs.slice(0, -1), latest]
    if (!this.#isDraining(delayMs, nowMs)) this.#adapt(grant, nowMs)
  }

  #adapt({ bytes, delayMs, wasFull }: UsedGrant, nowMs: number): void {
    const shortestMs = Math.min(...this.#shortestMs)
    this.#latestMs = [...this.#latestMs.slice(1 - ROUND), delayMs]
    const latestMs = Math.min(...this.#latestMs)
    const queuedMs = latestMs - shortestMs
    // What is under way takes as long as the line needs for it.
    const targetMs = Math.max(QUEUE_MS, (QUEUE_BYTES * latestMs) / this.#bytes)
    if (queuedMs > targetMs / 2) this.#isStarting = false
    if (queuedMs <= targetMs) {
      const step = this.#isStarting ? bytes * START_GAIN : (bytes / this.#bytes) * STEP_BYTES * (1 - queuedMs / targetMs)
      if (wasFull) this.#set(this.#bytes + step)
    } else if (nowMs - this.#shrunkAtMs >= latestMs) {
      // Once per round: the grants that were under way meet the same queue and say nothing new.
      this.#shrunkAtMs = nowMs
      this.#set(this.#bytes * Math.max(SHRINK, (shortestMs + targetMs) / latestMs))
    }
  }

  /** Begins to run dry when it is time, and ends that with the first grant that was given since: nothing of ours was before it. */
  #isDraining(delayMs: number, nowMs: number): boolean {
    this.#spanAtMs ??= nowMs
    if (this.#bytesBefore !== undefined) {
      if (nowMs - delayMs <= this.#spanAtMs) return true
      // All at once would be a burst that no queue takes.
      this.#set(this.#bytesBefore * SHRINK)
      this.#isStarting = true
      this.#bytesBefore = undefined
      this.#latestMs = []
      return true
    }
    if (nowMs - this.#spanAtMs < DRAIN_EVERY_MS) return false
    this.#spanAtMs = nowMs
    this.#shortestMs = [...this.#shortestMs.slice(1 - SPANS), Number.POSITIVE_INFINITY]
    this.#bytesBefore = this.#bytes
    this.#set(WINDOW_MIN_BYTES)
    return true
  }

  #set(bytes: number): void {
    this.#bytes = Math.round(Math.min(WINDOW_MAX_BYTES, Math.max(WINDOW_MIN_BYTES, bytes)))
  }
}
