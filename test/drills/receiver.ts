import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

/** What arrived: hashed here, by code that shares nothing with what is tested. */
export interface Received {
  readonly sha256: string
  readonly sizeBytes: number
}

export interface Receiver {
  /** A page posts a file here, and is answered with its SHA-256. */
  readonly url: string
  /**
   * Waits for what a page posts to `url` + `label`: for a browser that nobody drives.
   * @throws `signal.reason`
   */
  posted(label: string, signal: AbortSignal): Promise<Received>
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
  const posts = new EventTarget()
  const byPath = new Map<string, Received>()
  const server = createServer((request, response) => {
    const hash = createHash('sha256')
    let sizeBytes = 0
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk)
      sizeBytes += chunk.length
    })
    request.on('error', () => response.destroy())
    request.on('end', () => {
      const received: Received = { sha256: hash.digest('hex'), sizeBytes }
      if (request.method === 'POST') byPath.set(request.url ?? '/', received)
      posts.dispatchEvent(new Event('post'))
      response.writeHead(200, {
        'access-control-allow-origin': '*',
        'access-control-allow-headers': '*',
        'content-type': 'application/json',
      })
      response.end(JSON.stringify(received))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new RangeError('expected a server with a port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async posted(label, signal) {
      for (;;) {
        const received = byPath.get(`/${label}`)
        if (received !== undefined) return received
        await once(posts, 'post', { signal })
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
