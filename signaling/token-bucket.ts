/** Lets through a burst, then a steady rate. */
export interface TokenBucket {
  /** Takes one token if there is one. */
  take(nowMs: number): boolean
  /** True when nothing was taken lately: forgetting the bucket changes nothing. */
  isFull(nowMs: number): boolean
}

/** @param options `burst` tokens at first, refilled with `perSecond`, never above `burst` */
export function createTokenBucket(options: { readonly burst: number; readonly perSecond: number }, nowMs: number): TokenBucket {
  let tokens = options.burst
  let filledAtMs = nowMs
  const fill = (atMs: number): void => {
    tokens = Math.min(options.burst, tokens + (Math.max(0, atMs - filledAtMs) / 1000) * options.perSecond)
    filledAtMs = atMs
  }
  return {
    take(atMs) {
      fill(atMs)
      if (tokens < 1) return false
      tokens--
      return true
    },
    isFull(atMs) {
      fill(atMs)
      return tokens >= options.burst
    },
  }
}
