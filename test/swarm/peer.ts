import { DeliveryError } from '../../src/core/errors.ts'
import { pieceRange, type Artifact } from '../../src/core/model/artifact.ts'
import { createBitfield } from '../../src/core/model/bitfield.ts'
import { toPeerSourceId, toPieceIndex, type PieceIndex, type SourceId } from '../../src/core/model/ids.ts'
import { createReputation, type Reputation } from '../../src/core/plan/reputation.ts'
import { TIMING } from '../../src/core/plan/timers.ts'
import type { Hasher, Source, SourceSet, StoredArtifact } from '../../src/core/ports.ts'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { OPEN_REQUESTS } from '../../src/sources/mesh/session-limits.ts'
import { Line, Uplink, type Flow } from './line.ts'
import { PROBE_MS } from '../../src/sources/mesh/peer-session.ts'
import { QUEUE_MS, RETRY_MS, RETRY_SPREAD_MS } from '../../src/sources/mesh/uploads.ts'
import type { WantedPiece } from '../../src/sources/mesh/upload-slots.ts'
import type { SimClock } from './sim-clock.ts'
import { openSlots, type PeerSlots, type SlotHolder, type SlotLane } from './slots.ts'

/** What all peers of a simulation share. */
export interface World {
  readonly clock: SimClock
  readonly random: () => number
  readonly artifact: Artifact
  readonly bytes: Uint8Array
  readonly hasher: Hasher
  /** One quarter of a piece over an uplink. */
  readonly quantumMs: number
  /** Between any two peers, one way. */
  readonly latencyMs: number
  /** Between the networks, one for each way; undefined: there is but one network. */
  readonly thin: readonly [Line, Line] | undefined
  /** Quanta that crossed it. */
  crossed: number
}

export type Conduct = 'honest' | 'free-rider' | 'polluter'

/** Quanta of a piece. */
export const QUANTA = 4
/** Quanta on their way over one link: receivers give credit for no more, and for less when they have to wait for what is on its way. */
const CREDIT = 2
const CREDIT_QUEUED = 1
const LONG_QUEUE = 2
/** The scheduler is told of offers at once, and of what follows together: a page passes on each peer's twice as late, and one peer's at a time. */
const TELL_MS = 50

/** One browser: downloads with the product's scheduler, and serves what it has verified. */
export class SimPeer {
  readonly id: SourceId
  readonly conduct: Conduct
  readonly lan: number
  readonly world: World
  /** Verified, and offered. */
  readonly have: Uint8Array
  readonly downlink: Line
  readonly uplink: Uplink
  readonly slots: PeerSlots
  readonly ends = new Map<SimPeer, LinkEnd>()
  readonly reputation: Reputation = createReputation()
  readonly #listeners = new Set<() => void>()
  readonly #stop = new AbortController()
  #isToBeTold = false
  #toldAtMs = -Infinity
  hasAll = false
  isGone = false
  joinedAtMs = 0
  doneAtMs: number | undefined
  onDone: () => void = () => undefined
  onGone: () => void = () => undefined
  readonly #banned = new Set<SourceId>()
  failure: unknown

  constructor(world: World, name: number, role: { readonly conduct: Conduct; readonly lan: number; readonly isSeed: boolean }) {
    this.world = world
    this.id = toPeerSourceId(String(name))
    this.conduct = role.conduct
    this.lan = role.lan
    this.have = new Uint8Array(Math.ceil(world.artifact.pieces.count / 8))
    this.downlink = new Line(world.quantumMs)
    this.uplink = new Uplink(world.clock, world.quantumMs)
    this.slots = openSlots(role.conduct !== 'free-rider', (holder) => holder instanceof LinkEnd && world.thin !== undefined && holder.isLan)
    if (role.isSeed || role.conduct === 'polluter') this.hasAll = true
  }

  get isDownloading(): boolean {
    return !this.hasAll && !this.isGone
  }

  /** Not one that is connected already, or that was banned. */
  isWelcome(other: SimPeer): boolean {
    return !this.isGone && !this.ends.has(other) && !this.#banned.has(other.id)
  }

  connect(other: SimPeer): void {
    this.ends.set(other, new LinkEnd(this, other))
    other.ends.set(this, new LinkEnd(other, this))
    this.tell()
    other.tell()
  }

  disconnect(other: SimPeer): void {
    for (const [one, far] of [
      [this, other],
      [other, this],
    ] as const) {
      one.ends.get(far)?.close()
      one.ends.delete(far)
      one.tell()
    }
  }

  /** @param isSaid whether it said goodbye; else the others find out */
  leave(isSaid: boolean): void {
    this.isGone = true
    this.onGone()
    this.#stop.abort(new Error('left'))
    for (const end of this.ends.values()) end.stopServing()
    const { clock, latencyMs } = this.world
    // Signaling says that it left, and a ping is not answered.
    clock.at(clock.monotonicMs() + (isSaid ? latencyMs : PROBE_MS), () => {
      for (const other of this.ends.keys()) this.disconnect(other)
    })
  }

