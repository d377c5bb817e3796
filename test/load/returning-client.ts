import { WebSocket } from 'ws'
import { createSystemClock } from '../../signaling/system-clock.ts'
import { startSignalingClient, type SignalingClient } from '../../src/sources/mesh/signaling-client.ts'
import { swarmOfRoom } from './sealift-peer.ts'

export interface ReturningOptions {
  readonly url: string
  readonly origin: string
  readonly room: number
}

/** The product's own client, with what it does when a server goes. Answers whoever offers, until it is closed. */
export function startReturningClient({ url, origin, room }: ReturningOptions): SignalingClient {
  class OriginSocket extends WebSocket {
    constructor(to: string) {
      super(to, { origin, perMessageDeflate: false })
    }
  }
  const swarm = swarmOfRoom(room)
  const options = {
    url,
    ticket: undefined,
    WebSocket: OriginSocket,
    clock: createSystemClock(),
    random: Math.random,
  }
  const client = startSignalingClient(
    {
      ...options,
      onSignal(said) {
        if (said.type !== 'sig' || said.kind !== 'offer') return
        client.send({ type: 'sig', swarm, sid: said.sid, kind: 'answer', sdp: { type: 'answer', sdp: 'v=0\r\n' }, to: said.from })
      },
    },
    // One for each: Node warns of thousands that listen to the same.
    new AbortController().signal,
  )
  client.join(swarm, 'leech')
  return client
}
