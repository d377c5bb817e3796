import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { LOOPBACK, startSwitchableServer, type SwitchableServer } from '../../demo/stack/switchable-server.ts'
import { UNLIMITED, createBandwidth, type Bandwidth } from './bandwidth.ts'
import { openBlackHole, type BlackHole } from './black-hole.ts'
import type { FaultMode, FaultName } from './fault-mode.ts'
import { sendBody, type BlobContent, type BodyFault, type Span } from './faulty-body.ts'
import { BLOB_PATH, CATALOGUE_LIFETIME, CORS, IMMUTABLE, TRUST_UPDATE_PATH } from '../../demo/stack/published-layout.ts'

/** One request, as the server saw it. */
export interface FaultRequest {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Of the URL, without `?`. */
  readonly query: string
  /** Half-open, as asked for; undefined without a range, or with one that is not plain. */
  readonly range: Span | undefined
  readonly isArtifact: boolean
  /** Body bytes given to the connection, also when it was cut on the way; artifacts only. */
  readonly sentBytes: number
}

export interface FaultServerOptions {
  /** A published layout. */
  readonly siteDir: string
  /** What counts as an artifact: with faults for `artifacts`, the rest (catalogue, manifests, bundles) is served as it should be. */
  readonly isArtifact: (sha256: string) => boolean
  /** For artifacts, over all requests together. Default: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** Default: any free one. */
  readonly port?: number
  /** An address of this machine's loopback. Default: 127.0.0.1. */
  readonly host?: string
}

/** What a fault touches. Those that need no HTTP (`refused`, `black-hole`, a death) always touch everything. */
export type FaultReach = 'artifacts' | 'everything'

/** A server of a published layout on loopback, which fails as it is told to: a CDN, a mirror or a gateway gone wrong. */
export interface FaultServer {
  /** Ends in `/`. */
  readonly url: string
  readonly port: number
  readonly mode: FaultMode
  /** Changes how it fails, from the next request on; counters of bytes begin anew, and whoever waits in silence is cut off. */
  set(mode: FaultMode, reach?: FaultReach): Promise<void>
  /** For artifacts, from the next request on; undefined: as fast as it goes. */
  setRate(bytesPerSecond: number | undefined): void
  readonly requests: readonly FaultRequest[]
  /** Body bytes of artifacts since the last `forget`. */
  readonly sentBytes: number
  /** When the fault first did harm since `set` or `forget`, Unix milliseconds. */
  readonly firstFaultMs: number | undefined
  /** Forgets requests and bytes. */
  forget(): void
  close(): Promise<void>
}

const RANGE = /^bytes=(\d+)-(\d+)$/
const SLOW_BYTES_PER_SECOND = 10_000
const RETRY_AFTER_SECONDS = 7
const SIGN_IN = '<!doctype html><title>Please sign in</title><p>Welcome to the guest network.</p>'

