import type { Clock } from './ports.ts'

/** What is said so often that each word would cost more than it tells: the first about a key goes at once, what follows soon goes together. */
export interface Batches<Key, Value> {
  add(key: Key, value: Value): void
  /** What waits for this key is said no more. */
  drop(key: Key): void
}

export interface BatchOptions<Key, Value> {
  readonly clock: Clock
  /** Between two words about one key. */
  readonly restMs: number
  readonly join: (before: Value, next: Value) => Value
  readonly flush: (key: Key, value: Value) => void
}

/** @param signal ends the waiting; what waits then is never said */
export function createBatches<Key, Value>(options: BatchOptions<Key, Value>, signal: AbortSignal): Batches<Key, Value> {
  const { clock, restMs, join, flush } = options
  /** Keys that rest, and what waits for them. */
  const resting = new Map<Key, { readonly value: Value } | undefined>()
  const rest = async (key: Key): Promise<void> => {
    for (;;) {
      await clock.sleep(restMs, signal)
      const waiting = resting.get(key)
      if (waiting === undefined) break
      resting.set(key, undefined)
      flush(key, waiting.value)
    }
    resting.delete(key)
  }
  return {
    add(key, value) {
      const before = resting.get(key)
      if (resting.has(key)) return void resting.set(key, { value: before === undefined ? value : join(before.value, value) })
      resting.set(key, undefined)
      flush(key, value)
      // Only the end of whoever listens wakes it early.
      rest(key).catch(() => undefined)
    },
    drop(key) {
      if (resting.has(key)) resting.set(key, undefined)
    },
  }
}
