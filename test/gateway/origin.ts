import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export type OriginMode = 'good' | 'html' | 'poisoned' | 'hanging' | 'missing'

/** A real HTTP origin on loopback that serves one file and one catalogue, and can be made to misbehave. */
export interface Origin {
  readonly url: string
  readonly digest: string
  /** `Range` of every request for the file, in order. */
  readonly ranges: (string | undefined)[]
  /** Requests for the catalogue. */
  catalogueRequests: number
  mode: OriginMode
  catalogue: string
  /** Trust updates by number. */
  readonly updates: Map<string, string>
  /** Requests for them. */
  updateRequests: number
  kill(): Promise<void>
}

export async function startOrigin(file: Buffer): Promise<Origin> {
  const digest = createHash('sha256').update(file).digest('hex')
  const server = createServer((request, response) => answer(origin, file, request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  const origin: Origin = {
    url: `http://127.0.0.1:${address.port}/files/`,
    digest,
    ranges: [],
    catalogueRequests: 0,
    mode: 'good',
    catalogue: '{"first":true}',
    updates: new Map(),
    updateRequests: 0,
    async kill() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return origin
}

function answer(origin: Origin, file: Buffer, request: IncomingMessage, response: ServerResponse): void {
  // An origin's own headers, which must not reach the portal beside those of the gateway.
  response.setHeader('access-control-allow-origin', '*')
  // Nor may they decide what is kept through an outage.
  response.setHeader('cache-control', 'no-store')
  response.setHeader('set-cookie', 'a=b')
  // And what would be done to the site whose name the gateway answers under.
  response.setHeader('clear-site-data', '"*"')
  response.setHeader('alt-svc', 'h3="evil.example:443"')
  response.setHeader('strict-transport-security', 'max-age=1000')
  response.setHeader('link', '<https://evil.example/x.js>; rel=preload')
  response.setHeader('etag', `"${Math.random()}"`)
  if (request.url === '/files/catalogue.json') origin.catalogueRequests++
  if (origin.mode === 'hanging') return
  if (origin.mode === 'html') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>please log in</h1>')
  if (request.url === '/files/catalogue.json')
    return void response.writeHead(200, { 'content-type': 'application/json' }).end(origin.catalogue)
  const update = /^\/files\/trust\/(\d+)\.json$/.exec(request.url ?? '')?.[1]
  if (update !== undefined) {
    origin.updateRequests++
    const text = origin.updates.get(update)
    return void (text === undefined
      ? response.writeHead(404).end()
      : response.writeHead(200, { 'content-type': 'application/json' }).end(text))
  }
  if (request.url?.split('?')[0] !== `/files/by-hash/sha256/${origin.digest}`) return void response.writeHead(404).end()
  origin.ranges.push(request.headers.range)
  if (origin.mode === 'missing') return void response.writeHead(404).end()
  const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(first)
  if (request.headers.range !== undefined && start >= file.length)
    return void response.writeHead(416, { 'content-range': `bytes */${file.length}` }).end()
  const end = last === '' ? file.length : Math.min(file.length, Number(last) + 1)
  const bytes = Buffer.from(file.subarray(start, end))
  if (origin.mode === 'poisoned') bytes.fill(0)
  const status = request.headers.range === undefined ? 200 : 206
  const headers = { 'content-type': 'application/octet-stream', 'content-length': bytes.length }
  response.writeHead(status, status === 206 ? { ...headers, 'content-range': `bytes ${start}-${end - 1}/${file.length}` } : headers)
  response.end(bytes)
}
