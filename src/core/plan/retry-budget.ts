/** Extra requests in proportion to first ones: a whole site of browsers that hedge and retry must not bring down what is left. */
export interface RetryBudget {
  /** A request for what nobody has asked for yet. */
  noteFirst(): void
  /** True while one extra request, a duplicate or a hedge, is left. */
  hasExtra(): boolean
  noteExtra(): void
}

const SHARE = 0.2
/** A small artifact has few requests, and an outage needs some. */
const AT_LEAST = 10

export function createRetryBudget(): RetryBudget {
  let first = 0
  let extra = 0
  return {
    noteFirst: () => void first++,
    hasExtra: () => extra < Math.max(AT_LEAST, first * SHARE),
    noteExtra: () => void extra++,
  }
}
