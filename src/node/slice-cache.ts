import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeptFiles } from './kept-files.ts'
import type { OriginAnswer, OriginPool } from './origin-pool.ts'

/** One aligned part of a file, and the size of the whole. */
export interface Slice {
  /** Slice number, from 0. */
  readonly index: number
  /** Empty when the slice lies past the end. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  readonly status: 'HIT' | 'MISS' | 'BYPASS'
}

export type SliceAnswer = Slice | Extract<OriginAnswer, { readonly kind: 'missing' | 'unreachable' }>

export interface SliceRequest {
  /** 64 lower-case hex digits. */
  readonly digest: string
  /** Slice number, from 0. */
  readonly index: number
  /** Fetches again even when it is cached: the cure for a wrong slice. */
  readonly isRefetch: boolean
}

export interface SliceCache {
  /** Files that the operator pinned, then cached slices, then the origins. Callers who want the same slice share one request. */
  get(request: SliceRequest, signal: AbortSignal): Promise<SliceAnswer>
}

/** Files are cached in slices of this size, so that a small range costs little and a dying origin loses little. */
export const SLICE_BYTES = 2 ** 20

export function createSliceCache(options: {
  readonly pool: OriginPool
  readonly kept: KeptFiles
  readonly cacheDir: string
  readonly pinnedRoot: string
}): SliceCache {
  const { pool, kept, cacheDir, pinnedRoot } = options
  const looks = new Map<string, Promise<SliceAnswer>>()

  const pull = async (request: SliceRequest, signal: AbortSignal): Promise<SliceAnswer> => {
    const start = request.index * SLICE_BYTES
    const range = { start, end: start + SLICE_BYTES }
    const answer = await pool.fetch({ path: `by-hash/sha256/${request.digest}`, range, maxBytes: SLICE_BYTES }, signal)
    const status = request.isRefetch ? 'BYPASS' : 'MISS'
    // Not kept: clients could fill the disk with slices that nobody published.
    if (answer.kind === 'past-end') return { index: request.index, bytes: new Uint8Array(0), sizeBytes: answer.sizeBytes, status }
    if (answer.kind !== 'bytes') return answer
    const sizeBytes = sizeOfRange(answer.contentRange, start, answer.bytes.length)
    if (sizeBytes === undefined) return { kind: 'unreachable' }
    await kept.keep(fileOf(cacheDir, request), withSize(answer.bytes, sizeBytes))
    return { index: request.index, bytes: answer.bytes, sizeBytes, status }
  }

  const readCached = async (request: SliceRequest): Promise<Slice | undefined> => {
    const file = await kept.read(fileOf(cacheDir, request))
    return file === undefined ? undefined : parseSlice(file, request.index)
  }

  const look = async (request: SliceRequest, signal: AbortSignal): Promise<SliceAnswer> => {
    const pinned = await readPinned(pinnedRoot, request)
    const known = pinned ?? (request.isRefetch ? undefined : await readCached(request))
    return known ?? pull(request, signal)
  }

  return {
    async get(request, signal) {
      // The look at the disk is shared too: one that began before a pull and ended after it would pull again.
      const key = `${request.digest}/${request.index}/${request.isRefetch}`
      const running = looks.get(key)
      if (running !== undefined) return running
      const started = look(request, signal).finally(() => looks.delete(key))
      looks.set(key, started)
      return started
    },
  }
}

function fileOf(cacheDir: string, request: SliceRequest): string {
  return join(cacheDir, 'slices', request.digest.slice(0, 2), request.digest, String(request.index))
}

/** The size of the whole stands in the first 8 bytes of each cached slice. */
function withSize(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const file = new Uint8Array(8 + bytes.length)
  new DataView(file.buffer).setBigUint64(0, BigInt(sizeBytes))
  file.set(bytes, 8)
  return file
}

/** Undefined unless it is as long as this slice of a file of this size is: after a power cut a disk may hold less. */
function parseSlice(file: Uint8Array, index: number): Slice | undefined {
  if (file.length <= 8) return undefined
  const sizeBytes = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0))
  const bytes = file.subarray(8)
  return bytes.length === Math.min(SLICE_BYTES, sizeBytes - index * SLICE_BYTES) ? { index, bytes, sizeBytes, status: 'HIT' } : undefined
}

async function readPinned(root: string, request: SliceRequest): Promise<Slice | undefined> {
  const handle = await open(join(root, 'by-hash', 'sha256', request.digest)).catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const { size } = await handle.stat()
    const start = request.index * SLICE_BYTES
    const bytes = Buffer.alloc(Math.max(0, Math.min(SLICE_BYTES, size - start)))
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
    return { index: request.index, bytes: bytes.subarray(0, bytesRead), sizeBytes: size, status: 'HIT' }
  } finally {
    await handle.close()
  }
}

/** The whole size, when the range is the one that was asked for and no byte of it is missing. */
function sizeOfRange(contentRange: string | undefined, start: number, lengthBytes: number): number | undefined {
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(contentRange ?? '') ?? []
  const sizeBytes = Number(total)
  const end = Math.min(start + SLICE_BYTES, sizeBytes)
  return Number(first) === start && Number(last) === end - 1 && lengthBytes === end - start ? sizeBytes : undefined
}
