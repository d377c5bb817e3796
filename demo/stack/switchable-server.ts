import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/** An HTTP server on loopback that can really go away, and come back on the same port. */
export interface SwitchableServer {
  readonly port: number
  /** Ends in `/`. */
  readonly url: string
  readonly isUp: boolean
  /** Does nothing when it is up. @throws what the system says when the port is taken meanwhile */
  start(): Promise<void>
  /** Closes the listening socket and destroys every connection, as a machine that loses its power does. */
  stop(): Promise<void>
}

export const LOOPBACK = '127.0.0.1'

/**
 * @param port 0: any free one, and the same one at every later start
 * @param host an address of this machine's loopback
 */
export async function startSwitchableServer(handler: RequestHandler, port: number, host: string = LOOPBACK): Promise<SwitchableServer> {
  let server: Server | undefined = await listen(handler, { port, host })
  const ownPort = portOf(server)
  return {
    port: ownPort,
    url: `http://${host}:${ownPort}/`,
    get isUp() {
      return server !== undefined
    },
    async start() {
      server ??= await listen(handler, { port: ownPort, host })
    },
    async stop() {
      const stopping = server
      server = undefined
      if (stopping === undefined) return
      await new Promise<void>((resolve) => {
        stopping.close(() => resolve())
        stopping.closeAllConnections()
      })
    },
  }
}

/** The first of `wanted` that is free, else any. */
export async function findFreePort(wanted: readonly number[]): Promise<number> {
  for (const port of [...wanted, 0]) {
    try {
      const server = await listen(() => {}, { port, host: LOOPBACK })
      const found = portOf(server)
      await new Promise<void>((resolve) => server.close(() => resolve()))
      return found
    } catch (error) {
      if (port === 0) throw error
    }
  }
  throw new RangeError('expected a free port')
}

function listen(handler: RequestHandler, at: { readonly port: number; readonly host: string }): Promise<Server> {
  const server = createServer(handler)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address()
  if (address === null || typeof address === 'string') throw new RangeError('expected a server with a port')
  return address.port
}
