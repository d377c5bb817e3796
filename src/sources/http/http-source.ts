import { collectBytes } from '../../core/collect-bytes.ts'
import { DeliveryError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { BlobRef, ByteRange } from '../../core/model/artifact.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { CatalogueSource, Source, Tier } from '../../core/ports.ts'
import { requireBlobAnswer, requireCatalogueAnswer } from './accept.ts'
import { readBody } from './body.ts'
import type { HttpSourceOptions } from './http-options.ts'
import { createRequester } from './request.ts'

export interface HttpSource extends Source, CatalogueSource {
  readonly tier: Exclude<Tier, 'mesh'>
}

const CDN_RUN_PIECES = 16

/** A file that is not named by its digest, so that its length is not known beforehand. */
interface NamedLimit {
  readonly document: 'catalogue' | 'trust-update'
  readonly limitBytes: number
}

interface Wanted {
  readonly blob: BlobRef
  readonly range: ByteRange
}

const TRUST_UPDATE: NamedLimit = { document: 'trust-update', limitBytes: LIMITS.trustUpdateBytes }

/**
 * A CDN origin or a LAN gateway that serves the published layout. One request per read: no retry, no timer of its own.
 * @throws {TypeError} when `baseUrl` does not end in `/`
 */
export function createHttpSource(options: HttpSourceOptions): HttpSource {
  if (!options.baseUrl.endsWith('/')) throw new TypeError(`expected a base URL that ends in "/", got ${options.baseUrl}`)
  const { id, tier, clock } = options
  const request = createRequester(options)

  let ignoresRanges = false

  async function* readPath(path: string, { blob, range }: Wanted, signal: AbortSignal): AsyncIterable<Uint8Array> {
    requireRange(blob, range)
    const startedMs = clock.monotonicMs()
    const isWhole = range.start === 0 && range.end === blob.sizeBytes
    const response = await request(path, isWhole ? undefined : range, signal)
    const rest = { source: id, clock, startedMs, response }
    if (!isWhole && (response.status === 200 || response.status === 206)) ignoresRanges = response.status === 200
    const isAll = await requireBlobAnswer(rest, { blob, range, isWhole })
    yield* readBody(rest, { expectedBytes: isAll ? blob.sizeBytes : range.end - range.start }, signal)
  }

  const readNamed = async (path: string, limit: NamedLimit, signal: AbortSignal): Promise<Uint8Array> => {
    const startedMs = clock.monotonicMs()
    const response = await request(path, undefined, signal)
    const rest = { source: id, clock, startedMs, response }
    await requireCatalogueAnswer(rest)
    const body = readBody(rest, { expectedBytes: undefined }, signal)
    return await collectBytes(body, limit.limitBytes, () => new DeliveryError({ code: 'format-oversized', ...limit }))
  }

  return {
    id,
    tier,
    maxRunPieces: options.maxRunPieces ?? (tier === 'gateway' ? 1 : CDN_RUN_PIECES),
    read: (blob, range, signal) => readPath(blobPath(blob.sha256), { blob, range }, signal),
    // Our gateways answer it from their origin, and keep what they get.
    ...(tier === 'gateway'
      ? {
          reread: (blob: BlobRef, range: ByteRange, signal: AbortSignal) =>
            readPath(`${blobPath(blob.sha256)}?refetch=1`, { blob, range }, signal),
        }
      : {}),
    ignoresRanges: () => ignoresRanges,
    readCatalogue: (limitBytes, signal) => readNamed('catalogue.json', { document: 'catalogue', limitBytes }, signal),
    readTrustUpdate: (version, signal) => readNamed(`trust/${version}.json`, TRUST_UPDATE, signal),
    isOffered: () => true,
  }
}

/** Where a blob lies in the published layout. */
function blobPath(sha256: Sha256): string {
  return `by-hash/sha256/${sha256}`
}

function requireRange(blob: BlobRef, { start, end }: ByteRange): void {
  if (!(start >= 0 && start < end && end <= blob.sizeBytes))
    throw new RangeError(`expected a range within ${blob.sizeBytes} bytes, got ${start}-${end}`)
}
