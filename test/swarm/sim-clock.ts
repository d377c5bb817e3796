import type { Clock } from '../../src/core/ports.ts'

/** A clock for thousands of programs at once: what is due in one millisecond happens together, and then all that it set off. */
export interface SimClock extends Clock {
  /** Calls `due` at this time, rounded up to a millisecond; at once, when it has passed. */
  at(atMs: number, due: () => void): void
  /** Moves time on until `isOver`, or nothing is due any more, or `untilMs` has come. */
  run(isOver: () => boolean, untilMs: number): Promise<void>
}

export function createSimClock(): SimClock {
  let nowMs = 0
  const due = new Map<number, (() => void)[]>()
  const at = (atMs: number, call: () => void): void => {
    const slot = Math.max(nowMs, Math.ceil(atMs))
    const calls = due.get(slot)
    if (calls === undefined) due.set(slot, [call])
    else calls.push(call)
  }
  return {
    nowMs: () => 1_700_000_000_000 + nowMs,
    monotonicMs: () => nowMs,
    at,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason)
          return
        }
        let isOver = false
        const onAbort = (): void => {
          isOver = true
          reject(signal.reason)
        }
        signal.addEventListener('abort', onAbort, { once: true })
        at(nowMs + ms, () => {
          if (isOver) return
          signal.removeEventListener('abort', onAbort)
          resolve()
        })
      }),
    async run(isOver, untilMs) {
      await settle()
      while (due.size > 0 && nowMs < untilMs && !isOver()) {
        const calls = due.get(nowMs)
        if (calls === undefined) {
          nowMs++
          continue
        }
        due.delete(nowMs)
        for (const call of calls) call()
        await settle()
      }
    },
  }
}

/** Nothing here waits for anything but promises, so one turn of the loop lets all of them run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
