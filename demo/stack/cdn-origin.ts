import { join } from 'node:path'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PartMode, PartState } from './parts.ts'
import { createPace, sendFile, type Pace, type Sending } from './send-blob.ts'
import { startSwitchableServer, type SwitchableServer } from './switchable-server.ts'
import { BLOB_PATH, CATALOGUE_LIFETIME, CORS, IMMUTABLE, TRUST_UPDATE_PATH } from './published-layout.ts'

/** One request for artifact bytes, as the origin saw it. Times are Unix milliseconds. */
export interface ServedRequest {
  readonly atMs: number
  readonly path: string
  readonly start: number
  readonly end: number
  /** Body bytes that left, also when the connection was cut on the way. */
  readonly sentBytes: number
}

/** A CDN origin: serves the published layout with ranges, CORS and cache headers, and fails when told to. */
export interface CdnOrigin {
  readonly id: string
  /** Ends in `/`. */
  readonly url: string
  readonly state: PartState
  /** Requests for artifacts since the last `forgetRequests`. */
  readonly requests: readonly ServedRequest[]
  /** When it last went down, Unix milliseconds; undefined while it is up. */
  readonly downSinceMs: number | undefined
  set(mode: PartMode): Promise<void>
  forgetRequests(): void
  /** Serves another published layout from now on. */
  serve(siteDir: string): void
  close(): Promise<void>
}

export interface CdnOptions {
  readonly id: string
  readonly siteDir: string
  /** What counts as an artifact: the rest (catalogue, manifests, bundles) is never altered nor counted. */
  readonly isArtifact: (sha256: string) => boolean
  /** As fast as it goes when undefined. */
  readonly rateBytesPerSecond: number | undefined
  readonly onChange: () => void
}

export async function startCdnOrigin(options: CdnOptions): Promise<CdnOrigin> {
  const origin = new SwitchableCdn(options)
  await origin.open()
  return origin
}

class SwitchableCdn implements CdnOrigin {
  readonly id: string
  readonly requests: { atMs: number; path: string; start: number; end: number; sentBytes: number }[] = []
  state: PartState = 'up'
  downSinceMs: number | undefined
  readonly #options: CdnOptions
  #siteDir: string
  #server: SwitchableServer | undefined
  #bytesLeft = Number.POSITIVE_INFINITY
  #pace: Pace

  constructor(options: CdnOptions) {
    this.id = options.id
    this.#options = options
    this.#siteDir = options.siteDir
    this.#pace = paceFor(options.rateBytesPerSecond)
  }

  async open(): Promise<void> {
    this.#server = await startSwitchableServer((request, response) => this.#answer(request, response), 0)
  }

  get url(): string {
    if (this.#server === undefined) throw new RangeError('expected an open origin')
    return this.#server.url
  }

  async set(mode: PartMode): Promise<void> {
    if (mode === 'down') return this.#goDown()
    const { rateBytesPerSecond } = this.#options
    this.#pace = paceFor(typeof mode === 'object' && 'rateBytesPerSecond' in mode ? mode.rateBytesPerSecond : rateBytesPerSecond)
    this.#bytesLeft = typeof mode === 'object' && 'dieAfterBytes' in mode ? mode.dieAfterBytes : Number.POSITIVE_INFINITY
    this.state = mode === 'wrong-bytes' ? 'wrong-bytes' : 'up'
    this.downSinceMs = undefined
    await this.#server?.start()
    this.#options.onChange()
  }

  forgetRequests(): void {
    this.requests.length = 0
  }

  serve(siteDir: string): void {
    this.#siteDir = siteDir
  }

  async close(): Promise<void> {
    await this.#server?.stop()
  }

  async #goDown(): Promise<void> {
    this.state = 'down'
    this.downSinceMs ??= Date.now()
    this.#bytesLeft = Number.POSITIVE_INFINITY
    await this.#server?.stop()
    this.#options.onChange()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const digest = BLOB_PATH.exec(path)?.[1]
    const isPublished = digest !== undefined || path === '/catalogue.json' || path === '/healthz' || TRUST_UPDATE_PATH.test(path)
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, CORS).end()
    else if (!isPublished) response.writeHead(404, CORS).end()
    else {
      const sending = digest !== undefined && this.#options.isArtifact(digest) ? this.#sendingArtifact(path, digest) : plainSending(digest)
      // The client went away, or the file did: either way nothing more can be sent.
      sendFile(join(this.#siteDir, path), request, response, sending).catch(() => response.destroy())
    }
  }

  #sendingArtifact(path: string, digest: string): Sending {
    const record = { atMs: Date.now(), path, start: 0, end: 0, sentBytes: 0 }
    return {
      headers: headersOf(digest),
      alter: this.state === 'wrong-bytes' ? alterBytes : undefined,
      onRange: (range) => this.requests.push(Object.assign(record, range)),
      beforeChunk: async (bytes, gone) => {
        await this.#pace(bytes, gone)
        if (this.#bytesLeft < bytes) {
          await this.#goDown()
          return false
        }
        this.#bytesLeft -= bytes
        record.sentBytes += bytes
        return true
      },
    }
  }
}

function plainSending(digest: string | undefined): Sending {
  return { headers: headersOf(digest), alter: undefined, onRange: () => {}, beforeChunk: () => Promise.resolve(true) }
}

function paceFor(rate: number | undefined): Pace {
  return rate === undefined ? () => Promise.resolve() : createPace(rate)
}

function headersOf(digest: string | undefined): Record<string, string> {
  if (digest === undefined) return { ...CORS, 'content-type': 'application/json', 'cache-control': CATALOGUE_LIFETIME }
  return {
    ...CORS,
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag: `"sha256-${digest}"`,
    'cache-control': IMMUTABLE,
  }
}

/** One bit of every chunk: the size is right, so only a digest can tell. */
export function alterBytes(chunk: Buffer): Buffer {
  const altered = Buffer.from(chunk)
  altered[0] = (altered[0] ?? 0) ^ 1
  return altered
}
