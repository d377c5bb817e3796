/** Chunks of one read, between the message that brings them and the loop that takes them. Bounded by the read's own range. */
export interface ReadQueue {
  push(chunk: Uint8Array): void
  end(): void
  fail(error: unknown): void
  chunks(): AsyncGenerator<Uint8Array, void, undefined>
}

export function createReadQueue(signal: AbortSignal): ReadQueue {
  const waiting: Uint8Array[] = []
  let ending: { readonly error: unknown } | 'end' | undefined
  let wake: () => void = () => undefined
  const settle = (how: typeof ending): void => {
    ending ??= how
    wake()
  }
  const onAbort = (): void => settle({ error: signal.reason })
  return {
    push(chunk) {
      waiting.push(chunk)
      wake()
    },
    end: () => settle('end'),
    fail: (error) => settle({ error }),
    async *chunks() {
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        for (;;) {
          const chunk = waiting.shift()
          if (signal.aborted) throw signal.reason
          if (chunk !== undefined) yield chunk
          else if (ending === 'end') return
          else if (ending !== undefined) throw ending.error
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
  }
}
