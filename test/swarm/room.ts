import { toPeerId, toSha256, swarmIdOf } from '../../src/core/protocol.ts'
import type { PeerId, ServerSignal } from '../../src/core/protocol.ts'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import type { Member } from '../../signaling/room.ts'
import { createRooms } from '../../signaling/rooms.ts'
import { ALL_PEERS, DIALLED_PEERS } from '../../src/sources/mesh/peer-book.ts'
import type { SimPeer } from './peer.ts'
import type { SimClock } from './sim-clock.ts'

/** Being introduced and connecting. */
export const CONNECT_MS = 200
const SWARM = swarmIdOf(new Uint8Array(32), toSha256('ab'.repeat(32)))

/** The room of the real signaling server, in which all peers of a simulation meet. */
export interface SimRoom {
  /** Joins, and connects to those whom the server names. @param address of its router; peers behind one share a LAN */
  enter(peer: SimPeer, address: string): void
}

export function openSimRoom(clock: SimClock, random: () => number): SimRoom {
  const rooms = createRooms(SIGNALING_LIMITS, random)
  const present = new Map<PeerId, SimPeer>()
  let serial = 0
  const dial = (peer: SimPeer, to: readonly PeerId[]): void => {
    for (const id of to) {
      const other = present.get(id)
      if (other === undefined || peer.ends.size >= DIALLED_PEERS) continue
      if (other.ends.size < ALL_PEERS && peer.isWelcome(other) && other.isWelcome(peer)) peer.connect(other)
    }
  }
  return {
    enter(peer, address) {
      const id = toPeerId(String(serial++).padStart(16, '0'))
      const send = (signal: ServerSignal): void => {
        if (signal.type !== 'peers') return
        const named = signal.peers.map((one) => one.id)
        clock.at(clock.monotonicMs() + CONNECT_MS, () => dial(peer, named))
      }
      const member: Member = { id, scope: '', addressKey: address, lanKey: address, send }
      present.set(id, peer)
      rooms.join(member, SWARM, peer.hasAll ? 'seed' : 'leech')
      // As a page does: whoever has all of an artifact goes on as a seed of it.
      peer.onDone = () => void rooms.join(member, SWARM, 'seed')
      peer.onGone = () => {
        present.delete(id)
        rooms.leaveAll(member)
      }
    },
  }
}
