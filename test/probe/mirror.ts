import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { formatContentRange, parseRange } from '../../src/core/respond/http-range.ts'
import { listenOnLoopback } from '../faults/listen.ts'

/** Does something wrong with a request, or lets it be answered as it should be. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean

/** A server of a published layout, as it should be until it is told to fail. */
export interface Mirror {
  /** Ends in `/`. */
  readonly url: string
  /** Paths, in order. */
  readonly requests: string[]
  fault: Fault | undefined
  site: string
  close(): Promise<void>
}

export const PORTAL = 'https://portal.example'

/** Ends with the test. */
export async function startMirror(site: string): Promise<Mirror> {
  const mirror = await openMirror(site)
  onTestFinished(() => mirror.close())
  return mirror
}

export async function openMirror(site: string): Promise<Mirror> {
  const server = createServer((request, response) => {
    mirror.requests.push(request.url ?? '')
    response.setHeader('access-control-allow-origin', PORTAL)
    response.setHeader('access-control-expose-headers', 'Accept-Ranges, Content-Range, Content-Length, ETag')
    response.setHeader('content-type', 'application/octet-stream')
    const isBlob = request.url?.startsWith('/by-hash/') === true
    response.setHeader('cache-control', isBlob ? 'public, max-age=31536000, immutable' : 'public, max-age=60')
    if (mirror.fault?.(request, response) !== true) void serve(mirror.site, request, response)
  })
  const { port, close } = await listenOnLoopback(server)
  const mirror: Mirror = { url: `http://127.0.0.1:${port}/`, requests: [], fault: undefined, site, close }
  return mirror
}

async function serve(site: string, { url = '', method, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(site, url)
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined) return void response.writeHead(404).end()
  const wanted = parseRange(headers.range, size)
  const range = wanted.kind === 'part' ? wanted.range : { start: 0, end: size }
  if (wanted.kind === 'part') response.setHeader('content-range', formatContentRange(range, size))
  response.writeHead(wanted.kind === 'part' ? 206 : 200, { 'content-length': range.end - range.start })
  if (method === 'HEAD' || range.end === range.start) return void response.end()
  createReadStream(path, { start: range.start, end: range.end - 1 }).pipe(response)
}
