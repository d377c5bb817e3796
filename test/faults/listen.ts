import type { Server, Socket } from 'node:net'
import { LOOPBACK } from '../../demo/stack/switchable-server.ts'

export interface ListeningServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Opens a server on a port of loopback that is free. Closing it ends what goes through it too.
 * @param sockets connections besides its own that end with it
 */
export async function listenOnLoopback(server: Server, sockets: Iterable<Socket> = []): Promise<ListeningServer> {
  const own = new Set<Socket>()
  server.on('connection', (socket) => void own.add(socket))
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new RangeError('expected a server with a port')
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of [...own, ...sockets]) socket.destroy()
      }),
  }
}
