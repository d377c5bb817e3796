import { once } from 'node:events'
import { createServer } from 'node:http'
import { DeliveryError } from '../core/errors.ts'
import { errorCode } from './durable-file.ts'

export interface MetricsServer {
  readonly url: string
  close(): Promise<void>
}

const CONNECTIONS = 32
const PATIENCE_MS = 5000

/**
 * Shows a text at `/metrics` on loopback; 503 while there is none.
 * @param port 0: any free one
 * @throws {DeliveryError} `input-invalid` when the port is taken
 */
export async function serveMetrics(port: number, render: () => string | undefined): Promise<MetricsServer> {
  const server = createServer({ headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS }, ({ url, method }, response) => {
    const text = render()
    if (url !== '/metrics' || method !== 'GET') return void response.writeHead(404).end()
    if (text === undefined) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' }).end(text)
  })
  server.maxConnections = CONNECTIONS
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    const detail = errorCode(error) === 'EADDRINUSE' ? 'is taken; name another' : `cannot be opened: ${errorCode(error) ?? String(error)}`
    throw new DeliveryError({ code: 'input-invalid', path: `port ${port}`, detail }, { cause: error })
  }
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  return {
    url: `http://127.0.0.1:${address.port}/metrics`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
