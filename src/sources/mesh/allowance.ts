/** So much at once, and so much per second from then on. */
export interface Allowance {
  /** False when it is used up, and then nothing is taken. */
  take(nowMs: number): boolean
}

export function createAllowance(options: { readonly burst: number; readonly perSecond: number }, nowMs: number): Allowance {
  let left = options.burst
  let filledAtMs = nowMs
  return {
    take(atMs) {
      left = Math.min(options.burst, left + ((atMs - filledAtMs) * options.perSecond) / 1000)
      filledAtMs = atMs
      if (left < 1) return false
      left--
      return true
    },
  }
}
