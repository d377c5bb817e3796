import type { PeerId, PeerRole, ServerSignal, SwarmId } from 'sealift/protocol'
import { Bag } from './bag.ts'
import type { SignalingLimits } from './limits.ts'

/** Somebody who was admitted. Outlives a socket that is taken over. */
export interface Member {
  readonly id: PeerId
  /** Rooms of another scope are out of reach. */
  readonly scope: string
  readonly addressKey: string
  readonly lanKey: string
  /** The process that it is connected to; undefined: this one. */
  readonly home?: string | undefined
  /** Its seats. Rooms keep them here, for they are asked for with every message. */
  seats?: readonly Seat[]
  send(signal: ServerSignal): void
}

export interface Seat {
  readonly room: Room
  readonly member: Member
  role: PeerRole
  /** Those of the room that were told of this one, or this one of them. A list: there are a few, and a set takes several times the memory. */
  readonly known: Seat[]
  /** Where it was when it sat down, or came back: its member may have moved since. */
  house: House | undefined
  inLan: number | undefined
  inHouse: number | undefined
  amongSeeds: number | undefined
}

/** Those behind one address. */
interface House {
  readonly addressKey: string
  readonly lanKey: string
  readonly lan: Bag<'inLan', Seat>
  readonly all: Bag<'inHouse', Seat>
  readonly seeds: Bag<'amongSeeds', Seat>
  inRoom: number | undefined
  amongSeeded: number | undefined
}

/** Everything by which somebody is drawn is kept up to date: a room may hold thousands, and they come all at once. */
export interface Room {
  readonly scope: string
  readonly swarm: SwarmId
  readonly seats: Map<PeerId, Seat>
  readonly lans: Map<string, Bag<'inLan', Seat>>
  readonly houses: Map<string, House>
  readonly allHouses: Bag<'inRoom', House>
  readonly housesWithSeeds: Bag<'amongSeeded', House>
}

export interface Terms {
  readonly limits: SignalingLimits
  /** 0 to below 1. */
  readonly random: () => number
}

/** Members of the LAN, addresses, and addresses with seeds: so many of each are drawn and looked at. */
const DRAWN = 32
/** Of one address elsewhere that a member of a crowded room is told of. */
const TOLD_OF_ADDRESS = 2
/** For each of those, so many are drawn: some know enough peers. */
const TRIES = 2

export function openRoom(scope: string, swarm: SwarmId): Room {
  return {
    scope,
    swarm,
    seats: new Map(),
    lans: new Map(),
    houses: new Map(),
    allHouses: new Bag('inRoom'),
    housesWithSeeds: new Bag('amongSeeded'),
  }
}

/** A seat that is in no house yet: see `place`. */
export function openSeat(room: Room, member: Member, role: PeerRole): Seat {
  return { room, member, role, known: [], house: undefined, inLan: undefined, inHouse: undefined, amongSeeds: undefined }
}

/** Seats a newcomer, or notes another role or another address. */
export function place(seat: Seat): void {
  const { room, member } = seat
  room.seats.set(member.id, seat)
  if (seat.house?.addressKey !== member.addressKey) leaveHouse(seat)
  const house = room.houses.get(member.addressKey) ?? openHouse(room, member)
  seat.house = house
  house.lan.add(seat)
  house.all.add(seat)
  if (seat.role === 'seed') house.seeds.add(seat)
  else house.seeds.delete(seat)
  noteSeeds(room, house)
}

export function unseat(seat: Seat): void {
  seat.room.seats.delete(seat.member.id)
  leaveHouse(seat)
}

function openHouse(room: Room, { addressKey, lanKey }: Member): House {
  const lan = room.lans.get(lanKey) ?? new Bag('inLan')
  room.lans.set(lanKey, lan)
  const house: House = {
    addressKey,
    lanKey,
    lan,
    all: new Bag('inHouse'),
    seeds: new Bag('amongSeeds'),
    inRoom: undefined,
    amongSeeded: undefined,
  }
  room.houses.set(addressKey, house)
  room.allHouses.add(house)
  return house
}

function leaveHouse(seat: Seat): void {
  const { room, house } = seat
  if (house === undefined) return
  seat.house = undefined
  house.lan.delete(seat)
  house.all.delete(seat)
  house.seeds.delete(seat)
  noteSeeds(room, house)
  if (house.lan.size === 0) room.lans.delete(house.lanKey)
  if (house.all.size > 0) return
  room.houses.delete(house.addressKey)
  room.allHouses.delete(house)
}

function noteSeeds(room: Room, house: House): void {
  if (house.seeds.size > 0) room.housesWithSeeds.add(house)
  else room.housesWithSeeds.delete(house)
}

/**
 * Those who may be named to it. Who knows enough peers already is left out: it would let nobody more in, and the late comers of a crowd would be
 * left with a link or two. An address with its share of seats in a crowded room keeps to itself: an office behind one NAT meets its own.
 */
export function drawStrangers(newcomer: Seat, { limits, random }: Terms): readonly Seat[] {
  const { room } = newcomer
  const isCrowded = room.seats.size > limits.crowdedRoomPeers
  const isFree = (seat: Seat): boolean => seat !== newcomer && seat.known.length < limits.knownPeers && !newcomer.known.includes(seat)
  const own = newcomer.house
  const near = (own?.lan.draw(DRAWN, random) ?? []).filter(isFree)
  const keepsToItself = isCrowded && own !== undefined && own.all.size > limits.seatsPerAddress
  if (keepsToItself || room.lans.size === 1) return near
  // Addresses are drawn, not seats: one that holds most seats of the room would crowd out everybody else.
  const houses = new Set([...room.housesWithSeeds.draw(DRAWN, random), ...room.allHouses.draw(DRAWN, random)])
  const far = [...houses].flatMap((house) => {
    if (house.lanKey === newcomer.member.lanKey) return []
    const most = isCrowded ? Math.max(0, TOLD_OF_ADDRESS - countOf(house, newcomer.known)) : room.seats.size
    const drawn = [...house.seeds.draw(most, random), ...house.all.draw(most * TRIES, random)]
    return [...new Set(drawn)].filter(isFree).slice(0, most)
  })
  return [...near, ...far]
}

function countOf({ addressKey }: House, seats: readonly Seat[]): number {
  return seats.filter(({ member }) => member.addressKey === addressKey).length
}

export function isNear(a: Seat, b: Seat): boolean {
  return a.member.lanKey === b.member.lanKey
}
