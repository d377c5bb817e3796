import type { Clock } from '../core/ports.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'

/** Lets many waiters sleep until something changes. Level-free: whoever waits looks again after waking. */
export interface Gate {
  /** Resolves at the next `open()`; rejects with `signal.reason`. */
  wait(signal: AbortSignal): Promise<void>
  open(): void
}

/** Something opened the gate, or the time is up; rejects with `signal.reason`. */
export async function waitAtMost(gate: Gate, limit: { readonly clock: Clock; readonly ms: number }, signal: AbortSignal): Promise<void> {
  const turn = createAbort(signal)
  try {
    await Promise.race([gate.wait(turn.signal), limit.clock.sleep(limit.ms, turn.signal)])
  } finally {
    turn.cut(NOT_NEEDED)
  }
}

export function createGate(): Gate {
  const waiters = new Set<() => void>()
  return {
    wait(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason)
          return
        }
        const leave = (): void => {
          waiters.delete(wake)
          signal.removeEventListener('abort', stop)
        }
        const wake = (): void => {
          leave()
          resolve()
        }
        const stop = (): void => {
          leave()
          reject(signal.reason)
        }
        waiters.add(wake)
        signal.addEventListener('abort', stop)
      })
    },
    open() {
      // A waiter that waits again waits for the next opening.
      for (const wake of Array.from(waiters)) wake()
    },
  }
}
