import { toPeerId, type PeerId, type PeerRole, type ServerSignal } from 'sealift/protocol'
import { describe, expect, test } from 'vitest'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import type { Member } from '../../signaling/room.ts'
import { createRooms, type Rooms } from '../../signaling/rooms.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { SWARM } from './members.ts'

/** A member, and what it has been told. */
interface Person extends Member {
  addressKey: string
  lanKey: string
  /** Answers to its joins, oldest first. */
  readonly answers: (readonly PeerId[])[]
  /** Whom it has ever been told of. */
  readonly heardOf: Set<PeerId>
  readonly goings: PeerId[]
}

interface Crowd {
  readonly rooms: Rooms
  /** Lets somebody in from this address; a number of its own stands for an address of its own. */
  enter(address: number, role?: PeerRole): Person
  leave(id: PeerId): void
  addressOf(id: PeerId): number | undefined
}

function gather(seed = 1): Crowd {
  const rooms = createRooms(SIGNALING_LIMITS, createSeededRandom(seed))
  const addresses = new Map<PeerId, number>()
  const people = new Map<PeerId, Person>()
  let serial = 0
  return {
    rooms,
    leave(id) {
      const person = people.get(id)
      if (person !== undefined) rooms.leaveAll(person)
    },
    addressOf: (id) => addresses.get(id),
    enter(address, role = 'leech') {
      const id = toPeerId(`peer-${String(serial++).padStart(6, '0')}`)
      addresses.set(id, address)
      const person: Person = {
        id,
        scope: 'one',
        ...keysOf(address),
        answers: [],
        heardOf: new Set(),
        goings: [],
        send: (signal) => note(people, person, signal),
      }
      people.set(id, person)
      expect(rooms.join(person, SWARM, role)).toBeUndefined()
      return person
    },
  }
}

const keysOf = (address: number) => ({ addressKey: `address ${address}`, lanKey: `lan ${address}` })

function note(people: ReadonlyMap<PeerId, Person>, person: Person, signal: ServerSignal): void {
  if (signal.type === 'peers') {
    person.answers.push(signal.peers.map(({ id }) => id))
    for (const { id } of signal.peers) {
      person.heardOf.add(id)
      // By the offer that follows.
      people.get(id)?.heardOf.add(person.id)
    }
  }
  if (signal.type === 'peer-left') person.goings.push(signal.id)
}

/** Each from an address of its own, beginning with this one. */
function many(crowd: Crowd, count: number, { role = 'leech', first = 1000 }: { role?: PeerRole; first?: number } = {}): readonly Person[] {
  return Array.from({ length: count }, (_, i) => crowd.enter(first + i, role))
}

