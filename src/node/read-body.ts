/**
 * The body of an answer, chunk by chunk. In Node 20 `fetch` may lose the way from its signal to a body that nobody else holds, when memory is
 * collected: so the signal is watched here too.
 * @throws `signal.reason` unchanged
 */
export async function* readBody(response: Response, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), signal)
      if (done) return
      yield value
    }
  } finally {
    // Without waiting: a server that is silent may never take notice. What it answers is of no use to anybody.
    void reader.cancel().catch(() => undefined)
  }
}

/** What `work` ends with, or a rejection with `signal.reason`, whichever comes first. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
