import {
  encodeClientSignal,
  openSwarmKey,
  parseServerSignal,
  SIGNALING_VERSION,
  swarmIdOf,
  toSha256,
  type ClientSignal,
  type PeerId,
  type SwarmId,
} from 'sealift/protocol'
import type { Heard, LoadPeer, LoadPeerOptions } from './peer.ts'

const KEY = openSwarmKey('load')

/** A member of one room. */
export function createSealiftPeer(options: LoadPeerOptions): LoadPeer {
  const swarm = swarmOfRoom(Math.floor(options.index / options.roomSize))
  const say = (signal: ClientSignal): void => options.say(encodeClientSignal(signal))
  let known: PeerId | undefined
  const hear = (text: string): Heard => {
    const signal = parseServerSignal(text)
    switch (signal.type) {
      case 'welcome':
        return undefined
      case 'peers':
        known = signal.peers[0]?.id ?? known
        return 'joined'
      case 'peer-left':
        if (known !== signal.id) return undefined
        known = undefined
        return 'gone'
      case 'sig': {
        if (signal.kind === 'answer') return 'answered'
        if (signal.kind !== 'offer') return undefined
        // Who came first was named nobody: it knows those who offered.
        known ??= signal.from
        const sdp = { type: 'answer', sdp: options.sdp } as const
        say({ type: 'sig', swarm, sid: signal.sid, kind: 'answer', sdp, to: signal.from })
        return undefined
      }
      case 'drain':
        return 'drained'
      case 'error':
        return 'refused'
    }
  }
  return {
    greet() {
      const rooms = [{ swarm, role: 'leech' }] as const
      say({ type: 'hello', v: SIGNALING_VERSION, token: undefined, ticket: options.ticket, resume: undefined, rooms })
    },
    offer() {
      if (known === undefined) return false
      say({ type: 'sig', swarm, sid: 'load', kind: 'offer', sdp: { type: 'offer', sdp: options.sdp }, to: known })
      return true
    },
    hear,
  }
}

/** The same in every process of a run. */
export function swarmOfRoom(room: number): SwarmId {
  return swarmIdOf(KEY, toSha256(room.toString(16).padStart(64, '0')))
}
