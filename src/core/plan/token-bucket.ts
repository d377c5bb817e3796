/** Paces bytes, or whatever is counted: over any stretch of time no more than the rate allows for it, and one burst. */
export interface TokenBucket {
  /** Takes as many of `bytes` as may go now. */
  take(bytes: number, nowMs: number): number
  /** How long until so many may go at once, in milliseconds. No more than a burst ever may. */
  waitMs(bytes: number, nowMs: number): number
}

/** @param burst what may go at once after a pause; full at the beginning */
export function createTokenBucket({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }): TokenBucket {
  let saved = burst
  let atMs: number | undefined
  const refill = (nowMs: number): void => {
    saved = Math.min(burst, saved + (Math.max(0, nowMs - (atMs ?? nowMs)) * perSecond) / 1000)
    atMs = Math.max(nowMs, atMs ?? nowMs)
  }
  return {
    take(bytes, nowMs) {
      refill(nowMs)
      const taken = Math.min(bytes, Math.floor(saved))
      saved -= taken
      return taken
    },
    waitMs(bytes, nowMs) {
      refill(nowMs)
      return Math.max(0, Math.ceil(((Math.min(bytes, Math.floor(burst)) - saved) * 1000) / perSecond))
    },
  }
}
