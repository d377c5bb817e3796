import type { Clock } from './ports.ts'

/** What a platform has to lend for a clock. Core has no timers of its own. */
export interface PlatformTime<Timer> {
  readonly nowMs: () => number
  readonly monotonicMs: () => number
  readonly start: (wake: () => void, ms: number) => Timer
  readonly stop: (timer: Timer) => void
}

/** A clock on the platform's own time. A sleep leaves neither a timer nor a listener behind, however it ends. */
export function createClock<Timer>(platform: PlatformTime<Timer>): Clock {
  return {
    nowMs: platform.nowMs,
    monotonicMs: platform.monotonicMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason)
          return
        }
        const onAbort = (): void => {
          platform.stop(timer)
          reject(signal.reason)
        }
        const timer = platform.start(() => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        }, ms)
        signal.addEventListener('abort', onAbort, { once: true })
      }),
  }
}

/** The time of day in whole Unix seconds, as documents say it. */
export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000)
}