  /** The offers that this one sees changed. */
  tell(): void {
    if (this.#isToBeTold || this.#listeners.size === 0) return
    this.#isToBeTold = true
    const { clock, latencyMs } = this.world
    clock.at(Math.max(clock.monotonicMs() + latencyMs, this.#toldAtMs + TELL_MS), () => {
      this.#isToBeTold = false
      this.#toldAtMs = clock.monotonicMs()
      for (const listener of this.#listeners) listener()
    })
  }

  start(): void {
    const { artifact, clock, random, hasher } = this.world
    this.joinedAtMs = clock.monotonicMs()
    if (!this.isDownloading) return
    const tools = {
      sources: this.#sourceSet(),
      policy: { tiers: ['mesh'] as const },
      reputation: this.reputation,
      roster: createRoster(clock),
      clock,
      random,
      runPeers,
      hasher,
      // In proportion to pieces of 32 bytes that stand for 1 MiB.
      timing: { ...TIMING, floorBytesPerSecond: 2 },
      mostPieces: 16,
    }
    const observer = {
      onPiece: () => undefined,
      onReceived: () => undefined,
      onTrouble: ({ source, isBanned }: { readonly source: SourceId; readonly isBanned: boolean }) => {
        if (isBanned) this.#drop(source)
      },
    }
    deliverPieces({ artifact, stored: this.#store(), observer }, tools, this.#stop.signal).then(
      () => {
        this.doneAtMs = clock.monotonicMs()
        this.hasAll = true
        if (!this.isGone) this.onDone()
      },
      (error: unknown) => {
        this.failure = error
      },
    )
  }

  #sourceSet(): SourceSet {
    return {
      current: () => [...this.ends.values()].map(({ source }) => source),
      catalogues: () => [],
      onChange: (listener) => {
        this.#listeners.add(listener)
        return () => void this.#listeners.delete(listener)
      },
      want: () => undefined,
      isGrowing: () => true,
    }
  }

  #drop(source: SourceId): void {
    this.#banned.add(source)
    for (const other of this.ends.keys()) if (other.id === source) this.disconnect(other)
  }

  /** Notes what was verified, and tells it to all who are connected: a peer serves while it still fetches. */
  #store(): StoredArtifact {
    const stored = createBitfield(this.world.artifact.pieces.count)
    return {
      stored,
      origins: () => new Map(),
      put: async ({ index }) => {
        stored.add(index)
        if (this.conduct === 'free-rider') return
        this.have[index >> 3] = (this.have[index >> 3] ?? 0) | (0x80 >> (index & 7))
        for (const other of this.ends.keys()) if (other.isDownloading) other.tell()
      },
      read: () => Promise.reject(new Error('nobody reads it back')),
      forget: async () => undefined,
      close: async () => undefined,
    }
  }
}

/** A request for one piece, as both ends see it. */
interface Request {
  readonly piece: PieceIndex
  sent: number
  isServed: boolean
  /** Through the downlink. */
  arrived: number
  state: 'open' | 'done' | 'failed'
  failure: DeliveryError | undefined
  wake: () => void
}

/** One side of a connection: asks the far peer, and answers it. */
class LinkEnd implements Flow, SlotHolder {
  readonly #own: SimPeer
  readonly #far: SimPeer
  readonly source: Source
  /** What the far peer asked for, oldest first. */
  readonly #served: Request[] = []
  readonly #asked = new Set<Request>()
  /** Quanta that have left the uplink and not arrived. */
  #onTheWay = 0
  readonly #lane: SlotLane
  #isClosed = false
  servedBytes = 0

  constructor(own: SimPeer, far: SimPeer) {
    this.#own = own
    this.#far = far
    this.#lane = own.slots.open(this)
    this.source = {
      id: far.id,
      tier: 'mesh',
      maxRunPieces: 1,
      isLan: own.lan === far.lan,
      isOffered: (_blob, piece) => far.hasAll || ((far.have[piece >> 3] ?? 0) & (0x80 >> (piece & 7))) !== 0,
      offered: () => (far.hasAll ? 'all' : far.have),
      read: (_blob, range, signal) => this.#read(toPieceIndex(range.start / own.world.artifact.pieces.lengthBytes), signal),
    }
  }

