import { storeFailed } from './store-failure.ts'

/** Longest wait for one step of the platform's storage. Chromium has been seen never to answer an open. */
export const STORAGE_DEADLINE_MS = 20_000

/**
 * Waits for `work`, but no longer than the deadline. The work itself goes on: storage calls cannot be recalled.
 * @throws {DeliveryError} `store-failed` past the deadline; `signal.reason` itself on cancellation
 */
export async function withDeadline<T>(work: Promise<T>, doing: string, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop = (): void => undefined
  const cut = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(storeFailed(`${doing}: the browser's storage did not answer`)), STORAGE_DEADLINE_MS)
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([work, cut])
  } finally {
    stop()
  }
}
