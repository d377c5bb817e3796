import type { PeerId, PeerInfo, PeerRole, ServerSignal, SignalErrorCode, SwarmId } from 'sealift/protocol'
import { choosePeers } from './choose-peers.ts'
import type { SignalingLimits } from './limits.ts'
import { drawStrangers, isNear, openRoom, openSeat, place, unseat, type Member, type Room, type Seat, type Terms } from './room.ts'

/** Who is where. No sockets, no clock: only what members are told of each other. */
export interface Rooms {
  readonly roomCount: number
  /** Members of this process, summed over rooms. */
  readonly seatCount: number
  /**
   * Seats a member, or gives it another role. Answers with `peers`. Returns why not.
   * Who joins again as what it is gets those it knows, and nobody else hears of it: else one could draw until it knew the whole room.
   */
  join(member: Member, swarm: SwarmId, role: PeerRole): SignalErrorCode | undefined
  /** Notes that a member has come back, maybe from another address. */
  moved(member: Member): void
  /** The name as the room has it: one text for all of its members. */
  nameOf(member: Member, swarm: SwarmId): SwarmId
  leave(member: Member, swarm: SwarmId): void
  leaveAll(member: Member): void
  /** Passes a signal on inside one room. Returns why not. */
  relay(member: Member, to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): SignalErrorCode | undefined
  /** What the member is in this room; undefined when it is not there. */
  roleOf(member: Member, swarm: SwarmId): PeerRole | undefined
  /** Seats somebody of another process, or gives it another role. That process has introduced it already: to those named in `told`. */
  seatGuest(guest: Member, swarm: SwarmId, as: { readonly role: PeerRole; readonly told: readonly PeerId[] }): void
  /** Those of this process. */
  ownSeats(): readonly OwnSeat[]
  /** Tells those of this process who know too few of others: rooms that were apart have come together. */
  introduceMore(): void
}

export interface OwnSeat {
  readonly member: Member
  readonly swarm: SwarmId
  readonly role: PeerRole
  readonly knows: readonly PeerId[]
}

/** Hears what becomes of members of this process. */
export interface RoomWatcher {
  /** @param told who was told of it, and it of them */
  onSeat(member: Member, swarm: SwarmId, role: PeerRole, told: readonly PeerId[]): void
  onLeft(member: Member, swarm: SwarmId): void
}

export function createRooms(limits: SignalingLimits, random: () => number, watcher?: RoomWatcher): Rooms {
  return new MemoryRooms({ limits, random }, watcher)
}

class MemoryRooms implements Rooms {
  readonly #terms: Terms
  readonly #watcher: RoomWatcher | undefined
  /** Members of different scopes never share a room, even if one learns the other's swarm id. */
  readonly #roomsOf = new Map<string, Map<SwarmId, Room>>()

  constructor(terms: Terms, watcher: RoomWatcher | undefined) {
    this.#terms = terms
    this.#watcher = watcher
  }

  get roomCount(): number {
    return this.#rooms.length
  }

