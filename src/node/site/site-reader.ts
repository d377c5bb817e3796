import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { toSourceId } from '../../core/model/ids.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import { errorCode } from '../durable-file.ts'

/** Reads the published layout: a folder on this machine, or one that a server shows. */
export interface SiteReader {
  /** The folder or URL, for people to read. */
  readonly place: string
  /** `/catalogue.json` as it stands there; undefined when there is none. Not verified. */
  readCatalogue(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** A small document by its digest. @throws {DeliveryError} `blob-unavailable`, `blob-mismatch`, `source-*` */
  readBlob(blob: BlobRef, signal: AbortSignal): Promise<Uint8Array>
}

/** How long one document may take from a server. */
const FETCH_TIMEOUT_MS = 30_000

/** Where a blob lies below the root of the layout. */
export function blobPath(sha256: Sha256): string {
  return `by-hash/sha256/${sha256}`
}

/** @param place a folder, or an `http:`, `https:` or `file:` URL of the layout's root */
export function readSite(place: string): SiteReader {
  if (/^https?:/i.test(place)) return readSiteAt(place.endsWith('/') ? place : `${place}/`)
  return readSiteIn(/^file:/i.test(place) ? fileURLToPath(place) : place)
}

/** The layout in a folder. */
export function readSiteIn(root: string): SiteReader {
  const read = async (path: string, limitBytes: number, signal: AbortSignal) => {
    signal.throwIfAborted()
    return readLimited(join(root, path), limitBytes)
  }
  return toReader(root, read)
}

function readSiteAt(root: string): SiteReader {
  return toReader(root, (path, limitBytes, signal) => fetchLimited(new URL(path, root).href, limitBytes, signal))
}

type ReadDocument = (path: string, limitBytes: number, signal: AbortSignal) => Promise<Uint8Array | undefined>

function toReader(place: string, read: ReadDocument): SiteReader {
  const source = toSourceId(place.slice(0, 200))
  return {
    place,
    readCatalogue: (signal) => read('catalogue.json', LIMITS.catalogueBytes, signal),
    async readBlob(blob, signal) {
      const bytes = await read(blobPath(blob.sha256), blob.sizeBytes, signal)
      if (bytes === undefined) {
        throw new DeliveryError({
          code: 'blob-unavailable',
          sha256: blob.sha256,
          reasons: [{ code: 'source-missing', source }],
        })
      }
      const actual = sha256Of(bytes)
      if (actual !== blob.sha256) throw new DeliveryError({ code: 'blob-mismatch', source, expected: blob.sha256, actual })
      return bytes
    },
  }
}

async function readLimited(path: string, limitBytes: number): Promise<Uint8Array | undefined> {
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

async function fetchLimited(url: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
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
