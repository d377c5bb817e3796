import type { PeerId, PeerInfo, PeerRole, ServerSignal, SignalErrorCode, SwarmId } from 'sealift/protocol'
import { choosePeers, type Choice } from './choose-peers.ts'
import type { SignalingLimits } from './limits.ts'

/** Somebody who was admitted. Outlives a socket that is taken over. */
export interface Member {
  readonly id: PeerId
  /** Rooms of another scope are out of reach. */
  readonly scope: string
  readonly addressKey: string
  readonly lanKey: string
  send(signal: ServerSignal): void
}

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

interface Seat {
  readonly member: Member
  role: PeerRole
  /** Peers of the room that were told of this one, or this one of them. */
  readonly known: Set<PeerId>
}

interface Room {
  readonly swarm: SwarmId
  readonly seats: Map<PeerId, Seat>
}

export function createRooms(limits: SignalingLimits, random: () => number): Rooms {
  const rooms = new Map<string, Room>()
  const roomsOf = new Map<PeerId, Set<string>>()
  const choice: Choice = { limit: limits.chosenPeers, forSeeds: limits.chosenForSeeds, random }

  const vacate = (member: Member, key: string): void => {
    const room = rooms.get(key)
    roomsOf.get(member.id)?.delete(key)
    if (roomsOf.get(member.id)?.size === 0) roomsOf.delete(member.id)
    if (room === undefined || !room.seats.delete(member.id)) return
    for (const seat of room.seats.values()) {
      seat.known.delete(member.id)
      seat.member.send({ type: 'peer-left', swarm: room.swarm, id: member.id })
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
      const room = rooms.get(key) ?? { swarm, seats: new Map<PeerId, Seat>() }
      const known = room.seats.get(member.id)
      if (known?.role === role) {
        tell(room, known, knownTo(room, known).slice(0, limits.chosenPeers))
        return undefined
      }
      if (known === undefined && joined.size >= limits.roomsPerConnection) return 'too-many-rooms'
      if (known === undefined && !hasSeatFor(room, member, limits)) return 'room-full'
      const seat = known ?? { member, role, known: new Set<PeerId>() }
      seat.role = role
      rooms.set(key, room)
      roomsOf.set(member.id, joined.add(key))
      room.seats.set(member.id, seat)
      introduce(room, seat, choice)
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

/** One address alone cannot fill a room: past its share it is seated only while there is plenty of room, as in an office behind one NAT. */
function hasSeatFor({ seats }: Room, { addressKey }: Member, limits: SignalingLimits): boolean {
  if (seats.size >= limits.roomPeers) return false
  if (seats.size < limits.crowdedRoomPeers) return true
  return [...seats.values()].filter(({ member }) => member.addressKey === addressKey).length < limits.seatsPerAddress
}

function knownTo(room: Room, { known }: Seat): readonly Seat[] {
  return [...room.seats.values()].filter(({ member }) => known.has(member.id))
}

/** Tells a newcomer, or one in a new role, of some, and those of it. Whom it knows comes first, so that another role shows it nobody new. */
function introduce(room: Room, newcomer: Seat, choice: Choice): void {
  const known = knownTo(room, newcomer)
  const strangers = [...room.seats.values()].filter((seat) => seat !== newcomer && !known.includes(seat))
  const first = choosePeers(candidatesFor(newcomer, known), choice)
  const more = choosePeers(candidatesFor(newcomer, strangers), { ...choice, limit: choice.limit - first.length })
  const chosen = [...first, ...more].map(({ seat }) => seat)
  tell(room, newcomer, chosen)
  for (const seat of chosen) {
    newcomer.known.add(seat.member.id)
    seat.known.add(newcomer.member.id)
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

function isNear(a: Seat, b: Seat): boolean {
  return a.member.lanKey === b.member.lanKey
}

/** Members of different scopes never share a room, even if one learns the other's swarm id. */
function keyOf(member: Member, swarm: SwarmId): string {
  return `${member.scope} ${swarm}`
}
