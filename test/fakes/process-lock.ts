import type { WithLock } from '../../src/engine/parts.ts'
import { orAborted } from '../../src/core/or-aborted.ts'

/** Named locks of one process, given in the order that they were asked for: what Web Locks are to the tabs of one browser. */
export function createProcessLocks(): WithLock {
  const tails = new Map<string, Promise<unknown>>()
  return async (name, work, signal) => {
    signal.throwIfAborted()
    const before = tails.get(name) ?? Promise.resolve()
    const turn = before.then(() => {
      signal.throwIfAborted()
      return work()
    })
    tails.set(
      name,
      turn.catch(() => undefined),
    )
    // Who waits for a lock may give up; who holds it is waited for.
    await orAborted(before, signal)
    return await turn
  }
}

/**
 * Locks that know when nobody holds or waits for one.
 * `idle` also gives whoever was about to ask for one the turns of the loop to do so: an engine over memory takes no longer between two of them.
 */
export function watchLocks(locks: WithLock): { readonly withLock: WithLock; idle(): Promise<void> } {
  let inUse = 0
  return {
    withLock: async (name, work, signal) => {
      inUse++
      try {
        return await locks(name, work, signal)
      } finally {
        inUse--
      }
    },
    async idle() {
      do await new Promise((resolve) => setImmediate(resolve))
      while (inUse > 0)
    },
  }
}

/** The locks of one tab, which it lets go of when it dies: whatever it was doing then is never heard of again. */
export function createMortalLocks(withLock: WithLock): { readonly withLock: WithLock; die(): void } {
  let die = (): void => undefined
  const death = new Promise<never>((_, reject) => {
    die = () => reject(new Error('the tab has died'))
  })
  death.catch(() => undefined)
  return { withLock: (name, work, signal) => withLock(name, () => Promise.race([work(), death]), signal), die: () => die() }
}
