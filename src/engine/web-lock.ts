import type { WithLock } from './parts.ts'

/** A lock over all tabs and workers of this origin. It is let go when `work` ends, or when its tab dies. */
export const withWebLock: WithLock = async (name, work, signal) => {
  signal.throwIfAborted()
  return await navigator.locks.request(name, { signal }, work)
}
