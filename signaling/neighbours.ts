import type { Clock, PeerId, PeerRole, ServerSignal, SwarmId } from 'sealift/protocol'
import type { Bus } from './bus.ts'
import type { Counters } from './counters.ts'
import type { Log } from './log.ts'
import {
  encodeNeighbourMessage,
  parseNeighbourMessage,
  SEATS_PER_PART,
  type NeighbourMessage,
  type SharedSeat,
  type SigSignal,
} from './neighbour-message.ts'
import type { Member } from './room.ts'
import type { OwnSeat, Rooms } from './rooms.ts'

/**
 * Several processes of one deployment share their rooms. Each tells the others of its members and keeps a copy of theirs, so that it introduces
 * its own to anybody without asking. What is lost on the way is noticed by counting and asked for again; who is silent is gone.
 */
export interface Neighbours {
  /** Of other processes that are heard. */
  readonly size: number
  /** Members of others. */
  readonly guests: number
  onSeat(member: Member, swarm: SwarmId, role: PeerRole, told: readonly PeerId[]): void
  onLeft(member: Member, swarm: SwarmId): void
  /** Says that it is there, and looks who is not any more. Call it several times in a second. */
  sweep(): void
  /** Says that it ends. */
  leave(): void
}

export interface NeighboursOptions {
  readonly id: string
  readonly bus: Bus
  readonly salt: Uint8Array
  /** Has no members yet. */
  readonly rooms: () => Rooms
  /** A signal for somebody of this process. */
  readonly onSig: (to: PeerId, signal: SigSignal) => void
  readonly onSalt: (salt: Uint8Array) => void
  readonly random: () => number
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
}

const BEAT_MS = 1000
/** Peers of a process that died are told of within five seconds. */
const SILENT_MS = 3500
/** An answer is waited for before it is asked for again. */
const ASK_AGAIN_MS = 1000
/**
 * After rooms came together, so long, and some of the next second by chance: all processes introduce theirs, and see what others did. Not sooner than every other
 * process has said that it is there and was asked: who is introduced to somebody whose process does not know it yet gets no answer.
 */
const INTRODUCE_AFTER_MS = 2 * BEAT_MS
const INTRODUCE_SPREAD_MS = 1000

/** Another process, and what it has said of its seats. */
interface Neighbour {
  readonly id: string
  heardAtMs: number
  askedAtMs: number
  /** Undefined until all of its seats are known. */
  n: number | undefined
  readonly guests: Map<PeerId, Guest>
  /** Seats of the answer that is coming in. */
  coming: Set<string> | undefined
}

interface Guest extends Member {
  lanKey: string
  addressKey: string
  readonly swarms: Set<SwarmId>
}

export function createNeighbours(options: NeighboursOptions): Neighbours {
  return new BusNeighbours(options)
}

class BusNeighbours implements Neighbours {
  readonly #options: NeighboursOptions
  readonly #neighbours = new Map<string, Neighbour>()
  #said = 0
  #beatAtMs = Number.NEGATIVE_INFINITY
  #introduceAtMs = Number.POSITIVE_INFINITY
  #isLeaving = false

  constructor(options: NeighboursOptions) {
    this.#options = options
    const { id, bus, salt, log, counters, onSalt } = options
    bus.open(
      { id, salt },
      {
        onOnline: (shared) => {
          onSalt(shared)
          log('bus-online', {})
          this.#beat()
        },
        onOffline: (detail) => log('bus-offline', { detail }),
        onText: (text) => this.#onText(text),
        onLost: () => counters.add('bus_lost_total'),
      },
    )
  }

  get size(): number {
    return this.#neighbours.size
  }

