/** `work`, or the reason of the abort, whichever comes first. What is left of the work goes on unheard. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let leave: () => void = () => undefined
  const aborted = new Promise<never>((_, reject) => {
    const stop = (): void => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    leave = () => signal.removeEventListener('abort', stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    leave()
  }
}
