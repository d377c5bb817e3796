import type { WithLock } from '../../src/engine/parts.ts'

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
    return await orAborted(turn, before, signal)
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

/** Who waits for a lock may give up; who holds it is waited for. */
async function orAborted<T>(turn: Promise<T>, before: Promise<unknown>, signal: AbortSignal): Promise<T> {
  let leave: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    leave = () => signal.removeEventListener('abort', stop)
  })
  try {
    await Promise.race([before, aborted])
  } finally {
    leave()
  }
  return await turn
}
