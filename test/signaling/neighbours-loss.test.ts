import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toPeerId, type PeerRole, type ServerSignal } from 'sealift/protocol'
import type { Bus, BusListener } from '../../signaling/bus.ts'
import { createCounters } from '../../signaling/counters.ts'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import { createNeighbours, type Neighbours } from '../../signaling/neighbours.ts'
import type { Member } from '../../signaling/room.ts'
import { createRooms, type Rooms } from '../../signaling/rooms.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { OTHER_SWARM, SWARM } from './members.ts'

const NAMES = ['process-number-0', 'process-number-1', 'process-number-2'] as const
const SWARMS = [SWARM, OTHER_SWARM] as const
const MEMBERS = 4
/** Silence is noticed, asked about, answered and acted on. */
const SETTLE_MS = 12_000
const STEP_MS = 250

interface Process {
  readonly id: string
  readonly rooms: Rooms
  readonly neighbours: Neighbours
  readonly members: readonly (Member & { readonly heard: ServerSignal[] })[]
}

/** A bus that keeps the order of what one process says, and loses what a test wants lost. */
class LossyBus {
  readonly #listeners = new Map<string, BusListener>()
  readonly #queue: { readonly text: string; readonly to: string | undefined }[] = []
  isLossy = false

  of(): Bus {
    return {
      open: ({ id, salt }, listener) => {
        this.#listeners.set(id, listener)
        listener.onOnline(salt)
      },
      publish: (text, to) => {
        if (!this.isLossy) this.#queue.push({ text, to })
      },
      close: async () => undefined,
    }
  }

  deliver(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      for (const [id, { onText }] of this.#listeners) if (next.to === undefined || next.to === id) onText(next.text)
  }

  say(text: string): void {
    for (const { onText } of this.#listeners.values()) onText(text)
  }
}

function deployment(seed: number) {
  const bus = new LossyBus()
  const counters = createCounters()
  let nowMs = 0
  const random = createSeededRandom(seed)
  const clock = { monotonicMs: () => nowMs, nowMs: () => nowMs, sleep: () => Promise.reject(new Error('nobody sleeps here')) }
  const processes = NAMES.map((id, at): Process => {
    const options = { id, bus: bus.of(), salt: new Uint8Array(32), random, clock, counters, log: () => undefined }
    const neighbours: Neighbours = createNeighbours({ ...options, rooms: () => rooms, onSig: () => undefined, onSalt: () => undefined })
    const rooms = createRooms(SIGNALING_LIMITS, random, neighbours)
    const members = Array.from({ length: MEMBERS }, (_, place) => {
      const heard: ServerSignal[] = []
      const name = `member-${at}-${place}`
      return {
        id: toPeerId(name),
        scope: 'all',
        addressKey: name,
        lanKey: name,
        heard,
        send: (signal: ServerSignal) => void heard.push(signal),
      }
    })
    return { id, rooms, neighbours, members }
  })
  const settle = (): void => {
    for (let passed = 0; passed < SETTLE_MS; passed += STEP_MS) {
      nowMs += STEP_MS
      for (const { neighbours } of processes) neighbours.sweep()
      bus.deliver()
    }
  }
  settle()
  return { bus, counters, processes, settle }
}

/** What a process believes of everybody. */
function viewOf({ rooms }: Process, processes: readonly Process[]): readonly string[] {
  return processes.flatMap(({ members }) =>
    members.flatMap((member) => SWARMS.map((swarm) => `${member.id} ${swarm} ${rooms.roleOf(member, swarm) ?? 'absent'}`)),
  )
}

const act = fc.record({
  process: fc.nat({ max: NAMES.length - 1 }),
  member: fc.nat({ max: MEMBERS - 1 }),
  swarm: fc.constantFrom(...SWARMS),
  what: fc.constantFrom<PeerRole | 'leave' | 'leave all' | 'deliver' | 'lossy' | 'whole'>(
    'leech',
    'seed',
    'leave',
    'leave all',
    'deliver',
    'lossy',
    'whole',
  ),
})

test('I22: whatever is lost between processes, all of them soon believe the same of every member', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), fc.nat(), (acts, seed) => {
      const { bus, processes, settle } = deployment(seed)
      for (const { process, member, swarm, what } of acts) {
        const { rooms, members } = processes[process] ?? {}
        const own = members?.[member]
        if (rooms === undefined || own === undefined) continue
        if (what === 'lossy' || what === 'whole') bus.isLossy = what === 'lossy'
        else if (what === 'deliver') bus.deliver()
        else if (what === 'leave') rooms.leave(own, swarm)
        else if (what === 'leave all') rooms.leaveAll(own)
        else rooms.join(own, swarm, what)
      }
      bus.isLossy = false
      settle()
      const [first, ...others] = processes.map((process) => viewOf(process, processes))
      for (const other of others) expect(other).toEqual(first)
      for (const { rooms, neighbours, members } of processes) {
        expect(neighbours.size).toBe(NAMES.length - 1)
        for (const member of members) rooms.leaveAll(member)
      }
      settle()
      for (const { rooms, neighbours } of processes) expect([rooms.roomCount, neighbours.guests]).toEqual([0, 0])
    }),
    { numRuns: 300 },
  )
})

describe('what comes over the bus is checked', () => {
  const seat = { scope: 'all', swarm: SWARM, id: 'member-0-0', role: 'seed', lanKey: 'lan', addressKey: 'house', told: [] }
  test.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['no sender', JSON.stringify({ type: 'ask' })],
    ['a sender that is no name', JSON.stringify({ from: '../../etc/passwd', type: 'ask' })],
    ['an unknown type', JSON.stringify({ from: 'process-number-9', type: 'obey' })],
    ['a count that is none', JSON.stringify({ from: 'process-number-9', type: 'beat', n: -1 })],
    ['a seat without a role', JSON.stringify({ from: 'process-number-9', type: 'seat', n: 1, seat: { ...seat, role: 'king' } })],
    [
      'a signal that only the server itself gives',
      JSON.stringify({
        from: 'process-number-9',
        type: 'sig',
        to: 'member-0-0',
        signal: { type: 'peer-left', swarm: SWARM, id: 'member-0-1' },
      }),
    ],
    [
      'too many seats',
      JSON.stringify({ from: 'process-number-9', type: 'seats', n: 1, isFirst: true, isLast: true, seats: Array(257).fill(seat) }),
    ],
  ])('%s is counted, and nothing else', (_name, text) => {
    const { bus, counters, processes } = deployment(1)
    bus.say(text)
    expect(counters.get('bus_bad_total')).toBe(NAMES.length)
    for (const { neighbours } of processes) expect([neighbours.size, neighbours.guests]).toEqual([NAMES.length - 1, 0])
  })

  test('no process speaks for a member of another', () => {
    const { bus, processes, settle } = deployment(1)
    const [{ rooms, members } = {}] = processes
    const [own, second] = members ?? []
    if (rooms === undefined || own === undefined || second === undefined) throw new Error('expected two members')
    rooms.join(own, SWARM, 'leech')
    settle()
    bus.say(JSON.stringify({ from: 'process-number-9', type: 'seats', n: 1, isFirst: true, isLast: true, seats: [seat] }))
    bus.say(JSON.stringify({ from: 'process-number-9', type: 'left', n: 2, swarm: SWARM, id: 'member-0-0' }))
    expect(rooms.roleOf(own, SWARM)).toBe('leech')
    rooms.join(second, SWARM, 'leech')
    expect(second.heard.at(-1)).toMatchObject({ type: 'peers', peers: [{ id: own.id }] })
  })
})