describe('a crowd in one room', () => {
  test('seats the sixty-fifth and the two hundredth, and tells each of eight peers', () => {
    const crowd = gather()
    const people = many(crowd, 200)
    for (const at of [64, 199]) expect(people[at]?.answers).toEqual([expect.objectContaining({ length: 8 })])
    expect(crowd.rooms.seatCount).toBe(200)
  })

  test('tells nobody of more peers than it would connect to, and leaves enough for who comes late', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const crowd = gather(seed)
      const seed0 = crowd.enter(1, 'seed')
      const people = many(crowd, 300)
      for (const { heardOf } of [seed0, ...people]) expect(heardOf.size).toBeLessThanOrEqual(SIGNALING_LIMITS.knownPeers)
      const late = crowd.enter(2)
      expect(late.answers[0]).toHaveLength(8)
      for (const id of late.answers[0] ?? []) {
        const met = [seed0, ...people].find((person) => person.id === id)
        expect(met?.heardOf).toContain(late.id)
        expect(met?.heardOf.size).toBeLessThanOrEqual(SIGNALING_LIMITS.knownPeers)
      }
    }
  })

  test('spreads who knows whom evenly, so that nobody has to fetch through far fewer links than others', () => {
    const crowd = gather()
    const counts = many(crowd, 300).map(({ heardOf }) => heardOf.size)
    expect(counts.filter((count) => count < 12).length).toBeLessThan(75)
    expect(counts.filter((count) => count === SIGNALING_LIMITS.knownPeers).length).toBeLessThan(15)
  })

  test('hears that somebody has left only as far as it knew of it', () => {
    const crowd = gather()
    const people = many(crowd, 100)
    const [leaver] = people.slice(40)
    if (leaver === undefined) throw new Error('nobody there')
    crowd.rooms.leaveAll(leaver)
    const told = people.filter(({ goings }) => goings.includes(leaver.id))
    expect(told).toEqual(people.filter(({ heardOf }) => heardOf.has(leaver.id)))
    expect(told.length).toBeGreaterThanOrEqual(8)
    expect(told.length).toBeLessThanOrEqual(SIGNALING_LIMITS.knownPeers)
    for (const person of told) crowd.rooms.join(person, SWARM, 'leech')
    expect(told.filter(({ answers }) => answers.at(-1)?.includes(leaver.id))).toEqual([])
  })

  test('meets those who are there, however many have come and gone, and seeds that are seeds still', () => {
    for (const role of ['leech', 'seed'] as const) {
      const crowd = gather()
      const stay = many(crowd, 9).map(({ id }) => id)
      for (const person of many(crowd, 2000, { role, first: 5000 })) crowd.rooms.leaveAll(person)
      expect(crowd.enter(2).answers[0]?.filter((id) => stay.includes(id))).toHaveLength(8)
    }
    const crowd = gather()
    const seed = crowd.enter(1, 'seed')
    for (const person of many(crowd, 2000, { role: 'seed' })) crowd.rooms.join(person, SWARM, 'leech')
    for (const person of many(crowd, 500, { role: 'seed', first: 5000 })) crowd.rooms.leaveAll(person)
    // Whoever knows enough peers is named no more, so it takes some to leave before the seed has places again.
    for (const id of seed.heardOf) crowd.leave(id)
    expect(crowd.enter(2).answers[0]).toContain(seed.id)
  })

  test('leaves no ghost of a member that is cut while it is told of its peers', () => {
    const crowd = gather()
    const there = many(crowd, 3)
    const calls: string[] = []
    const watcher = { onSeat: () => void calls.push('seat'), onLeft: () => void calls.push('left') }
    const rooms = createRooms(SIGNALING_LIMITS, createSeededRandom(1), watcher)
    for (const person of there) rooms.join({ ...person, seats: [], send: person.send }, SWARM, 'leech')
    const slow: Member = {
      id: toPeerId('slow-reader-00'),
      scope: 'one',
      ...keysOf(9),
      send: () => rooms.leaveAll(slow),
    }
    rooms.join(slow, SWARM, 'leech')
    expect(calls.slice(-2)).toEqual(['seat', 'left'])
    expect(rooms.seatCount).toBe(3)
    expect(there.map(({ goings }) => goings)).toEqual([[slow.id], [slow.id], [slow.id]])
    expect(rooms.ownSeats().flatMap(({ knows }) => knows)).not.toContain(slow.id)
  })

  test('introduces somebody who came back from another network to those of that one first', () => {
    const crowd = gather()
    const mover = crowd.enter(1)
    many(crowd, 200)
    Object.assign(mover, keysOf(2))
    crowd.rooms.moved(mover)
    // Whoever knows enough peers is named no more.
    for (const id of mover.heardOf) crowd.leave(id)
    expect(crowd.enter(2).answers[0]).toContain(mover.id)
  })

  test('lets an office behind one address meet its own, and its first eight others too', () => {
    const crowd = gather()
    // Two places of eight are for seeds elsewhere, so that only the rule keeps the office to itself.
    many(crowd, 20, { role: 'seed' })
    many(crowd, 20, { first: 2000 })
    const office = Array.from({ length: 60 }, () => crowd.enter(1))
    const isOwn = (id: PeerId): boolean => crowd.addressOf(id) === 1
    const elsewhere = office.map(({ answers }) => answers.flat().filter((id) => !isOwn(id)).length)
    expect(Math.min(...elsewhere.slice(0, 2))).toBeGreaterThan(0)
    expect(elsewhere.slice(8)).toEqual(Array.from({ length: 52 }, () => 0))
    for (const { answers } of office.slice(8)) expect(answers[0]).toHaveLength(8)
  })

  test('shows a newcomer two of one address elsewhere at most, and others besides, however many of its seats that address holds', () => {
    for (const role of ['leech', 'seed'] as const) {
      const crowd = gather()
      const honest = many(crowd, 10)
      for (let i = 0; i < 250; i++) crowd.enter(1, role)
      const newcomer = crowd.enter(2)
      const ofAttacker = (): number => [...newcomer.heardOf].filter((id) => crowd.addressOf(id) === 1).length
      expect(ofAttacker()).toBeLessThanOrEqual(2)
      expect(newcomer.answers[0]?.filter((id) => honest.some((person) => person.id === id)).length).toBeGreaterThanOrEqual(6)
    }
    const alone = gather()
    for (let i = 0; i < 250; i++) alone.enter(1)
    const newcomer = alone.enter(2)
    for (const turned of ['seed', 'leech', 'seed'] as const) alone.rooms.join(newcomer, SWARM, turned)
    expect(newcomer.heardOf.size).toBe(2)
  })

  test('is open until as many are in it as may be connected, and the next is told so', () => {
    const rooms = createRooms({ ...SIGNALING_LIMITS, roomPeers: 3 }, createSeededRandom(1))
    const join = (name: number) =>
      rooms.join({ id: toPeerId(`peer-00${name}`), scope: '', addressKey: String(name), lanKey: '', send: () => undefined }, SWARM, 'leech')
    expect([1, 2, 3, 4].map((name) => join(name))).toEqual([undefined, undefined, undefined, 'room-full'])
    expect(SIGNALING_LIMITS.roomPeers).toBe(SIGNALING_LIMITS.connections)
  })
})
