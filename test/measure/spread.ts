/** What a few rounds say of a median, without assuming any distribution. */
export interface Spread {
  readonly median: number
  /** Interval that holds the true median with at least 90 %; of fewer than five rounds the whole range, which holds it with less. */
  readonly low: number
  readonly high: number
  readonly isInterval: boolean
}

const CONFIDENCE = 0.9

/**
 * Order statistics: how often the true median lies below the k-th smallest is a matter of tossing a coin.
 * @throws {RangeError} without a value
 */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const count = sorted.length
  if (count === 0) throw new RangeError('expected at least one value')
  let outside = 0
  while (outside + 1 < count / 2 && 1 - 2 * tail(count, outside + 1) >= CONFIDENCE) outside++
  const at = (index: number): number => sorted[index] ?? Number.NaN
  return {
    median: (at(Math.floor((count - 1) / 2)) + at(Math.floor(count / 2))) / 2,
    low: at(outside),
    high: at(count - 1 - outside),
    isInterval: 1 - 2 * tail(count, outside) >= CONFIDENCE,
  }
}

/** Chance that at most `most` of `count` coins show heads. */
function tail(count: number, most: number): number {
  let [sum, ways] = [0, 1]
  for (let heads = 0; heads <= most; heads++) {
    sum += ways
    ways = (ways * (count - heads)) / (heads + 1)
  }
  return sum / 2 ** count
}
