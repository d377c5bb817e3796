import { createServer } from 'node:http'

export interface StaticSite {
  /** Ends in `/`. Another loopback name is another origin: `http://localhost:PORT/`. */
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const TYPES: Readonly<Record<string, string>> = { html: 'text/html', js: 'text/javascript', json: 'application/json' }

type Headers = Readonly<Record<string, string>>

/**
 * Serves a few files by path (`/index.html`) on loopback, which browsers take for a secure context.
 * @param headers more response headers, by path
 */
export async function serveFiles(
  files: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, Headers>> = {},
): Promise<StaticSite> {
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '')
    const body = files[path]
    if (body === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': typeOf(path), 'cache-control': 'no-store', ...headers[path] }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    port: address.port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function typeOf(path: string): string {
  return TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}