  async *#read(piece: PieceIndex, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { clock, latencyMs, artifact, bytes } = this.#own.world
    signal.throwIfAborted()
    const request: Request = { piece, sent: 0, isServed: false, arrived: 0, state: 'open', failure: undefined, wake: () => undefined }
    const far = this.#far.ends.get(this.#own)
    if (this.#isClosed || far === undefined) throw new DeliveryError({ code: 'peer-closed', detail: 'gone' })
    this.#asked.add(request)
    clock.at(clock.monotonicMs() + latencyMs, () => far.onRequest(request))
    const onAbort = (): void => request.wake()
    signal.addEventListener('abort', onAbort, { once: true })
    const { start } = pieceRange(artifact, piece)
    const step = artifact.pieces.lengthBytes / QUANTA
    let read = 0
    try {
      while (read < QUANTA) {
        signal.throwIfAborted()
        if (request.arrived > read) {
          const chunk = bytes.slice(start + read * step, start + request.arrived * step)
          read = request.arrived
          if (this.#far.conduct === 'polluter') chunk[0] = (chunk[0] ?? 0) ^ 0xff
          yield chunk
          continue
        }
        if (request.failure !== undefined) throw request.failure
        await new Promise<void>((resolve) => (request.wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#asked.delete(request)
      if (request.state === 'open') clock.at(clock.monotonicMs() + latencyMs, () => far.onCancel(request))
    }
  }

  get isLan(): boolean {
    return this.#own.lan === this.#far.lan
  }

  onRequest(request: Request): void {
    if (this.#own.isGone || this.#isClosed) return
    const { clock } = this.#own.world
    const place = this.#served.length >= OPEN_REQUESTS ? 'full' : this.#lane.enter(this.#wanted(request))
    if (place === 'full') return this.#refuse(request)
    this.#served.push(request)
    if (place === 'taken') return this.#begin(request)
    clock.at(clock.monotonicMs() + QUEUE_MS, () => {
      if (request.isServed || !this.#served.includes(request)) return
      this.#refuse(request)
      this.#finish(request)
    })
  }

  onSlot(): void {
    for (const request of this.#served) if (!request.isServed) this.#begin(request)
  }

  onCancel(request: Request): void {
    if (!this.#served.includes(request)) return
    request.state = 'failed'
    this.#finish(request)
  }

  #begin(request: Request): void {
    request.isServed = true
    this.#own.slots.noteGiven(this.#wanted(request))
    if (this.#served.filter(({ isServed }) => isServed).length === 1) this.#own.uplink.add(this)
    else this.#own.uplink.wake()
  }

  #wanted({ piece }: Request): WantedPiece {
    return { digest: this.#own.world.artifact.sha256, piece }
  }

  #refuse(request: Request): void {
    const { clock, random, latencyMs } = this.#own.world
    const retryMs = Math.floor(RETRY_MS + random() * RETRY_SPREAD_MS)
    const failure = new DeliveryError({ code: 'source-refused', source: this.#own.id, detail: 'busy', retryMs })
    clock.at(clock.monotonicMs() + latencyMs, () => fail(request, failure))
  }

  canSend(): boolean {
    return this.#sending() !== undefined
  }

  onSent(atMs: number): void {
    const { world } = this.#own
    const { clock, latencyMs, thin } = world
    const request = this.#sending()
    // Cancelled while it was sent.
    if (request === undefined) return
    request.sent++
    this.servedBytes++
    this.#onTheWay++
    let arrivesAtMs = atMs + latencyMs
    const way = this.#own.lan < this.#far.lan ? 0 : 1
    if (thin !== undefined && this.#own.lan !== this.#far.lan) {
      world.crossed++
      arrivesAtMs = thin[way].pass(arrivesAtMs)
    }
    const throughAtMs = this.#far.downlink.pass(arrivesAtMs)
    if (request.sent === QUANTA) this.#finish(request)
    clock.at(throughAtMs, () => {
      this.#onTheWay--
      request.arrived++
      if (request.arrived === QUANTA) request.state = 'done'
      request.wake()
      this.#own.uplink.wake()
    })
  }

  #sending(): Request | undefined {
    if (this.#own.isGone || this.#served.length === 0) return undefined
    const isQueued = this.#far.downlink.backlog(this.#own.world.clock.monotonicMs()) > LONG_QUEUE
    return this.#onTheWay < (isQueued ? CREDIT_QUEUED : CREDIT) ? this.#served.find(({ isServed }) => isServed) : undefined
  }

  /** Once nothing is served any more, others get the slot; what was asked for meanwhile stands behind those who waited. */
  #finish(request: Request): void {
    this.#served.splice(this.#served.indexOf(request), 1)
    if (this.#served.some(({ isServed }) => isServed)) return
    this.#own.uplink.remove(this)
    this.#lane.leave()
    const [next] = this.#served
    if (next !== undefined && this.#lane.enter(this.#wanted(next)) === 'taken') this.onSlot()
  }

  stopServing(): void {
    this.#served.length = 0
    this.#own.uplink.remove(this)
    this.#lane.leave()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.stopServing()
    const failure = new DeliveryError({ code: 'peer-closed', detail: 'the link is gone' })
    for (const request of this.#asked) fail(request, failure)
  }
}

function fail(request: Request, failure: DeliveryError): void {
  if (request.state !== 'open') return
  request.state = 'failed'
  request.failure = failure
  request.wake()
}
