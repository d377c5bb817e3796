import { DeliveryError } from '../../core/errors.ts'
import type { Answer } from './accept.ts'

export interface ExpectedBody {
  /** Undefined where the length is not known beforehand. */
  readonly expectedBytes: number | undefined
}

/**
 * The body as non-empty chunks, counted: a body's end is no proof that it is whole.
 * Leaving the loop early frees the connection.
 * @throws {DeliveryError} `source-length`, `source-unreachable`; `signal.reason` itself
 */
export async function* readBody(answer: Answer, expected: ExpectedBody, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const limit = expected.expectedBytes ?? Number.POSITIVE_INFINITY
  let length = 0
  for await (const chunk of chunksOf(answer, signal)) {
    length += chunk.length
    if (length > limit) throw wrongLength(answer, limit, length)
    if (chunk.length > 0) yield chunk
  }
  if (expected.expectedBytes !== undefined && length !== limit) throw wrongLength(answer, limit, length)
}

async function* chunksOf(answer: Answer, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = answer.response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await nextChunk(answer, reader, signal)
      if (done) return
      yield value
    }
  } finally {
    // A body that failed cannot be cancelled, and need not be.
    await reader.cancel().catch(() => undefined)
  }
}

async function nextChunk(
  { source, clock, startedMs }: Answer,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly done: true; readonly value?: undefined } | { readonly done: false; readonly value: Uint8Array }> {
  signal.throwIfAborted()
  try {
    const next = await reader.read()
    return next.done ? { done: true } : { done: false, value: next.value }
  } catch (cause) {
    signal.throwIfAborted()
    throw new DeliveryError(
      {
        code: 'source-unreachable',
        source,
        phase: 'body',
        elapsedMs: clock.monotonicMs() - startedMs,
      },
      { cause },
    )
  }
}

function wrongLength({ source }: Answer, expectedBytes: number, actualBytes: number): DeliveryError {
  return new DeliveryError({ code: 'source-length', source, expectedBytes, actualBytes })
}
