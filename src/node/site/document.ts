import { open, type FileHandle } from 'node:fs/promises'
import { DeliveryError } from '../../core/errors.ts'
import { toSourceId } from '../../core/model/ids.ts'
import { errorCode } from '../durable-file.ts'

/** How long one document may take from a server. */
const FETCH_TIMEOUT_MS = 30_000

export function isWebUrl(place: string): boolean {
  return /^https?:/i.test(place)
}

/** A file, or undefined when there is none. @throws {DeliveryError} `input-invalid`, `format-oversized` */
export async function readDocument(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, 'r')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw new DeliveryError({ code: 'input-invalid', path, detail: 'cannot be read' }, { cause: error })
  }
  try {
    const { size } = await handle.stat()
    if (size > limitBytes) throw oversized(limitBytes)
    const bytes = await handle.readFile()
    if (bytes.length > limitBytes) throw oversized(limitBytes)
    return bytes
  } finally {
    await handle.close()
  }
}

/**
 * What a server answers, or undefined for 404.
 * @throws {DeliveryError} `source-status`, `source-timeout`, `source-unreachable`, `format-oversized`
 */
export async function fetchDocument(url: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const source = toSourceId(url.slice(0, 200))
  const startedMs = performance.now()
  const timeout = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  let phase: 'headers' | 'body' = 'headers'
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, timeout]),
      credentials: 'omit',
    })
    phase = 'body'
    if (response.ok) return await collect(response, limitBytes)
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
    if (timeout.aborted) throw new DeliveryError({ code: 'source-timeout', source, phase: 'stall', elapsedMs }, { cause: error })
    throw new DeliveryError({ code: 'source-unreachable', source, phase, elapsedMs }, { cause: error })
  }
}

async function collect(response: Response, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of response.body ?? []) {
    const bytes: unknown = chunk
    if (!(bytes instanceof Uint8Array)) continue
    total += bytes.length
    if (total > limitBytes) throw oversized(limitBytes)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

function oversized(limitBytes: number): DeliveryError {
  return new DeliveryError({ code: 'format-oversized', document: 'catalogue', limitBytes })
}