export async function startFaultServer(options: FaultServerOptions): Promise<FaultServer> {
  const server = new SwitchableFaults(options)
  await server.open()
  return server
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

class SwitchableFaults implements FaultServer {
  mode: FaultMode = 'none'
  firstFaultMs: number | undefined
  requests: Mutable<FaultRequest>[] = []
  readonly #options: FaultServerOptions
  #reach: FaultReach = 'artifacts'
  #server: SwitchableServer | undefined
  #hole: BlackHole | undefined
  #bandwidth: Bandwidth
  #trickle = createBandwidth(SLOW_BYTES_PER_SECOND)
  /** Of artifacts since the mode was set. */
  #bytesInMode = 0

  constructor(options: FaultServerOptions) {
    this.#options = options
    this.#bandwidth = bandwidthOf(options.bytesPerSecond)
  }

  async open(): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      // The client went away, or the file did: either way nothing more can be sent.
      this.#answer(request, response).catch(() => response.destroy())
    }
    this.#server = await startSwitchableServer(answer, this.#options.port ?? 0, this.#options.host)
  }

  get url(): string {
    return this.#opened.url
  }

  get port(): number {
    return this.#opened.port
  }

  get sentBytes(): number {
    return this.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
  }

  get #opened(): SwitchableServer {
    if (this.#server === undefined) throw new RangeError('expected an open server')
    return this.#server
  }

  async set(mode: FaultMode, reach: FaultReach = 'artifacts'): Promise<void> {
    const isGone = mode === 'refused' || mode === 'black-hole'
    // Off and on: whoever waits for a silent answer of the mode before is rid of it.
    if (isGone || this.mode !== 'none') await this.#opened.stop()
    await this.#hole?.close()
    this.#hole = undefined
    this.mode = mode
    this.#reach = reach
    this.#bytesInMode = 0
    this.firstFaultMs = isGone ? Date.now() : undefined
    if (mode === 'slow') this.#trickle = createBandwidth(SLOW_BYTES_PER_SECOND)
    if (mode === 'black-hole') this.#hole = await openBlackHole(this.#options.host ?? LOOPBACK, this.port)
    else if (!isGone) await this.#opened.start()
  }

  setRate(bytesPerSecond: number | undefined): void {
    this.#bandwidth = bandwidthOf(bytesPerSecond)
  }

  forget(): void {
    this.requests = []
    this.#bytesInMode = 0
    if (this.mode !== 'refused' && this.mode !== 'black-hole') this.firstFaultMs = undefined
  }

  async close(): Promise<void> {
    await this.#hole?.close()
    await this.#opened.stop()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '/', query = ''] = (request.url ?? '/').split('?', 2)
    const digest = BLOB_PATH.exec(path)?.[1]
    const isArtifact = digest !== undefined && this.#options.isArtifact(digest)
    const seen = { atMs: Date.now(), method: request.method ?? '', path, query, range: rangeOf(request), isArtifact, sentBytes: 0 }
    this.requests.push(seen)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, CORS).end()
      return
    }
    const fault = isArtifact || this.#reach === 'everything' ? this.mode : 'none'
    if (this.#isSilent(fault)) return this.#noteFault()
    if (typeof fault === 'string' && this.#answerWithout(fault, request, response)) return this.#noteFault()
    const content = await this.#contentAt(path)
    if (content === undefined) response.writeHead(404, { ...CORS, 'cache-control': 'no-store' }).end()
    else await this.#send({ request, response, content, fault, seen })
  }

  /** A server that has stalled takes connections, and that is all. */
  #isSilent(fault: FaultMode): boolean {
    if (fault === 'hang') return true
    return typeof fault === 'object' && 'stallAfterBytes' in fault && this.#bytesInMode >= fault.stallAfterBytes
  }

  /** Faults that need no file. @returns whether this was one */
  #answerWithout(fault: FaultName | 'none', request: IncomingMessage, response: ServerResponse): boolean {
    const say = (status: number, headers: Readonly<Record<string, string>>, body = ''): true => {
      response.writeHead(status, { ...CORS, 'cache-control': 'no-store', 'content-type': 'text/plain', ...headers }).end(body)
      return true
    }
    switch (fault) {
      case 'status-500':
        return say(500, {}, 'failed')
      case 'status-502':
        return say(502, {}, 'bad gateway')
      case 'status-503-retry-after':
        return say(503, { 'retry-after': String(RETRY_AFTER_SECONDS) }, 'busy')
      case 'status-429-retry-after':
        return say(429, { 'retry-after': String(RETRY_AFTER_SECONDS) }, 'too many')
      case 'missing':
        return say(404, {}, 'no such file')
      case 'html':
        return say(200, { 'content-type': 'text/html; charset=utf-8' }, SIGN_IN)
      case 'no-content':
        response.writeHead(204, CORS).end()
        return true
      case 'redirect-loop':
        return say(302, { location: request.url ?? '/' })
      case 'range-416':
        return say(416, { 'content-range': 'bytes */1' })
      case 'reset':
        request.socket.resetAndDestroy()
        return true
      case 'garbage':
        request.socket.end('NEIN/1.0 this is no answer\r\n\r\n\r\n')
        return true
      case 'huge-header':
        request.socket.end(`HTTP/1.1 200 OK\r\nx-huge: ${'x'.repeat(1024 * 1024)}\r\ncontent-length: 0\r\n\r\n`)
        return true
      default:
        return false
    }
  }

  async #send(exchange: {
    readonly request: IncomingMessage
    readonly response: ServerResponse
    readonly content: BlobContent
    readonly fault: FaultMode
    readonly seen: Mutable<FaultRequest>
  }): Promise<void> {
    const { request, response, content, fault, seen } = exchange
    const digest = BLOB_PATH.exec(seen.path)?.[1]
    const headers = headersOf(digest, fault)
    // RFC 9110 section 14.1.2: a range may reach beyond the end. Caches ask so for the last slice.
    const range = seen.range === undefined ? undefined : { ...seen.range, end: Math.min(seen.range.end, content.sizeBytes) }
    if (range !== undefined && range.start >= range.end) {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${content.sizeBytes}` }).end()
      return
    }
    if (request.method === 'HEAD') {
      response.writeHead(200, { ...headers, 'content-length': String(content.sizeBytes) }).end()
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    await sendBody(response, {
      content,
      asked: range,
      fault: typeof fault === 'string' ? bodyFaultOf(fault) : 'none',
      headers,
      bandwidth: fault === 'slow' ? this.#trickle : seen.isArtifact ? this.#bandwidth : UNLIMITED,
      signal: gone.signal,
      maySend: (bytes) => this.#maySend(bytes, { seen, fault }),
      onSpent: () => {
        if (typeof fault !== 'object' || this.mode !== fault) return
        if ('dieAfterBytes' in fault) void this.#opened.stop()
        if ('cutEveryBytes' in fault) response.destroy()
      },
      onFault: () => this.#noteFault(),
    })
  }

  /** Counts bytes, and says how many of these may go before the failure that waits for so many. */
  #maySend(bytes: number, { seen, fault }: { readonly seen: Mutable<FaultRequest>; readonly fault: FaultMode }): number {
    const left = typeof fault === 'object' && this.mode === fault ? this.#leftUntil(fault, seen) : bytes
    const allowed = Math.max(0, Math.min(bytes, left))
    if (allowed < bytes) this.#noteFault()
    if (seen.isArtifact) {
      this.#bytesInMode += allowed
      seen.sentBytes += allowed
    }
    return allowed
  }

  #leftUntil(fault: Extract<FaultMode, object>, seen: FaultRequest): number {
    if ('cutEveryBytes' in fault) return fault.cutEveryBytes - seen.sentBytes
    return ('dieAfterBytes' in fault ? fault.dieAfterBytes : fault.stallAfterBytes) - this.#bytesInMode
  }

  #noteFault(): void {
    this.firstFaultMs ??= Date.now()
  }

  async #contentAt(path: string): Promise<BlobContent | undefined> {
    const isPublished = BLOB_PATH.test(path) || path === '/catalogue.json' || path === '/healthz' || TRUST_UPDATE_PATH.test(path)
    if (!isPublished) return undefined
    const file = join(this.#options.siteDir, path)
    try {
      const found = await stat(file)
      return found.isFile() ? fileContent(file, found.size) : undefined
    } catch {
      // Every server is well enough to say so, though no layout has a file for it. Anything else is absent or not readable.
      return path === '/healthz' ? bytesContent(Buffer.from('{"ok":true}')) : undefined
    }
  }
}

function fileContent(file: string, sizeBytes: number): BlobContent {
  return {
    sizeBytes,
    read: ({ start, end }, chunkBytes) => createReadStream(file, { start, end: end - 1, highWaterMark: chunkBytes }),
  }
}

function bytesContent(bytes: Uint8Array): BlobContent {
  return {
    sizeBytes: bytes.length,
    // oxlint-disable-next-line require-yield -- a generator is the shortest thing that iterates
    async *read({ start, end }) {
      yield bytes.subarray(start, end)
    },
  }
}

function bodyFaultOf(fault: FaultName | 'none'): BodyFault | 'none' {
  // What needs no body was answered before.
  return fault as BodyFault | 'none'
}

function bandwidthOf(bytesPerSecond: number | undefined): Bandwidth {
  return bytesPerSecond === undefined ? UNLIMITED : createBandwidth(bytesPerSecond)
}

function rangeOf(request: IncomingMessage): Span | undefined {
  const match = RANGE.exec(request.headers.range ?? '')
  return match === null ? undefined : { start: Number(match[1]), end: Number(match[2]) + 1 }
}

function headersOf(digest: string | undefined, fault: FaultMode): Record<string, string> {
  const cors = fault === 'no-cors' ? {} : CORS
  if (digest === undefined) return { ...cors, 'content-type': 'application/json', 'cache-control': CATALOGUE_LIFETIME }
  return {
    ...cors,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"sha256-${digest}"`,
    'cache-control': IMMUTABLE,
  }
}
