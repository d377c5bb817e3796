import type { IncomingMessage } from 'node:http'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'

/** A signaling server of the least kind. */
export interface Hub {
  readonly url: string
  close(): Promise<void>
}

/** @param onSocket says what to do with one who connects */
export async function startHub(onSocket: (socket: WebSocket, request: IncomingMessage) => void): Promise<Hub> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await new Promise<void>((resolve) => server.once('listening', resolve))
  server.on('connection', onSocket)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the hub has no port')
  return {
    url: `ws://127.0.0.1:${address.port}/`,
    async close() {
      for (const client of server.clients) client.terminate()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** `{join: name}` gives a page its name; `{to: name, ...}` goes there as `{from: name, ...}`. */
export async function startNameHub(): Promise<Hub> {
  const members = new Map<string, WebSocket>()
  return await startHub((socket) => {
    let own = ''
    socket.on('message', (data) => {
      const { join, to, ...rest } = JSON.parse(textOf(data))
      if (typeof join === 'string') {
        own = join
        members.set(join, socket)
        socket.send(JSON.stringify({ joined: join }))
      } else members.get(to)?.send(JSON.stringify({ ...rest, from: own }))
    })
    socket.on('close', () => members.get(own) === socket && members.delete(own))
  })
}

/** What WebTorrent asks of a WebSocket tracker: offers go to the others of a swarm, answers to whom they are for. */
export async function startTracker(): Promise<Hub> {
  const swarms = new Map<string, Map<string, WebSocket>>()
  return await startHub((socket) => {
    const left: (() => void)[] = []
    socket.on('message', (data) => {
      const said = JSON.parse(textOf(data))
      if (said.action !== 'announce') return
      const { info_hash, peer_id, offers, answer, offer_id, to_peer_id } = said
      const swarm = swarms.get(info_hash) ?? new Map<string, WebSocket>()
      swarms.set(info_hash, swarm)
      if (!swarm.has(peer_id)) left.push(() => swarm.delete(peer_id))
      swarm.set(peer_id, socket)
      const tell = (to: WebSocket | undefined, more: object): void => to?.send(JSON.stringify({ action: 'announce', info_hash, ...more }))
      if (answer !== undefined) return tell(swarm.get(to_peer_id), { peer_id, offer_id, answer })
      tell(socket, { interval: 120, complete: 0, incomplete: swarm.size })
      const others = [...swarm].filter(([id]) => id !== peer_id)
      for (const [at, one] of (offers ?? []).entries()) {
        tell(others[at]?.[1], { peer_id, offer_id: one.offer_id, offer: one.offer })
      }
    })
    socket.on('close', () => {
      for (const leave of left) leave()
    })
  })
}

/** A text message comes in one buffer, unless a socket was set to another kind. */
export function textOf(data: RawData): string {
  if (!Buffer.isBuffer(data)) throw new TypeError('expected one buffer')
  return data.toString()
}
