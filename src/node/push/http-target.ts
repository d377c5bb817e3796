import { DeliveryError } from '../../core/errors.ts'
import type { SourceId } from '../../core/model/ids.ts'
import { LIMITS } from '../../core/limits.ts'
import { exchange, type HttpAnswer, type HttpRequest } from './http-exchange.ts'
import type { OutgoingFile, PushTarget } from './push-target.ts'
import type { StallLimit } from './stall.ts'

/** How requests to one server are made its own. */
export interface HttpDialect {
  readonly place: string
  /** Of the layout's root, ending in `/`. */
  readonly base: URL
  /** Headers that prove who asks. @param sha256 of the body; undefined for none */
  authorize(request: {
    readonly method: HttpRequest['method']
    readonly url: URL
    readonly sha256?: string
  }): Readonly<Record<string, string>>
}

/** A server that takes files by PUT and gives them back by GET. */
export function httpTarget({ place, base, authorize }: HttpDialect, limit: StallLimit): PushTarget {
  const { source } = limit
  const ask = (method: 'GET' | 'HEAD', path: string, signal: AbortSignal): Promise<HttpAnswer> => {
    const url = urlOf(base, path)
    // What a cache in front had before the write is of no use.
    return exchange({ method, url, headers: { 'cache-control': 'no-cache', ...authorize({ method, url }) } }, limit, signal)
  }
  return {
    place,
    async sizeOf(path, signal) {
      const answer = await ask('HEAD', path, signal)
      answer.drop()
      if (isMissing(answer)) return 'missing'
      requireStatus(answer, source)
      const size = Number(answer.headers['content-length'] ?? Number.NaN)
      return Number.isSafeInteger(size) ? size : 'unknown'
    },
    async *read(path, signal) {
      const answer = await ask('GET', path, signal)
      try {
        if (isMissing(answer)) throw new DeliveryError({ code: 'source-missing', source })
        requireStatus(answer, source)
        yield* answer.read(signal)
      } finally {
        answer.drop()
      }
    },
    async write(file, signal) {
      const url = urlOf(base, file.path)
      const { sha256, sizeBytes } = file
      const headers = { ...describe(file), ...authorize({ method: 'PUT', url, sha256 }) }
      const answer = await exchange({ method: 'PUT', url, headers, body: { sizeBytes, chunks: file.chunks(signal) } }, limit, signal)
      answer.drop()
      requireStatus(answer, source)
    },
  }
}

/** What stores that keep headers beside a file then serve: docs/publishing.md. */
function describe({ path }: OutgoingFile): Readonly<Record<string, string>> {
  if (path.startsWith('by-hash/'))
    return { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=31536000, immutable' }
  if (path === 'healthz') return { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (!path.endsWith('.json')) return { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=60' }
  return { 'content-type': 'application/json', 'cache-control': 'public, max-age=60, stale-while-revalidate=300, stale-if-error=86400' }
}

function urlOf(base: URL, path: string): URL {
  return new URL(path.split('/').map(encodeStrictly).join('/'), base)
}

/** As RFC 3986 has it: SigV4 signs these very characters. */
export function encodeStrictly(segment: string): string {
  return encodeURIComponent(segment).replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}

function isMissing({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410
}

function requireStatus({ status, headers }: HttpAnswer, source: SourceId): void {
  if (status >= 200 && status < 300) return
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  const retryAfterSeconds = seconds >= 0 ? Math.min(seconds, LIMITS.retryAfterSeconds) : undefined
  throw new DeliveryError({ code: 'source-status', source, status, retryAfterSeconds })
}
