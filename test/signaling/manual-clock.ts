import type { Clock } from 'sealift/protocol'

/** Time that passes only when told to. */
export interface ManualClock extends Clock {
  /** Moves both clocks and wakes the sleepers that are due, each in its turn. */
  advance(ms: number): Promise<void>
}

export function createManualClock(startMs: number): ManualClock {
  let passedMs = 0
  const sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          sleepers.delete(sleeper)
          reject(signal.reason)
        }
        const wake = (): void => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
        const sleeper = { atMs: passedMs + ms, wake }
        sleepers.add(sleeper)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
    async advance(ms) {
      passedMs += ms
      const due = [...sleepers].filter(({ atMs }) => atMs <= passedMs)
      for (const sleeper of due) {
        sleepers.delete(sleeper)
        sleeper.wake()
      }
      // A woken sleeper acts in microtasks and may sleep again.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}
