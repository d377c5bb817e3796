import type { Server } from 'node:http'
import { Hub, type HubOptions, type SignalingCounts } from './hub.ts'
import { createFront, createPages, listen, stopListening, type TlsFiles } from './http-front.ts'

export type { SignalingCounts } from './hub.ts'

export interface SignalingOptions extends HubOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default: plain `ws:`, for a proxy in front or for loopback. */
  readonly tls?: TlsFiles
  /** Where `/metrics` is: on the port itself (default), on a loopback port of its own, or nowhere. They hold counts only. */
  readonly metrics?: 'same-port' | 'off' | { readonly port: number }
}

export interface SignalingServer {
  /** `ws:` or `wss:`, with the real port. */
  readonly url: string
  readonly port: number
  /** Undefined when metrics are off. */
  readonly metricsUrl: string | undefined
  counts(): SignalingCounts
  /** Tells everybody when to come back, closes their sockets, and resolves when all is gone. */
  close(): Promise<void>
  /** Cuts everything without a word, as a crash would. */
  kill(): Promise<void>
}

/**
 * Introduces peers to each other and passes on what they need to connect. Keeps everything in memory and nothing on disk.
 * @throws {TypeError} or {RangeError} when an option is wrong, and what the system says when the port cannot be had
 */
export async function startSignaling(options: SignalingOptions): Promise<SignalingServer> {
  const { host = '127.0.0.1', metrics = 'same-port' } = options
  const hub = new Hub(options)
  const front = createFront(
    createPages({ isReady: hub.isReady, metrics: metrics === 'same-port' ? hub.metricsText : undefined }),
    hub.limits,
    options.tls,
  )
  hub.serve(front, options.tls !== undefined)
  const port = await listen(front, options.port ?? 0, host)
  const own =
    typeof metrics === 'object'
      ? createFront(createPages({ isReady: hub.isReady, metrics: hub.metricsText }), hub.limits, undefined)
      : undefined
  const ownPort = own === undefined || typeof metrics !== 'object' ? undefined : await listenOrStop(own, metrics.port, front)
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const secure = options.tls === undefined ? '' : 's'
  hub.start()
  const stop = async (): Promise<void> => {
    await Promise.all([stopListening(front), own === undefined ? undefined : stopListening(own)])
  }
  return {
    url: `ws${secure}://${authority}/`,
    port,
    metricsUrl:
      metrics === 'off'
        ? undefined
        : ownPort === undefined
          ? `http${secure}://${authority}/metrics`
          : `http://127.0.0.1:${ownPort}/metrics`,
    counts: hub.counts,
    async close() {
      await hub.drain()
      await stop()
    },
    async kill() {
      await hub.cut()
      await stop()
    },
  }
}

async function listenOrStop(server: Server, port: number, other: Server): Promise<number> {
  try {
    return await listen(server, port, '127.0.0.1')
  } catch (error) {
    await stopListening(other)
    throw error
  }
}
