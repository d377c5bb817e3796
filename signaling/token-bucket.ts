/** Lets through a burst, then a steady rate. */
export interface TokenBucket {
  /** Takes one token if there is one. */
  take(nowMs: number): boolean
  /** True when nothing was taken lately: forgetting the bucket changes nothing. */
  isFull(nowMs: number): boolean
}

export interface TokenRate {
  readonly burst: number
  readonly perSecond: number
}

/** @param rate `burst` tokens at first, refilled with `perSecond`, never above `burst`. Not copied: share one among buckets of a kind */
export function createTokenBucket(rate: TokenRate, nowMs: number): TokenBucket {
  return new Bucket(rate, nowMs)
}

/** A class, for there are several for each connection, and closures would take four times the memory. */
class Bucket implements TokenBucket {
  readonly #rate: TokenRate
  #tokens: number
  #filledAtMs: number

  constructor(rate: TokenRate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#filledAtMs = nowMs
  }

  take(nowMs: number): boolean {
    this.#fill(nowMs)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#rate.burst
  }

  #fill(nowMs: number): void {
    const { burst, perSecond } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, nowMs - this.#filledAtMs) / 1000) * perSecond)
    this.#filledAtMs = nowMs
  }
}