  get guests(): number {
    return [...this.#neighbours.values()].reduce((sum, { guests }) => sum + guests.size, 0)
  }

  onSeat({ scope, id, lanKey, addressKey }: Member, swarm: SwarmId, role: PeerRole, told: readonly PeerId[]): void {
    this.#say({ type: 'seat', n: ++this.#said, seat: { scope, swarm, id, role, lanKey, addressKey, told } })
  }

  onLeft({ id }: Member, swarm: SwarmId): void {
    this.#say({ type: 'left', n: ++this.#said, swarm, id })
  }

  sweep(): void {
    const nowMs = this.#nowMs
    if (nowMs - this.#beatAtMs >= BEAT_MS) this.#beat()
    for (const neighbour of this.#neighbours.values()) {
      if (nowMs - neighbour.heardAtMs < SILENT_MS) continue
      this.#options.log('neighbour-silent', { neighbour: neighbour.id, members: neighbour.guests.size })
      this.#forget(neighbour)
    }
    if (nowMs < this.#introduceAtMs) return
    this.#introduceAtMs = Number.POSITIVE_INFINITY
    this.#options.rooms().introduceMore()
  }

  leave(): void {
    this.#say({ type: 'gone' })
    this.#isLeaving = true
    for (const neighbour of this.#neighbours.values()) this.#forget(neighbour)
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  #beat(): void {
    this.#beatAtMs = this.#nowMs
    this.#say({ type: 'beat', n: this.#said })
  }

  #say(said: Omitted<NeighbourMessage>, to?: string): void {
    if (!this.#isLeaving) this.#options.bus.publish(encodeNeighbourMessage({ from: this.#options.id, ...said }), to)
  }

  #onText(text: string): void {
    const message = parseNeighbourMessage(text)
    if (message === undefined) this.#options.counters.add('bus_bad_total')
    else if (message.from !== this.#options.id && !this.#isLeaving) this.#hear(this.#meet(message.from), message)
  }

  #hear(neighbour: Neighbour, message: NeighbourMessage): void {
    neighbour.heardAtMs = this.#nowMs
    switch (message.type) {
      case 'beat':
        return this.#catchUp(neighbour, message.n)
      case 'ask':
        return this.#tellAll(message.from)
      case 'seats':
        return this.#take(neighbour, message)
      case 'seat':
        if (this.#isNext(neighbour, message.n)) this.#seat(neighbour, message.seat)
        return
      case 'left':
        if (this.#isNext(neighbour, message.n)) this.#leaveRoom(neighbour, message.id, message.swarm)
        return
      case 'gone':
        return this.#forget(neighbour)
      case 'sig':
        return this.#options.onSig(message.to, message.signal)
    }
  }

  #meet(id: string): Neighbour {
    const known = this.#neighbours.get(id)
    if (known !== undefined) return known
    const heardAtMs = this.#nowMs
    const neighbour: Neighbour = { id, heardAtMs, askedAtMs: -Infinity, n: undefined, guests: new Map(), coming: undefined }
    this.#neighbours.set(id, neighbour)
    return neighbour
  }

  /** True when nothing that it said before was missed. */
  #isNext(neighbour: Neighbour, n: number): boolean {
    if (neighbour.n === n - 1) {
      neighbour.n = n
      return true
    }
    this.#catchUp(neighbour, n)
    return false
  }

  #catchUp(neighbour: Neighbour, n: number): void {
    const nowMs = this.#nowMs
    // What is older than its last answer was on its way when it answered.
    if ((neighbour.n ?? -1) >= n || nowMs - neighbour.askedAtMs < ASK_AGAIN_MS) return
    neighbour.askedAtMs = nowMs
    neighbour.coming = undefined
    this.#say({ type: 'ask' }, neighbour.id)
  }

  /** In one go, so that nothing changes in between. */
  #tellAll(to: string): void {
    const seats = this.#options.rooms().ownSeats().map(toShared)
    const n = this.#said
    for (let at = 0; at === 0 || at < seats.length; at += SEATS_PER_PART) {
      const isLast = at + SEATS_PER_PART >= seats.length
      this.#say({ type: 'seats', n, isFirst: at === 0, isLast, seats: seats.slice(at, at + SEATS_PER_PART) }, to)
    }
  }

  #take(neighbour: Neighbour, { n, isFirst, isLast, seats }: Extract<NeighbourMessage, { type: 'seats' }>): void {
    if (isFirst) neighbour.coming = new Set()
    if (neighbour.coming === undefined) return
    for (const seat of seats) {
      neighbour.coming.add(`${seat.id} ${seat.swarm}`)
      this.#seat(neighbour, seat)
    }
    if (!isLast) return
    for (const guest of neighbour.guests.values())
      for (const swarm of guest.swarms) if (!neighbour.coming.has(`${guest.id} ${swarm}`)) this.#leaveRoom(neighbour, guest.id, swarm)
    neighbour.coming = undefined
    neighbour.n = n
    this.#introduceAtMs = Math.min(this.#introduceAtMs, this.#nowMs + INTRODUCE_AFTER_MS + INTRODUCE_SPREAD_MS * this.#options.random())
  }

  #seat(neighbour: Neighbour, { id, scope, swarm, role, lanKey, addressKey, told }: SharedSeat): void {
    const known = neighbour.guests.get(id)
    const guest: Guest = known ?? {
      id,
      scope,
      lanKey,
      addressKey,
      home: neighbour.id,
      swarms: new Set(),
      send: (signal) => this.#pass(neighbour.id, id, signal),
    }
    if (guest.scope !== scope) return
    // It may have come back from another address.
    guest.lanKey = lanKey
    guest.addressKey = addressKey
    neighbour.guests.set(id, guest)
    guest.swarms.add(swarm)
    this.#options.rooms().seatGuest(guest, swarm, { role, told })
  }

  #leaveRoom(neighbour: Neighbour, id: PeerId, swarm: SwarmId): void {
    const guest = neighbour.guests.get(id)
    if (guest === undefined) return
    guest.swarms.delete(swarm)
    if (guest.swarms.size === 0) neighbour.guests.delete(id)
    this.#options.rooms().leave(guest, swarm)
  }

  #forget(neighbour: Neighbour): void {
    this.#neighbours.delete(neighbour.id)
    for (const guest of neighbour.guests.values()) this.#options.rooms().leaveAll(guest)
  }

  /** Who joined and who left its own process tells it: it hears of both as we do. */
  #pass(home: string, to: PeerId, signal: ServerSignal): void {
    if (signal.type === 'sig') this.#say({ type: 'sig', to, signal }, home)
  }
}

type Omitted<T> = T extends unknown ? Omit<T, 'from'> : never

function toShared({ member: { scope, id, lanKey, addressKey }, swarm, role, knows }: OwnSeat): SharedSeat {
  return { scope, swarm, id, role, lanKey, addressKey, told: knows }
}
