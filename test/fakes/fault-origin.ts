import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable, pipeline } from 'node:stream'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { isHostileBody, sendHostileBody, type HostileBody } from './hostile-body.ts'

/** How an origin misbehaves. Each is a way that a real server, cache or captive portal has been seen to fail. */
export type OriginFault =
  | 'none'
  | 'html'
  | 'html-206'
  | 'wrong-content-range'
  | 'wrong-total'
  | 'hidden-content-range'
  | 'short-body'
  | 'long-body'
  | 'cut-body'
  | 'early-end'
  | 'missing'
  | 'unavailable'
  | 'no-content'
  | 'reset'
  | 'redirect'
  | 'redirect-loop'
  | 'not-satisfiable'
  | 'range-ignored'
  | 'range-ignored-other-length'
  | 'multipart'
  | 'silent'
  | HostileBody

export interface FaultOrigin {
  /** Ends in `/`. */
  readonly baseUrl: string
  readonly host: string
  fault: OriginFault
  /** Paths at which it fails; at all others it is honest. Default: all. */
  faultAt: RegExp
  /** Sent with `unavailable`. */
  retryAfter: string
  /** Where `redirect` leads to, a base URL. */
  redirectTo: string
  readonly requests: readonly {
    readonly path: string
    readonly method: string
    readonly headers: Readonly<Record<string, string | undefined>>
  }[]
  /** Bodies that were cut off by the client. */
  readonly cancelled: number
  /** What left on all connections, headers and all. */
  readonly sentBytes: number
  close(): Promise<void>
}

/** A real HTTP server on loopback with the published layout, which fails as it is told to. */
export async function startFaultOrigin(content: {
  readonly blobs: readonly Uint8Array[]
  readonly catalogue?: Uint8Array
  /** Others by path. */
  readonly files?: ReadonlyMap<string, Uint8Array>
}): Promise<FaultOrigin> {
  const files = new Map<string, Uint8Array>(content.blobs.map((bytes) => [`/by-hash/sha256/${sha256Of(bytes)}`, bytes]))
  for (const [path, bytes] of content.files ?? []) files.set(path, bytes)
  if (content.catalogue !== undefined) files.set('/catalogue.json', content.catalogue)
  const requests: { path: string; method: string; headers: Record<string, string | undefined> }[] = []
  let cancelled = 0
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    requests.push({ path, method: request.method ?? '', headers: flatHeaders(request) })
    const onCancelled = (): void => {
      cancelled++
    }
    const fault = origin.faultAt.test(path) ? origin.fault : 'none'
    answer({ request, response, bytes: files.get(path.split('?', 1)[0] ?? path), origin, fault, onCancelled })
  })
  const sockets: Socket[] = []
  server.on('connection', (socket) => void sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = addressOf(server.address())
  const origin: FaultOrigin = {
    baseUrl: `http://127.0.0.1:${port}/`,
    host: `127.0.0.1:${port}`,
    fault: 'none',
    faultAt: /^/,
    retryAfter: '7',
    redirectTo: '',
    requests,
    get cancelled() {
      return cancelled
    },
    get sentBytes() {
      return sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return origin
}

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly bytes: Uint8Array | undefined
  readonly origin: FaultOrigin
  readonly fault: OriginFault
  readonly onCancelled: () => void
}

const CORS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Content-Range, Content-Length, Retry-After',
}

function answer(exchange: Exchange): void {
  const { request, response, bytes, origin, fault } = exchange
  const page = '<!doctype html><title>Please sign in</title>'
  switch (fault) {
    case 'reset':
      request.socket.resetAndDestroy()
      return
    case 'silent':
      return
    case 'html':
      response.writeHead(200, { ...CORS, 'content-type': 'text/html; charset=utf-8' }).end(page)
      return
    case 'missing':
      response.writeHead(404, { ...CORS, 'content-type': 'text/plain' }).end('no such file')
      return
    case 'unavailable':
      response.writeHead(503, { ...CORS, 'retry-after': origin.retryAfter }).end('busy')
      return
    case 'no-content':
      response.writeHead(204, CORS).end()
      return
    case 'redirect':
      response.writeHead(302, { ...CORS, location: new URL((request.url ?? '/').slice(1), origin.redirectTo).href }).end()
      return
    case 'redirect-loop':
      response.writeHead(302, { ...CORS, location: request.url }).end()
      return
    case 'not-satisfiable':
      response.writeHead(416, { ...CORS, 'content-range': `bytes */${bytes?.length ?? 0}` }).end()
      return
    default:
      if (bytes === undefined) response.writeHead(404, CORS).end()
      else serve(exchange, bytes)
  }
}

function serve({ request, response, fault, onCancelled }: Exchange, bytes: Uint8Array): void {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  if (isHostileBody(fault)) {
    const range = match === null ? undefined : { start: Number(match[1]), end: Number(match[2]) + 1 }
    sendHostileBody({ response, fault, bytes, range, headers: CORS })
    return
  }
  if (match === null || fault.startsWith('range-ignored')) {
    const body = fault === 'range-ignored-other-length' ? bytes.subarray(0, bytes.length - 1) : bytes
    sendBody({ response, fault, body, status: 200, headers: {}, onCancelled })
    return
  }
  const [start, end] = [Number(match[1]), Number(match[2]) + 1]
  const shift = fault === 'wrong-content-range' ? 1 : 0
  const headers: Record<string, string> = {}
  const total = bytes.length + (fault === 'wrong-total' ? 1 : 0)
  if (fault !== 'hidden-content-range') headers['content-range'] = `bytes ${start + shift}-${end - 1 + shift}/${total}`
  if (fault === 'html-206') headers['content-type'] = 'text/html'
  if (fault === 'multipart') headers['content-type'] = 'multipart/byteranges; boundary=x'
  sendBody({ response, fault, body: bytes.subarray(start, end), status: 206, headers, onCancelled })
}

interface Body {
  readonly response: ServerResponse
  readonly fault: OriginFault
  readonly body: Uint8Array
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly onCancelled: () => void
}

function sendBody({ response, fault, body, status, headers, onCancelled }: Body): void {
  const all = { ...CORS, 'content-type': 'application/octet-stream', ...headers }
  const half = body.subarray(0, body.length >> 1)
  switch (fault) {
    case 'short-body':
      response.writeHead(status, { ...all, 'content-length': String(half.length) }).end(half)
      return
    case 'long-body':
      response.writeHead(status, all).write(body)
      response.end('more')
      return
    case 'early-end':
      response.writeHead(status, all).end(half)
      return
    case 'cut-body':
      response.writeHead(status, { ...all, 'content-length': String(body.length) })
      response.write(half, () => response.destroy())
      return
    default:
      response.writeHead(status, { ...all, 'content-length': String(body.length) })
      pipeline(Readable.from(slices(body)), response, (error) => {
        if (error) onCancelled()
      })
  }
}

function* slices(body: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < body.length; at += 65_536) yield body.subarray(at, at + 65_536)
}

function flatHeaders(request: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]))
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address
}
