import type { Clock } from '../../core/ports.ts'

/** Waits for `work`, at most `ms`. @throws what `work` throws, `signal.reason`, or what `late` makes */
export async function withDeadline<T>(
  work: Promise<T>,
  deadline: { readonly ms: number; readonly clock: Clock; readonly late: (elapsedMs: number) => Error },
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted()
  const over = new AbortController()
  const onAbort = (): void => over.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const startedMs = deadline.clock.monotonicMs()
  const lateness = deadline.clock.sleep(deadline.ms, over.signal).then((): never => {
    throw deadline.late(Math.round(deadline.clock.monotonicMs() - startedMs))
  })
  try {
    return await Promise.race([work, lateness])
  } finally {
    signal.removeEventListener('abort', onAbort)
    over.abort()
    lateness.catch(() => undefined)
  }
}

/** A promise and its ends: for what arrives as an event. */
export interface Settled<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** One that nobody may wait for: its rejection is then no fault. */
export function createSettled<T>(): Settled<T> {
  let ends: Omit<Settled<T>, 'promise'> = { resolve: () => {}, reject: () => {} }
  const promise = new Promise<T>((resolve, reject) => (ends = { resolve, reject }))
  promise.catch(() => undefined)
  return { promise, ...ends }
}
