import { collectBytes } from '../../core/collect-bytes.ts'
import type { Clock } from '../../core/ports.ts'
import { createDeadline } from '../deadline.ts'
import { readBody, untilAborted } from '../read-body.ts'

export interface Question {
  readonly url: string
  readonly method?: 'GET' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  /** How much of the body is read. Default: nothing, and it is let go. */
  readonly limitBytes?: number
}

/** What a server said, whatever its status. Redirects are not followed: a page would not either. */
export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly headers: Headers
  /** Empty when it was let go; undefined when it is longer than was to be read. */
  readonly body: Uint8Array | undefined
  readonly firstByteMs: number
  readonly ms: number
}

/** It said nothing, or not all of it. */
export interface Unanswered {
  readonly kind: 'unanswered'
  readonly detail: string
  /** Undefined when not even the header came. */
  readonly firstByteMs: number | undefined
  readonly ms: number
}

export type Reply = Answered | Unanswered

/** @throws `signal.reason` alone */
export type Ask = (question: Question, signal: AbortSignal) => Promise<Reply>

/** A body that trickles is waited for no longer than this many times what may pass without a byte. */
const WHOLE_PER_GAP = 6

/** @param options.timeoutMs how long may pass without a byte */
export function createAsk({ clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number }): Ask {
  return async ({ url, method = 'GET', headers = {}, limitBytes }, signal) => {
    const startedMs = clock.monotonicMs()
    const elapsed = (): number => Math.round(clock.monotonicMs() - startedMs)
    const whole = createDeadline(clock, timeoutMs * WHOLE_PER_GAP, signal)
    const gap = createDeadline(clock, timeoutMs, whole.signal)
    let firstByteMs: number | undefined
    try {
      const asked = fetch(url, { method, headers, signal: gap.signal, redirect: 'manual', credentials: 'omit' })
      const response = await untilAborted(asked, gap.signal)
      firstByteMs = elapsed()
      const body = await readAnswer(response, limitBytes, gap)
      return { kind: 'answered', status: response.status, headers: response.headers, body, firstByteMs, ms: elapsed() }
    } catch (error) {
      signal.throwIfAborted()
      const isLate = gap.isMissed || whole.isMissed
      const detail = isLate ? `no answer within ${elapsed()} ms` : `cannot be reached: ${causeOf(error)}`
      return { kind: 'unanswered', detail, firstByteMs, ms: elapsed() }
    } finally {
      gap.release()
      whole.release()
    }
  }
}

class TooLong extends Error {}

async function readAnswer(
  response: Response,
  limitBytes: number | undefined,
  gap: { readonly signal: AbortSignal; renew(): void },
): Promise<Uint8Array | undefined> {
  if (limitBytes === undefined) {
    // Without waiting: a server that is silent may never take notice.
    void response.body?.cancel().catch(() => undefined)
    return new Uint8Array()
  }
  try {
    return await collectBytes(renewing(readBody(response, gap.signal), gap), limitBytes, () => new TooLong())
  } catch (error) {
    if (error instanceof TooLong) return undefined
    throw error
  }
}

async function* renewing(chunks: AsyncIterable<Uint8Array>, gap: { renew(): void }): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    gap.renew()
    yield chunk
  }
}

/** The system's own word, such as ECONNREFUSED or CERT_HAS_EXPIRED: `fetch` says no more than that it failed. */
function causeOf(error: unknown): string {
  const { cause } = error instanceof Error ? error : {}
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code
  return cause instanceof Error ? cause.message : String(error)
}
