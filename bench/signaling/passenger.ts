import { once } from 'node:events'
import { encodeClientSignal, parseServerSignal, toPeerId, type PeerId, type ServerSignal, type SwarmId } from 'sealift/protocol'
import { WebSocket } from 'ws'

/** A visitor that is in one room and says or hears candidates. */
export interface Passenger {
  readonly id: PeerId
  readonly home: number
  /** Those whom it was told of and who have not left. */
  readonly knows: ReadonlySet<PeerId>
  say(to: PeerId, sid: string): void
  close(): void
}

export interface Trip {
  readonly url: string
  readonly origin: string
  readonly swarm: SwarmId
  /** Which process it is connected to. */
  readonly home: number
  readonly onSig: (sid: string) => void
}

/** As long as one that browsers make. */
const CANDIDATE =
  'candidate:842163049 1 udp 1677729535 192.0.2.44 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 ufrag 7Rfk network-cost 999'

/** Connects and joins. */
export async function board({ url, origin, swarm, home, onSig }: Trip): Promise<Passenger> {
  const socket = new WebSocket(url, { origin, perMessageDeflate: false })
  await once(socket, 'open')
  // Its process may be killed.
  socket.on('error', () => undefined)
  const knows = new Set<PeerId>()
  const id = await new Promise<PeerId>((resolve) => {
    let own = toPeerId('00000000')
    const hear = (said: ServerSignal): void => {
      if (said.type === 'welcome') {
        own = said.id
      } else if (said.type === 'peers') {
        for (const peer of said.peers) knows.add(peer.id)
        resolve(own)
      } else if (said.type === 'peer-left') knows.delete(said.id)
      else if (said.type === 'sig') onSig(said.sid)
    }
    socket.on('message', (data: Buffer) => hear(parseServerSignal(data.toString('utf8'))))
    socket.send(
      encodeClientSignal({
        type: 'hello',
        v: 1,
        token: undefined,
        ticket: undefined,
        resume: undefined,
        rooms: [{ swarm, role: 'leech' }],
      }),
    )
  })
  const candidate = { candidate: CANDIDATE, sdpMid: '0', sdpMLineIndex: 0 }
  return {
    id,
    home,
    knows,
    say: (to, sid) => socket.send(encodeClientSignal({ type: 'sig', swarm, sid, to, kind: 'candidate', candidate })),
    close: () => socket.terminate(),
  }
}
