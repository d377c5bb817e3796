import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

/** What arrived: hashed here, by code that shares nothing with what is tested. */
export interface Received {
  readonly sha256: string
  readonly sizeBytes: number
}

export interface Receiver {
  /** A page posts a file here, and is answered with its SHA-256. */
  readonly url: string
  close(): Promise<void>
}

export async function startReceiver(): Promise<Receiver> {
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
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
