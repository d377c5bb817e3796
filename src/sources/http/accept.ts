import { DeliveryError, type SourceFailure } from '../../core/errors.ts'
import type { BlobRef, ByteRange } from '../../core/model/artifact.ts'
import type { SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { discard } from './request.ts'
import { parseRetryAfter } from './retry-after.ts'

/** An answer on its way, with what a failure has to say about it. */
export interface Answer {
  readonly source: SourceId
  readonly clock: Clock
  /** Monotonic time at which the request was sent. */
  readonly startedMs: number
  readonly response: Response
}

export interface Asked {
  readonly blob: BlobRef
  readonly range: ByteRange
  /** True when no `Range` header was sent. */
  readonly isWhole: boolean
}

/**
 * Decides from the headers alone whether the body can be the bytes asked for. Frees the body when not.
 * @returns whether it is the whole blob: what was asked for, or sent although a part from its start was
 * @throws {DeliveryError} `source-status`, `source-missing`, `source-protocol`
 */
export async function requireBlobAnswer(answer: Answer, asked: Asked): Promise<boolean> {
  const failure = statusFailure(answer, asked.isWhole ? [200] : [200, 206]) ?? typeFailure(answer) ?? rangeFailure(answer, asked)
  if (failure !== undefined) await refuse(answer, failure)
  return answer.response.status === 200
}

/** @throws {DeliveryError} `source-status`, `source-missing`, `source-protocol` */
export async function requireCatalogueAnswer(answer: Answer): Promise<void> {
  const failure = statusFailure(answer, [200]) ?? typeFailure(answer)
  if (failure !== undefined) await refuse(answer, failure)
}

async function refuse(answer: Answer, failure: SourceFailure): Promise<never> {
  await discard(answer.response)
  throw new DeliveryError(failure)
}

function statusFailure({ source, clock, response }: Answer, accepted: readonly number[]): SourceFailure | undefined {
  const { status } = response
  if (accepted.includes(status)) return undefined
  if (status === 404 || status === 410) return { code: 'source-missing', source }
  if (status >= 200 && status < 300) return { code: 'source-protocol', source, detail: `unexpected status ${status}` }
  return {
    code: 'source-status',
    source,
    status,
    retryAfterSeconds: parseRetryAfter(response.headers.get('retry-after'), clock.nowMs()),
  }
}

/** A captive portal answers 200 with a page; several ranges in one body were never asked for. */
function typeFailure({ source, response }: Answer): SourceFailure | undefined {
  const type = (response.headers.get('content-type') ?? '').toLowerCase()
  const isWrong = type.startsWith('text/html') || type.startsWith('multipart/')
  return isWrong ? { code: 'source-protocol', source, detail: `unexpected content type ${type.slice(0, 100)}` } : undefined
}

function rangeFailure({ source, response }: Answer, { blob, range, isWhole }: Asked): SourceFailure | undefined {
  if (isWhole) return undefined
  if (response.status === 206) {
    const expected = `bytes ${range.start}-${range.end - 1}/${blob.sizeBytes}`
    // Hidden from scripts unless the server exposes it: unknown is then no proof of a lie, and the piece hash decides.
    const actual = response.headers.get('content-range')
    if (actual === null || actual.trim() === expected) return undefined
    return {
      code: 'source-protocol',
      source,
      detail: `expected ${expected}, got ${actual.slice(0, 100)}`,
    }
  }
  if (range.start !== 0) return { code: 'source-protocol', source, detail: 'ignored the range' }
  const length = response.headers.get('content-length')
  if (length === null || length.trim() === String(blob.sizeBytes)) return undefined
  return {
    code: 'source-protocol',
    source,
    detail: `ignored the range, and is ${length.slice(0, 20)} bytes long`,
  }
}
