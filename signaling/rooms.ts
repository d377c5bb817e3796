import type { PeerId, PeerInfo, PeerRole, ServerSignal, SignalErrorCode, SwarmId } from 'sealift/protocol'
import { choosePeers, type Choice } from './choose-peers.ts'
import type { SignalingLimits } from './limits.ts'
import { drawStrangers, isNear, openRoom, place, unseat, type Member, type Room, type Seat, type Terms } from './room.ts'

/** Who is where. No sockets, no clock: only what members are told of each other. */
export interface Rooms {
  readonly roomCount: number
  /** Members summed over rooms. */
  readonly seatCount: number
  /**
   * Seats a member, or gives it another role. Answers with `peers`. Returns why not.
   * Who joins again as what it is gets those it knows, and nobody else hears of it: else one could draw until it knew the whole room.
   */
  join(member: Member, swarm: SwarmId, role: PeerRole): SignalErrorCode | undefined
  leave(member: Member, swarm: SwarmId): void
  leaveAll(member: Member): void
  /** Passes a signal on inside one room. Returns why not. */
  relay(member: Member, to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): SignalErrorCode | undefined
  /** What the member is in this room; undefined when it is not there. */
  roleOf(member: Member, swarm: SwarmId): PeerRole | undefined
}

export function createRooms(limits: SignalingLimits, random: () => number): Rooms {
  const rooms = new Map<string, Room>()
  const roomsOf = new Map<PeerId, Set<string>>()

  const vacate = (member: Member, key: string): void => {
    const room = rooms.get(key)
    const seat = room?.seats.get(member.id)
    roomsOf.get(member.id)?.delete(key)
    if (roomsOf.get(member.id)?.size === 0) roomsOf.delete(member.id)
    if (room === undefined || seat === undefined) return
    unseat(room, seat)
    for (const other of seat.known) {
      other.known.delete(seat)
      other.member.send({ type: 'peer-left', swarm: room.swarm, id: member.id })
    }
    if (room.seats.size === 0) rooms.delete(key)
  }

  return {
    get roomCount() {
      return rooms.size
    },
    get seatCount() {
      return countSeats(rooms)
    },
    join(member, swarm, role) {
      const key = keyOf(member, swarm)
      const joined = roomsOf.get(member.id) ?? new Set<string>()
      const room = rooms.get(key) ?? openRoom(swarm)
      const known = room.seats.get(member.id)
      if (known?.role === role) {
        tell(room, known, [...known.known].slice(0, limits.chosenPeers))
        return undefined
      }
      if (known === undefined && joined.size >= limits.roomsPerConnection) return 'too-many-rooms'
      if (known === undefined && room.seats.size >= limits.roomPeers) return 'room-full'
      const seat = known ?? { member, role, known: new Set<Seat>() }
      seat.role = role
      rooms.set(key, room)
      roomsOf.set(member.id, joined.add(key))
      place(room, seat)
      introduce(room, seat, { limits, random })
      return undefined
    },
    roleOf: (member, swarm) => rooms.get(keyOf(member, swarm))?.seats.get(member.id)?.role,
    leave: (member, swarm) => vacate(member, keyOf(member, swarm)),
    leaveAll(member) {
      for (const key of roomsOf.get(member.id) ?? []) vacate(member, key)
    },
    relay(member, to, signal) {
      const room = rooms.get(keyOf(member, signal.swarm))
      if (room === undefined || !room.seats.has(member.id)) return 'not-in-room'
      const seat = room.seats.get(to)
      // The addressee may have left while this was on its way: its sender should stop waiting for an answer.
      if (seat === undefined) member.send({ type: 'peer-left', swarm: signal.swarm, id: to })
      else seat.member.send(signal)
      return undefined
    },
  }
}

function countSeats(rooms: ReadonlyMap<string, Room>): number {
  return [...rooms.values()].reduce((sum, room) => sum + room.seats.size, 0)
}

/** Tells a newcomer, or one in a new role, of some, and those of it. Whom it knows comes first, so that another role shows it nobody new. */
function introduce(room: Room, newcomer: Seat, terms: Terms): void {
  const { limits, random } = terms
  const choice: Choice = { limit: limits.chosenPeers, forSeeds: limits.chosenForSeeds, random }
  const first = choosePeers(candidatesFor(newcomer, [...newcomer.known]), choice)
  const more = choosePeers(candidatesFor(newcomer, drawStrangers(room, newcomer, terms)), { ...choice, limit: choice.limit - first.length })
  const chosen = [...first, ...more].map(({ seat }) => seat)
  tell(room, newcomer, chosen)
  for (const seat of chosen) {
    newcomer.known.add(seat)
    seat.known.add(newcomer)
    seat.member.send({ type: 'peer-joined', swarm: room.swarm, peer: infoOf(newcomer, seat) })
  }
}

function candidatesFor(newcomer: Seat, seats: readonly Seat[]) {
  return seats.map((seat) => ({ seat, role: seat.role, lan: isNear(seat, newcomer) }))
}

function tell(room: Room, newcomer: Seat, peers: readonly Seat[]): void {
  newcomer.member.send({ type: 'peers', swarm: room.swarm, peers: peers.map((peer) => infoOf(peer, newcomer)) })
}

function infoOf(peer: Seat, to: Seat): PeerInfo {
  return { id: peer.member.id, role: peer.role, lan: isNear(peer, to) }
}

/** Members of different scopes never share a room, even if one learns the other's swarm id. */
function keyOf(member: Member, swarm: SwarmId): string {
  return `${member.scope} ${swarm}`
}
