import type { Clock } from '../../src/core/ports.ts'

/** A clock that moves only when it is told to. */
export interface VirtualClock extends Clock {
  /** Sleepers that have not been woken. */
  readonly sleeping: number
  /** Moves time on, waking sleepers in order and letting each do its work before the next. */
  advance(ms: number): Promise<void>
  /** Moves time to the next sleeper, again and again, until `work` is done. Fails when nobody sleeps and it is still not done. */
  drive<T>(work: Promise<T>): Promise<T>
  /** The user sets the clock. Sleepers do not notice. */
  setNow(nowMs: number): void
}

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

export function createVirtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let monotonicMs = 0
  let offsetMs = startMs
  let sleepers: readonly Sleeper[] = []

  const next = (untilMs: number): Sleeper | undefined =>
    sleepers
      .filter((one) => one.atMs <= untilMs)
      .reduce<Sleeper | undefined>((first, one) => (first === undefined || one.atMs < first.atMs ? one : first), undefined)

  const wake = async (sleeper: Sleeper): Promise<void> => {
    monotonicMs = Math.max(monotonicMs, sleeper.atMs)
    sleeper.wake()
    await settle()
  }

  const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      const leave = (): void => {
        sleepers = sleepers.filter((one) => one !== sleeper)
        signal.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        leave()
        reject(signal.reason)
      }
      const sleeper: Sleeper = {
        atMs: monotonicMs + Math.max(0, ms),
        wake: () => {
          leave()
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      sleepers = [...sleepers, sleeper]
    })

  return {
    get sleeping() {
      return sleepers.length
    },
    nowMs: () => offsetMs + monotonicMs,
    monotonicMs: () => monotonicMs,
    sleep,
    setNow: (nowMs) => {
      offsetMs = nowMs - monotonicMs
    },
    advance: async (ms) => {
      const untilMs = monotonicMs + ms
      await settle()
      for (let sleeper = next(untilMs); sleeper !== undefined; sleeper = next(untilMs)) await wake(sleeper)
      monotonicMs = untilMs
    },
    drive: async (work) => {
      let isDone = false
      const mark = (): void => {
        isDone = true
      }
      work.then(mark, mark)
      await settle()
      while (!isDone) {
        const sleeper = next(Number.POSITIVE_INFINITY)
        if (sleeper !== undefined) {
          await wake(sleeper)
          continue
        }
        // Where two drive one clock, the other may have woken the last sleeper just now.
        await settle()
        if (!isDone && next(Number.POSITIVE_INFINITY) === undefined) throw new Error('nobody sleeps, and the work is not done')
      }
      return await work
    },
  }
}

/** Lets everything that waits for promises alone run to its next real wait. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
