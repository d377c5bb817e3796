import { open, type FileHandle } from 'node:fs/promises'
import { collectBytes } from '../../core/collect-bytes.ts'
import { DeliveryError, type DocumentKind } from '../../core/errors.ts'
import { toSourceId } from '../../core/model/ids.ts'
import { createDeadline } from '../deadline.ts'
import { errorCode } from '../durable-file.ts'
import { readBody, untilAborted } from '../read-body.ts'
import { systemClock } from '../system-clock.ts'

/** How long one document may take from a server, unless somebody is in a hurry. */
const FETCH_TIMEOUT_MS = 30_000

/** What is expected there, and how long it may be. */
export interface DocumentLimit {
  readonly document: DocumentKind
  readonly limitBytes: number
  /** How long a server may take for it. Milliseconds, default 30,000. */
  readonly timeoutMs?: number | undefined
}

export function isWebUrl(place: string): boolean {
  return /^https?:/i.test(place)
}

/** A file, or undefined when there is none. @throws {DeliveryError} `input-invalid`, `format-oversized` */
export async function readDocument(path: string, limit: DocumentLimit): Promise<Uint8Array | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
  }
  try {
    const { size } = await handle.stat()
    if (size > limit.limitBytes) throw oversized(limit)
    const bytes = await handle.readFile()
    if (bytes.length > limit.limitBytes) throw oversized(limit)
    return bytes
  } finally {
    await handle.close()
  }
}

/**
 * What a server answers, or undefined for 404.
 * @throws {DeliveryError} `source-status`, `source-timeout`, `source-unreachable`, `format-oversized`
 */
export async function fetchDocument(url: string, limit: DocumentLimit, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const source = toSourceId(url.slice(0, 200))
  const startedMs = performance.now()
  const deadline = createDeadline(systemClock, limit.timeoutMs ?? FETCH_TIMEOUT_MS, signal)
  let phase: 'headers' | 'body' = 'headers'
  try {
    const response = await untilAborted(fetch(url, { signal: deadline.signal, credentials: 'omit' }), deadline.signal)
    phase = 'body'
    if (response.ok) return await collectBytes(readBody(response, deadline.signal), limit.limitBytes, () => oversized(limit))
    await response.body?.cancel()
    if (response.status === 404) return undefined
    throw new DeliveryError({
      code: 'source-status',
      source,
      status: response.status,
      retryAfterSeconds: undefined,
    })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof DeliveryError) throw error
    const elapsedMs = Math.round(performance.now() - startedMs)
    if (deadline.isMissed) throw new DeliveryError({ code: 'source-timeout', source, phase: 'stall', elapsedMs }, { cause: error })
    throw new DeliveryError({ code: 'source-unreachable', source, phase, elapsedMs }, { cause: error })
  } finally {
    deadline.release()
  }
}

function oversized({ document, limitBytes }: DocumentLimit): DeliveryError {
  return new DeliveryError({ code: 'format-oversized', document, limitBytes })
}
