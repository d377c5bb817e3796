import { DeliveryError } from '../core/errors.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'

/** Runs one request to one source under its own deadline; past it the request is cut with `source-timeout`. */
export async function attempt<T>(
  work: (signal: AbortSignal) => Promise<T>,
  limit: { readonly source: SourceId; readonly clock: Clock; readonly ms: number },
  signal: AbortSignal,
): Promise<T> {
  const own = createAbort(signal)
  const late = limit.clock.sleep(limit.ms, own.signal).then(
    () =>
      own.cut(
        new DeliveryError({
          code: 'source-timeout',
          source: limit.source,
          phase: 'stall',
          elapsedMs: limit.ms,
        }),
      ),
    // The work ended first and cut the sleep.
    () => undefined,
  )
  try {
    return await work(own.signal)
  } finally {
    own.cut(NOT_NEEDED)
    await late
  }
}
