import type { PeerId, PeerInfo, PeerRole, ServerSignal, SignalErrorCode, SwarmId } from 'sealift/protocol'
import { choosePeers, type Choice } from './choose-peers.ts'
import type { SignalingLimits } from './limits.ts'

/** Somebody who was admitted. Outlives a socket that is taken over. */
export interface Member {
  readonly id: PeerId
  /** Rooms of another scope are out of reach. */
  readonly scope: string
  /** What complaints and their effect are counted by. */
  readonly principal: string
  readonly addressKey: string
  readonly lanKey: string
  send(signal: ServerSignal): void
}

/** Who is where. No sockets, no clock: only what members are told of each other. */
export interface Rooms {
  readonly roomCount: number
  /** Members summed over rooms. */
  readonly seatCount: number
  /** Seats a member, or gives it another role and other peers. Answers with `peers`. Returns why not. */
  join(member: Member, swarm: SwarmId, role: PeerRole): SignalErrorCode | undefined
  leave(member: Member, swarm: SwarmId): void
  leaveAll(member: Member): void
  /** Passes a signal on inside one room. Returns why not. */
  relay(member: Member, to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): SignalErrorCode | undefined
  /** A complaint about somebody in the same room. Returns why it does not count. */
  report(member: Member, swarm: SwarmId, about: PeerId): SignalErrorCode | undefined
}

interface Seat {
  readonly member: Member
  readonly role: PeerRole
}

interface Room {
  readonly swarm: SwarmId
  readonly seats: Map<PeerId, Seat>
  /** Addresses that complained, by principal. */
  readonly reports: Map<string, Set<string>>
}

/** Peers of one room that complaints are remembered of. */
const MAX_ACCUSED = 256

export function createRooms(limits: SignalingLimits, random: () => number): Rooms {
  const rooms = new Map<string, Room>()
  const roomsOf = new Map<PeerId, Set<string>>()
  const choice: Choice = { limit: limits.chosenPeers, forSeeds: limits.chosenForSeeds, random }

  const vacate = (member: Member, key: string): void => {
    const room = rooms.get(key)
    roomsOf.get(member.id)?.delete(key)
    if (roomsOf.get(member.id)?.size === 0) roomsOf.delete(member.id)
    if (room === undefined || !room.seats.delete(member.id)) return
    for (const seat of room.seats.values()) seat.member.send({ type: 'peer-left', swarm: room.swarm, id: member.id })
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
      const room = rooms.get(key) ?? { swarm, seats: new Map<PeerId, Seat>(), reports: new Map<string, Set<string>>() }
      const isSeated = room.seats.has(member.id)
      if (!isSeated && joined.size >= limits.roomsPerConnection) return 'too-many-rooms'
      if (!isSeated && room.seats.size >= limits.roomPeers) return 'room-full'
      if ((room.reports.get(member.principal)?.size ?? 0) >= limits.reportsToRemove) return 'reported'
      rooms.set(key, room)
      roomsOf.set(member.id, joined.add(key))
      room.seats.set(member.id, { member, role })
      introduce(room, { member, role }, choice)
      return undefined
    },
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
    report(member, swarm, about) {
      const key = keyOf(member, swarm)
      const room = rooms.get(key)
      if (room === undefined || !room.seats.has(member.id)) return 'not-in-room'
      const accused = room.seats.get(about)?.member
      if (accused === undefined || accused.id === member.id) return undefined
      const complainers = complain(room, accused.principal, member.addressKey)
      if (complainers.size < limits.reportsToRemove) return undefined
      accused.send({ type: 'error', code: 'reported', fatal: false, swarm })
      vacate(accused, key)
      return undefined
    },
  }
}

function countSeats(rooms: ReadonlyMap<string, Room>): number {
  return [...rooms.values()].reduce((sum, room) => sum + room.seats.size, 0)
}

/** The addresses that complained so far, this one included. */
function complain(room: Room, principal: string, addressKey: string): ReadonlySet<string> {
  const complainers = (room.reports.get(principal) ?? new Set<string>()).add(addressKey)
  room.reports.set(principal, complainers)
  // A room may live for weeks: the oldest complaints go before they add up.
  const [oldest] = room.reports.keys()
  if (room.reports.size > MAX_ACCUSED && oldest !== undefined) room.reports.delete(oldest)
  return complainers
}

/** Tells a newcomer of some, and those of the newcomer. */
function introduce(room: Room, newcomer: Seat, choice: Choice): void {
  const others = [...room.seats.values()].filter(({ member }) => member.id !== newcomer.member.id)
  const candidates = others.map((seat) => ({ seat, role: seat.role, lan: seat.member.lanKey === newcomer.member.lanKey }))
  const chosen = choosePeers(candidates, choice)
  const peers = chosen.map(({ seat, lan }): PeerInfo => ({ id: seat.member.id, role: seat.role, lan }))
  newcomer.member.send({ type: 'peers', swarm: room.swarm, peers })
  for (const { seat, lan } of chosen) {
    seat.member.send({ type: 'peer-joined', swarm: room.swarm, peer: { id: newcomer.member.id, role: newcomer.role, lan } })
  }
}

/** Members of different scopes never share a room, even if one learns the other's swarm id. */
function keyOf(member: Member, swarm: SwarmId): string {
  return `${member.scope} ${swarm}`
}
