import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { LIMITS } from '../core/limits.ts'
import type { ByteRange } from '../core/model/artifact.ts'
import { formatContentRange, formatUnsatisfiedRange, parseRange } from '../core/respond/http-range.ts'
import { catalogueSecondsOf, parseAllowedOrigins, parseOrigins, type GatewayOptions, type RunningGateway } from './gateway-config.ts'
import { createNamedFileCache, type NamedFileCache } from './named-file-cache.ts'
import { stderrLog, type GatewayLog } from './gateway-log.ts'
import { createKeptFiles } from './kept-files.ts'
import { createOriginPool } from './origin-pool.ts'
import { createSliceCache, SLICE_BYTES, type Slice, type SliceCache } from './slice-cache.ts'
import { systemClock } from './system-clock.ts'

export interface CachingGatewayOptions extends GatewayOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default: a free one. */
  readonly port?: number
  /** Default: one JSON object per line on standard error. */
  readonly log?: GatewayLog
}

const BLOB = /^\/by-hash\/sha256\/([0-9a-f]{64})$/
/** The catalogue, and trust updates: small files with a name. */
const NAMED = /^\/(catalogue\.json|trust\/[1-9]\d{0,8}\.json)$/
const CATALOGUE = 'catalogue.json'
const IMMUTABLE = 'public, max-age=31536000, immutable'
const CATALOGUE_LIFE = 'public, max-age=60, stale-while-revalidate=300, stale-if-error=86400'
const MAX_CONNECTIONS = 512
/** More refetches than this in a second are refused, so that a client cannot turn the gateway on its origins. */
const REFETCHES_PER_SECOND = 10

interface Context {
  readonly options: CachingGatewayOptions
  readonly slices: SliceCache
  /** By path. */
  readonly named: (path: string) => NamedFileCache
  readonly mayRefetch: () => boolean
  /** Fires when the gateway closes. */
  readonly signal: AbortSignal
}

/**
 * A small LAN gateway for machines without nginx: the same URLs, slices of 1 MiB kept on disk, no index in memory.
 * It may start with all origins dead. It does not evict: give it a disk that holds what is published. A full
 * or unwritable one costs the origins a request for each answer, and no client its answer.
 * @throws {DeliveryError} `config-invalid`
 * @example
 * const gateway = await startCachingGateway({
 *   origins: ['https://cdn.example/'],
 *   allowedOrigins: ['https://portal.example'],
 *   cacheDir: '/var/cache/sealift',
 *   pinnedRoot: '/srv/sealift',
 *   port: 8080,
 * })
 * console.log(gateway.url)
 * await gateway.close()
 */
