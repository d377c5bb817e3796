import { randomBytes } from 'node:crypto'
import type { WebSocket } from 'ws'

/** More than an honest server names: as many as a message may hold. */
const NAMED = 64
/** RFC 5737: nobody is there. */
const NOWHERE = 'candidate:1 1 udp 2122260223 192.0.2.77 40000 typ host'

interface Said {
  readonly type: string
  readonly swarm?: string
  readonly rooms?: readonly { readonly swarm: string }[]
  readonly sid?: string
  readonly to?: string
  readonly kind?: string
  readonly sdp?: { readonly sdp: string }
}

/** Lets its client in whatever it shows, and names a crowd for each room: half are dead, half answer an offer with the offer itself. */
export function lie(socket: WebSocket, say: (signal: object) => void): void {
  const mirrors = new Set<string>()
  socket.on('message', (data: Buffer) => {
    const said: Said = JSON.parse(data.toString('utf8'))
    const { type, swarm, sid, to } = said
    if (type === 'hello') say({ type: 'welcome', id: nobody(), resume: nobody(), ice: [], serverTime: Math.floor(Date.now() / 1000) })
    for (const room of type === 'join' ? [said] : (said.rooms ?? [])) {
      const peers = Array.from({ length: NAMED }, () => ({ id: nobody(), role: 'seed', lan: true }))
      for (const { id } of peers.slice(NAMED / 2)) mirrors.add(id)
      say({ type: 'peers', swarm: room.swarm, peers })
    }
    if (said.kind === 'offer' && to !== undefined && mirrors.has(to)) {
      const head = { type: 'sig', swarm, sid, from: to }
      say({ ...head, kind: 'answer', sdp: { type: 'answer', sdp: said.sdp?.sdp.replace('a=setup:actpass', 'a=setup:active') } })
      say({ ...head, kind: 'candidate', candidate: { candidate: NOWHERE, sdpMid: '0', sdpMLineIndex: 0 } })
    }
  })
}

function nobody(): string {
  return randomBytes(12).toString('base64url')
}