  get seatCount(): number {
    let count = 0
    for (const { seats } of this.#rooms) for (const { member } of seats.values()) if (member.home === undefined) count++
    return count
  }

  join(member: Member, swarm: SwarmId, role: PeerRole): SignalErrorCode | undefined {
    const { limits } = this.#terms
    const known = seatOf(member, swarm)
    if (known?.role === role) {
      tell(known, known.known.slice(0, limits.chosenPeers))
      return undefined
    }
    if (known === undefined) {
      if (seatsOf(member).length >= limits.roomsPerConnection) return 'too-many-rooms'
      if ((this.#roomOf(member, swarm)?.seats.size ?? 0) >= limits.roomPeers) return 'room-full'
    }
    this.#introduce(this.#place(member, swarm, role))
    return undefined
  }

  roleOf(member: Member, swarm: SwarmId): PeerRole | undefined {
    return seatOf(member, swarm)?.role
  }

  moved(member: Member): void {
    for (const seat of seatsOf(member)) {
      if (seat.house?.addressKey === member.addressKey) continue
      place(seat)
      this.#watcher?.onSeat(member, seat.room.swarm, seat.role, idsOf(seat.known))
    }
  }

  nameOf(member: Member, swarm: SwarmId): SwarmId {
    return this.#roomOf(member, swarm)?.swarm ?? swarm
  }

  leave(member: Member, swarm: SwarmId): void {
    this.#vacate(member, seatOf(member, swarm))
  }

  leaveAll(member: Member): void {
    for (const seat of seatsOf(member)) this.#vacate(member, seat)
  }

  relay(member: Member, to: PeerId, signal: Extract<ServerSignal, { type: 'sig' }>): SignalErrorCode | undefined {
    const own = seatOf(member, signal.swarm)
    if (own === undefined) return 'not-in-room'
    const seat = own.room.seats.get(to)
    // The addressee may have left while this was on its way: its sender should stop waiting for an answer.
    if (seat === undefined) member.send({ type: 'peer-left', swarm: signal.swarm, id: to })
    else seat.member.send(signal)
    return undefined
  }

  seatGuest(guest: Member, swarm: SwarmId, { role, told }: { readonly role: PeerRole; readonly told: readonly PeerId[] }): void {
    const before = this.#roomOf(guest, swarm)?.seats.get(guest.id)
    // No process may speak for a member of another.
    if (before !== undefined && before.member !== guest) return
    const isNews = before?.role !== role
    const seat = this.#place(guest, swarm, role)
    for (const id of told) {
      const other = seat.room.seats.get(id)
      if (other === undefined || other === seat || (seat.known.includes(other) && !isNews)) continue
      acquaint(seat, other)
    }
  }

  ownSeats(): readonly OwnSeat[] {
    return this.#rooms.flatMap(({ swarm, seats }) =>
      [...seats.values()].flatMap(({ member, role, known }) =>
        member.home === undefined ? [{ member, swarm, role, knows: idsOf(known) }] : [],
      ),
    )
  }

  introduceMore(): void {
    for (const room of this.#rooms)
      for (const seat of room.seats.values()) {
        if (seat.member.home === undefined && seat.known.length < Math.min(this.#terms.limits.chosenPeers, room.seats.size - 1))
          this.#introduce(seat)
      }
  }

  get #rooms(): readonly Room[] {
    return [...this.#roomsOf.values()].flatMap((rooms) => [...rooms.values()])
  }

  #roomOf({ scope }: Member, swarm: SwarmId): Room | undefined {
    return this.#roomsOf.get(scope)?.get(swarm)
  }

  #place(member: Member, swarm: SwarmId, role: PeerRole): Seat {
    const seat = seatOf(member, swarm) ?? this.#newSeat(member, swarm, role)
    seat.role = role
    place(seat)
    return seat
  }

  #newSeat(member: Member, swarm: SwarmId, role: PeerRole): Seat {
    const room = this.#roomOf(member, swarm) ?? this.#newRoom(member, swarm)
    const seat = openSeat(room, member, role)
    member.seats = [...seatsOf(member), seat]
    return seat
  }

  #newRoom({ scope }: Member, swarm: SwarmId): Room {
    const rooms = this.#roomsOf.get(scope) ?? new Map<SwarmId, Room>()
    const room = openRoom(scope, swarm)
    this.#roomsOf.set(scope, rooms.set(swarm, room))
    return room
  }

  #closeRoom({ scope, swarm }: Room): void {
    const rooms = this.#roomsOf.get(scope)
    rooms?.delete(swarm)
    if (rooms?.size === 0) this.#roomsOf.delete(scope)
  }

  /** Tells a newcomer, or one in a new role, of some, and those of it. Whom it knows comes first, so that another role shows it nobody new. */
  #introduce(newcomer: Seat): void {
    const { limits, random } = this.#terms
    const isNearIt = (seat: Seat): boolean => isNear(seat, newcomer)
    const choose = (seats: readonly Seat[], limit: number): readonly Seat[] =>
      choosePeers(seats, { limit, forSeeds: limits.chosenForSeeds, isNear: isNearIt, random })
    const first = choose(newcomer.known, limits.chosenPeers)
    const chosen = [...first, ...choose(drawStrangers(newcomer, this.#terms), limits.chosenPeers - first.length)]
    for (const seat of chosen) acquaint(newcomer, seat)
    this.#watcher?.onSeat(newcomer.member, newcomer.room.swarm, newcomer.role, idsOf(chosen))
    // Last: a slow reader is cut while it is told, and is gone from here when this returns.
    tell(newcomer, chosen)
  }

  #vacate(member: Member, seat: Seat | undefined): void {
    if (seat === undefined) return
    const { room } = seat
    member.seats = seatsOf(member).filter((other) => other !== seat)
    unseat(seat)
    for (const other of seat.known) {
      other.known.splice(other.known.indexOf(seat), 1)
      other.member.send({ type: 'peer-left', swarm: room.swarm, id: member.id })
    }
    if (room.seats.size === 0) this.#closeRoom(room)
    if (member.home === undefined) this.#watcher?.onLeft(member, room.swarm)
  }
}

const NO_SEATS: readonly Seat[] = []

function seatsOf({ seats = NO_SEATS }: Member): readonly Seat[] {
  return seats
}

/** By the few rooms of the member, not by names put together. */
function seatOf(member: Member, swarm: SwarmId): Seat | undefined {
  return seatsOf(member).find(({ room }) => room.swarm === swarm)
}

/** From now on they know each other. The one who was there hears of it from the one who came, who offers. */
function acquaint(newcomer: Seat, seat: Seat): void {
  if (newcomer.known.includes(seat)) return
  newcomer.known.push(seat)
  seat.known.push(newcomer)
}

function tell(newcomer: Seat, peers: readonly Seat[]): void {
  newcomer.member.send({ type: 'peers', swarm: newcomer.room.swarm, peers: peers.map((peer) => infoOf(peer, newcomer)) })
}

function idsOf(seats: readonly Seat[]): readonly PeerId[] {
  return seats.map(({ member }) => member.id)
}

function infoOf(peer: Seat, to: Seat): PeerInfo {
  return { id: peer.member.id, role: peer.role, lan: isNear(peer, to) }
}