export async function startCachingGateway(options: CachingGatewayOptions): Promise<RunningGateway> {
  const origins = parseOrigins(options.origins)
  parseAllowedOrigins(options.allowedOrigins)
  const closing = new AbortController()
  const log = options.log ?? stderrLog
  const kept = createKeptFiles(log)
  const caches = { ...options, kept, pool: createOriginPool(origins, { clock: systemClock, log }) }
  const context: Context = {
    options,
    slices: createSliceCache(caches),
    named: createNamedCaches({ ...caches, freshMs: catalogueSecondsOf(options) * 1000 }),
    mayRefetch: createRation(REFETCHES_PER_SECOND),
    signal: closing.signal,
  }
  const server = createServer((request, response) => {
    answer(context, request, response).catch((error: unknown) => {
      if (!closing.signal.aborted) log('request-failed', { detail: String(error) })
      fail(response)
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${host}:${address.port}`,
    async close() {
      closing.abort(new Error('the gateway is closing'))
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      await kept.settled()
    },
  }
}

type Route =
  | { readonly kind: 'status'; readonly status: 204 | 404 | 405 }
  | { readonly kind: 'health' }
  | { readonly kind: 'named'; readonly path: string }
  | ({ readonly kind: 'blob' } & BlobRequest)

interface BlobRequest {
  readonly digest: string
  readonly isRefetch: boolean
  readonly isKnown: boolean
  readonly range: string | undefined
  readonly isHead: boolean
}

function routeOf(request: IncomingMessage): Route {
  const { method = '', url = '' } = request
  if (!['GET', 'HEAD', 'OPTIONS'].includes(method)) return { kind: 'status', status: 405 }
  if (!URL.canParse(url, 'http://gateway')) return { kind: 'status', status: 404 }
  const { pathname, searchParams } = new URL(url, 'http://gateway')
  if (pathname === '/healthz') return { kind: 'health' }
  const file = fileRoute(request, pathname, searchParams)
  if (file === undefined) return { kind: 'status', status: 404 }
  return method === 'OPTIONS' ? { kind: 'status', status: 204 } : file
}

/** A file of the published layout; undefined for any other path. */
function fileRoute({ method, headers }: IncomingMessage, pathname: string, search: URLSearchParams): Route | undefined {
  const path = NAMED.exec(pathname)?.[1]
  if (path !== undefined) return { kind: 'named', path }
  const digest = BLOB.exec(pathname)?.[1]
  if (digest === undefined) return undefined
  const isKnown = headers['if-none-match'] === etagOf(digest)
  return { kind: 'blob', digest, isKnown, isRefetch: search.get('refetch') === '1', range: headers.range, isHead: method === 'HEAD' }
}

async function answer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  setCommonHeaders(context.options, request, response)
  const route = routeOf(request)
  switch (route.kind) {
    case 'status':
      return end(response, route.status)
    case 'health':
      return endJson(response, { ok: true, role: 'lan-gateway' })
    case 'named':
      return answerNamed(context, route.path, response)
    case 'blob':
      return answerBlob(context, route, response)
  }
}

async function answerBlob(context: Context, request: BlobRequest, response: ServerResponse): Promise<void> {
  const { digest, isRefetch } = request
  if (request.isKnown) return end(response, 304)
  if (isRefetch && !context.mayRefetch()) return end(response, 429)
  const first = await context.slices.get({ digest, index: firstSliceOf(request.range), isRefetch }, context.signal)
  if ('kind' in first) return end(response, first.kind === 'missing' ? 404 : 502)
  const wanted = parseRange(request.range, first.sizeBytes)
  if (wanted.kind === 'unsatisfiable') {
    response.setHeader('content-range', formatUnsatisfiedRange(first.sizeBytes))
    return end(response, 416)
  }
  const range = wanted.kind === 'part' ? wanted.range : { start: 0, end: first.sizeBytes }
  if (wanted.kind === 'part') response.setHeader('content-range', formatContentRange(range, first.sizeBytes))
  response.writeHead(wanted.kind === 'part' ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': range.end - range.start,
    'accept-ranges': 'bytes',
    'cache-control': IMMUTABLE,
    'x-cache-status': first.status,
    etag: etagOf(digest),
  })
  if (request.isHead) return void response.end()
  return sendSlices(context, { ...request, range, first }, response)
}

interface Sending {
  readonly digest: string
  readonly isRefetch: boolean
  readonly range: ByteRange
  /** The slice that was read to learn the size. */
  readonly first: Slice
}

/** Streams slice by slice: at most one slice for each answer is held in memory. */
async function sendSlices(context: Context, sending: Sending, response: ServerResponse): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('the client is gone')))
  const { digest, isRefetch, range } = sending
  const firstIndex = Math.floor(range.start / SLICE_BYTES)
  for (let index = firstIndex; index * SLICE_BYTES < range.end; index++) {
    const isFirst = index === sending.first.index
    const slice = isFirst ? sending.first : await context.slices.get({ digest, index, isRefetch }, context.signal)
    if ('kind' in slice || slice.sizeBytes !== sending.first.sizeBytes) return void response.destroy()
    if (!(await write(response, partOf(slice, range), gone.signal))) return
  }
  response.end()
}

/** The slice that a range starts in. Judged before the size is known, so a strange range asks for the first. */
function firstSliceOf(header: string | undefined): number {
  const start = /^bytes=(\d{1,15})-\d*$/.exec(header ?? '')?.[1]
  return start === undefined ? 0 : Math.floor(Number(start) / SLICE_BYTES)
}

function partOf(slice: Slice, range: ByteRange): Uint8Array {
  const offset = slice.index * SLICE_BYTES
  return slice.bytes.subarray(Math.max(0, range.start - offset), Math.min(SLICE_BYTES, range.end - offset))
}

/** False when the client is gone. */
async function write(response: ServerResponse, bytes: Uint8Array, gone: AbortSignal): Promise<boolean> {
  if (gone.aborted) return false
  if (response.write(bytes)) return true
  return once(response, 'drain', { signal: gone }).then(
    () => true,
    () => false,
  )
}

/** Trust updates that are held in memory: anybody may ask for any number. What is on disk is found again. */
const TRUST_UPDATES_HELD = 64

function createNamedCaches(
  caches: Pick<Parameters<typeof createNamedFileCache>[0], 'pool' | 'kept' | 'cacheDir' | 'pinnedRoot' | 'freshMs'>,
): Context['named'] {
  const open = (path: string, maxBytes: number): NamedFileCache =>
    createNamedFileCache({ ...caches, clock: systemClock, path, maxBytes, isOftenMissing: path !== CATALOGUE })
  const catalogue = open(CATALOGUE, LIMITS.catalogueBytes)
  const updates = new Map<string, NamedFileCache>()
  return (path) => {
    if (path === CATALOGUE) return catalogue
    const cache = updates.get(path) ?? open(path, LIMITS.trustUpdateBytes)
    updates.set(path, cache)
    const [oldest] = updates.keys()
    if (updates.size > TRUST_UPDATES_HELD && oldest !== undefined) updates.delete(oldest)
    return cache
  }
}

async function answerNamed(context: Context, path: string, response: ServerResponse): Promise<void> {
  const kept = await context.named(path).get(context.signal)
  if (typeof kept === 'string') return end(response, kept === 'missing' && path !== CATALOGUE ? 404 : 502)
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': kept.bytes.length,
    'cache-control': CATALOGUE_LIFE,
    'x-cache-status': kept.status,
  })
  response.end(kept.bytes)
}

function createRation(perSecond: number): () => boolean {
  let left = perSecond
  let lastMs = performance.now()
  return () => {
    const nowMs = performance.now()
    left = Math.min(perSecond, left + ((nowMs - lastMs) / 1000) * perSecond)
    lastMs = nowMs
    if (left < 1) return false
    left -= 1
    return true
  }
}

function setCommonHeaders(options: GatewayOptions, request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers
  response.setHeader('vary', 'Origin')
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
  if (origin === undefined || !options.allowedOrigins.includes(origin)) return
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-allow-methods', 'GET, HEAD')
  response.setHeader('access-control-allow-headers', 'Range')
  response.setHeader('access-control-max-age', '7200')
  response.setHeader(
    'access-control-expose-headers',
    'Accept-Ranges, Content-Range, Content-Length, ETag, X-Cache-Status, Age, Retry-After',
  )
  response.setHeader('timing-allow-origin', origin)
}

function etagOf(digest: string): string {
  return `"sha256-${digest}"`
}

function end(response: ServerResponse, status: number): void {
  response.writeHead(status)
  response.end()
}

function endJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

/** After headers only a cut connection tells the client that the body is not whole. */
function fail(response: ServerResponse): void {
  if (response.headersSent) response.destroy()
  else end(response, 502)
}
