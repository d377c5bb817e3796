/** Lets through a burst, then a steady rate. */
export interface TokenRate {
  readonly burst: number
  readonly perSecond: number
}

/** Sums of fractions miss by less. */
const ROUNDING_MS = 1e-6

/**
 * A token bucket that is one number, since every connection has several: when it is full again, in milliseconds of any clock. Once that is past, it is
 * as if it had never been touched. The same as counting tokens (ITU-T I.371 Annex A: the virtual scheduling algorithm).
 * @param fullAtMs of the bucket now
 * @returns when it is full again after one token more is taken; undefined when there is none to take
 */
export function takeToken({ burst, perSecond }: TokenRate, fullAtMs: number, nowMs: number): number | undefined {
  const nextMs = Math.max(fullAtMs, nowMs) + 1000 / perSecond
  return nextMs - nowMs > (burst * 1000) / perSecond + ROUNDING_MS ? undefined : nextMs
}
