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

interface Waiter {
  readonly wake: () => void
  readonly stop: (reason: unknown) => void
}

/** All who wait under one signal, with the one listener that they share: the lanes of a delivery, and its loop over peers. */
interface Party {
  readonly waiters: Set<Waiter>
  readonly disband: () => void
}

export function createGate(): Gate {
  const parties = new Map<AbortSignal, Party>()

  const gather = (signal: AbortSignal): Party => {
    const waiters = new Set<Waiter>()
    const onAbort = (): void => {
      disband()
      for (const { stop } of waiters) stop(signal.reason)
    }
    const disband = (): void => {
      parties.delete(signal)
      signal.removeEventListener('abort', onAbort)
    }
    signal.addEventListener('abort', onAbort)
    const party = { waiters, disband }
    parties.set(signal, party)
    return party
  }

  return {
    wait(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) {
          reject(signal.reason)
          return
        }
        const { waiters } = parties.get(signal) ?? gather(signal)
        waiters.add({ wake: resolve, stop: reject })
      })
    },
    open() {
      // A waiter that waits again waits for the next opening.
      for (const { waiters, disband } of Array.from(parties.values())) {
        disband()
        for (const { wake } of waiters) wake()
      }
    },
  }
}
