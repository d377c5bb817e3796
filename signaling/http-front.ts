import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { SignalingLimits } from './limits.ts'

export interface FrontPages {
  /** False while the server goes down: a load balancer then sends nobody new. */
  readonly isReady: () => boolean
  /** Undefined: `/metrics` is not served here. */
  readonly metrics: (() => string) | undefined
}

/** `/healthz`, `/readyz` and `/metrics`; 426 for anything else, since the rest is WebSocket. */
export function createPages(pages: FrontPages): RequestListener {
  return (request, response) => {
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' }).end(body)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'only GET\n')
    const path = (request.url ?? '').split('?', 1)[0]
    if (path === '/healthz') return answer(200, 'ok\n')
    if (path === '/readyz') return pages.isReady() ? answer(200, 'ready\n') : answer(503, 'draining\n')
    if (path === '/metrics' && pages.metrics !== undefined) return answer(200, pages.metrics())
    response.setHeader('upgrade', 'websocket')
    return answer(426, 'this is a WebSocket\n')
  }
}

export interface TlsFiles {
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

/** A server that lets nobody hold it by sending slowly. */
export function createFront(listener: RequestListener, limits: SignalingLimits, tls: TlsFiles | undefined): Server {
  const options = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersTimeoutMs),
    maxHeaderSize: limits.headerBytes,
  }
  const server =
    tls === undefined
      ? createServer(options, listener)
      : createTlsServer({ ...options, ...tls, handshakeTimeout: limits.headersTimeoutMs }, listener)
  // Half-open requests count too; the WebSocket limit itself is answered with a status.
  server.maxConnections = limits.connections + 1000
  return server
}

/** @returns the port; @throws what the system says, for example EADDRINUSE */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** Stops listening, cuts what is still open, and resolves when all of it is gone. */
export function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
