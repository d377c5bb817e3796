import { DeliveryError } from '../../core/errors.ts'
import type { SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { createDeadline, type Deadline } from '../deadline.ts'
import { untilAborted } from '../read-body.ts'

/** How long a mirror may be silent. A transfer may take as long as it likes while bytes move. */
export interface StallLimit {
  readonly source: SourceId
  readonly clock: Clock
  readonly stallMs: number
}

/**
 * What `work` ends with, unless nothing moves for too long.
 * @param work renews the deadline whenever something moved
 * @throws {DeliveryError} `source-timeout`, whatever the work then ends with; else what it throws
 */
export async function beforeStall<T>(limit: StallLimit, work: (deadline: Deadline) => Promise<T>, signal: AbortSignal): Promise<T> {
  const { source, clock, stallMs } = limit
  const startedMs = clock.monotonicMs()
  const deadline = createDeadline(clock, stallMs, signal)
  try {
    return await untilAborted(work(deadline), deadline.signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!deadline.isMissed) throw error
    const elapsedMs = Math.round(clock.monotonicMs() - startedMs)
    throw new DeliveryError({ code: 'source-timeout', source, phase: 'stall', elapsedMs }, { cause: error })
  } finally {
    deadline.release()
  }
}

/** `chunks`, each within the limit. The time that the reader takes is not counted. */
export async function* chunksBeforeStall(
  limit: StallLimit,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  for (;;) {
    const next = await beforeStall(limit, () => iterator.next(), signal)
    if (next.done === true) return
    yield next.value
  }
}

/** `chunks` on their way out: the deadline counts from the moment that the last one was taken. */
export async function* renewing(chunks: AsyncIterable<Uint8Array>, deadline: Deadline): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    deadline.renew()
    yield chunk
    deadline.renew()
  }
}
