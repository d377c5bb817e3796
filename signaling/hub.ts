import { randomBytes } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { encodeServerSignal, parseServerSignal, toPeerId, type Clock, type IceServer } from 'sealift/protocol'
import { WebSocketServer } from 'ws'
import { Agenda } from './agenda.ts'
import { createAddressBook, type Address, type AddressBook } from './address-book.ts'
import { clientAddress } from './address.ts'
import { createAdmission, type AdmissionMode } from './admission.ts'
import type { Bus } from './bus.ts'
import { openConnection, OwnedSocket, type Caller, type Connection, type ConnectionHouse } from './connection.ts'
import { createCounters, type Counters } from './counters.ts'
import { withLimits, type SignalingLimits } from './limits.ts'
import type { Log } from './log.ts'
import { limitOpenLines, type OpenLines } from './open-lines.ts'
import { createNeighbours, type Neighbours } from './neighbours.ts'
import { createRandomKeys } from './random-keys.ts'
import { createRooms, type Rooms } from './rooms.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createSystemClock } from './system-clock.ts'
import { createTurnWrites } from './turn-writes.ts'
import { createIce, type IceFor, type TurnOptions } from './turn.ts'

/** What a server is made of, but for where it listens. */
export interface HubOptions {
  readonly admission: AdmissionMode
  /** Exact origins of the pages that may connect, for example `https://portal.example`. */
  readonly origins: readonly string[]
  /** Addresses of proxies whose `X-Forwarded-For` counts. Default none. */
  readonly trustedProxies?: readonly string[]
  /** STUN and TURN servers that clients are told of. Default none. */
  readonly ice?: readonly IceServer[]
  /** Credentials for these end. Default none. */
  readonly turn?: TurnOptions
  readonly limits?: Partial<SignalingLimits>
  /** Shares rooms with every process on the same one. Default: none, this process is all there is. */
  readonly bus?: Bus
  /** Default: the machine's. */
  readonly clock?: Clock
  /** Chooses peers and spreads the return after a drain: 0 to below 1. Default `Math.random`. Ids come from a stronger source. */
  readonly random?: () => number
  /** Default: nothing is logged. */
  readonly log?: Log
}

/** How much the server holds now. All 0 once every socket is closed, but `addresses`, which are forgotten a little later. */
export interface SignalingCounts {
  readonly connections: number
  readonly sessions: number
  readonly rooms: number
  readonly seats: number
  readonly addresses: number
  /** Other processes that are heard, and members of theirs in the rooms here. */
  readonly neighbours: number
  readonly guests: number
}

type Judgement =
  | { readonly address: Address; readonly refusal?: undefined }
  | { readonly address?: undefined; readonly refusal: { readonly status: string; readonly reason: string } }

/** What all sockets share. */
export class Hub {
  readonly limits: SignalingLimits
  readonly #clock: Clock
  readonly #random: () => number
  readonly #log: Log
  readonly #admission
  readonly #rooms: Rooms
  readonly #sessions: Sessions
  readonly #addresses: AddressBook
  readonly #counters: Counters = createCounters()
  readonly #connections: Agenda<Connection>
  /** What is the same for every connection, once. */
  readonly #house: ConnectionHouse
  readonly #trustedProxies: ReadonlySet<string>
  readonly #bus: Bus | undefined
  readonly #neighbours: Neighbours | undefined
  readonly #stop = new AbortController()
  readonly #sockets
  #lines: OpenLines | undefined
  #isDraining = false
  #loopBefore = performance.eventLoopUtilization()
  #onEmpty: readonly (() => void)[] = []

  constructor(options: HubOptions) {
    this.limits = withLimits(options.limits ?? {})
    this.#clock = options.clock ?? createSystemClock()
    this.#connections = new Agenda(this.limits.sweepIntervalMs)
    this.#random = options.random ?? Math.random
    this.#log = options.log ?? (() => {})
    this.#admission = createAdmission(options.admission, options.origins)
    this.#bus = options.bus
    // New at every start, so that keys of addresses cannot be compared over time; with other processes, the one that all have.
    const salt = randomBytes(32)
    this.#addresses = createAddressBook(this.limits, salt)
    this.#neighbours = options.bus === undefined ? undefined : this.#meetOthers(options.bus, salt)
    this.#rooms = createRooms(this.limits, this.#random, this.#neighbours)
    const iceFor = createIce(options.ice ?? [], options.turn)
    requireIce(iceFor)
    this.#trustedProxies = new Set(options.trustedProxies ?? [])
    this.#sessions = createSessions({
      admission: this.#admission,
      rooms: this.#rooms,
      limits: this.limits,
      clock: this.#clock,
      counters: this.#counters,
      iceFor,
      randomKey: createRandomKeys(),
    })
    this.#house = {
      turn: createTurnWrites(),
      limits: this.limits,
      messageRate: { burst: this.limits.messageBurst, perSecond: this.limits.messagesPerSecond },
      clock: this.#clock,
      counters: this.#counters,
      log: this.#log,
      onSignal: (from, signal) => this.#sessions.handle(from, signal),
      onGone: (gone) => {
        this.#connections.set(gone, this.#clock.monotonicMs() + this.limits.closeTimeoutMs)
        this.#sessions.end(gone)
      },
      onClosed: (closed) => this.#forget(closed),
    }
    // Deflate costs fifteen times the memory per socket, for messages of a few hundred bytes.
    this.#sockets = new WebSocketServer({
      WebSocket: OwnedSocket,
      noServer: true,
      // A function more for each socket; connections answer themselves.
      autoPong: false,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: this.limits.messageBytes,
    })
  }

  serve(front: Server, isTls: boolean): void {
    front.on('upgrade', this.#onUpgrade)
    this.#lines = limitOpenLines(front, {
      perAddress: this.limits.connectionsPerAddress + this.limits.requestsPerAddress,
      // Below TLS is a line of its own, which stays.
      socketsOf: isTls ? () => 0 : (key) => this.#addresses.socketsOf(key),
      exempt: this.#trustedProxies,
      onCut: () => this.#counters.add('lines_cut_total'),
    })
  }

  readonly isReady = (): boolean => !this.#isDraining

  readonly counts = (): SignalingCounts => ({
    connections: this.#connections.size,
    sessions: this.#sessions.size,
    rooms: this.#rooms.roomCount,
    seats: this.#rooms.seatCount,
    addresses: this.#addresses.size,
    neighbours: this.#neighbours?.size ?? 0,
    guests: this.#neighbours?.guests ?? 0,
  })

  readonly metricsText = (): string => {
    // Since the last time it was asked: an average since the start would show nobody that it is busy now.
    const [now, before] = [performance.eventLoopUtilization(), this.#loopBefore]
    this.#loopBefore = now
    return this.#counters.render({
      ...this.counts(),
      resident_memory_bytes: process.memoryUsage.rss(),
      event_loop_utilization: performance.eventLoopUtilization(now, before).utilization,
    })
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const { address, refusal } = this.#judge(request)
    if (address === undefined) {
      this.#counters.add('upgrades_refused_total', refusal.reason)
      // The HTTP server has let go of the socket: an error on it would otherwise end the process.
      socket.on('error', ignore)
      socket.end(`HTTP/1.1 ${refusal.status}\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n`, () => socket.destroy())
      return
    }
    // Before it returns. Nothing that lasts may close over the request: it would stay as long as its connection, at kibibytes each.
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open(webSocket, { line: request.socket, origin: request.headers.origin, address })
    })
  }

  start(): void {
    this.#log('started', {})
    this.#sweepUntilStopped().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#log('fault', { error: String(error) })
    })
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    this.#log('draining', { connections: this.#connections.size })
    // Said once for all of its members.
    this.#neighbours?.leave()
    for (const connection of this.#connections.all) {
      // Spread over time, or all would come back in the same instant and be refused.
      connection.send({ type: 'drain', retryMs: Math.floor(this.#random() * this.limits.drainSpreadMs) })
      connection.close(1012, 'drain')
    }
    if (this.#connections.size > 0)
      await Promise.race([this.#whenEmpty(), this.#clock.sleep(this.limits.closeTimeoutMs, this.#stop.signal)])
    await this.cut()
  }

  async cut(): Promise<void> {
    this.#isDraining = true
    this.#stop.abort(new Error('the signaling server was stopped'))
    await this.#bus?.close()
    for (const connection of this.#connections.all) connection.terminate()
    await this.#whenEmpty()
    this.#log('stopped', {})
  }

  #meetOthers(bus: Bus, salt: Uint8Array): Neighbours {
    return createNeighbours({
      id: randomBytes(16).toString('base64url'),
      bus,
      salt,
      rooms: () => this.#rooms,
      onSig: (to, signal) => this.#sessions.passOn(to, signal),
      onSalt: (shared) => this.#addresses.useSalt(shared),
      random: this.#random,
      clock: this.#clock,
      counters: this.#counters,
      log: this.#log,
    })
  }

  #whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => (this.#onEmpty = [...this.#onEmpty, resolve]))
  }

  /** Where this request comes from, or why it gets no socket. Cheapest first: nothing here depends on a secret. */
  #judge(request: IncomingMessage): Judgement {
    if (this.#isDraining) return { refusal: { status: '503 Service Unavailable', reason: 'draining' } }
    if (!this.#admission.allowsOrigin(request.headers.origin)) return { refusal: { status: '403 Forbidden', reason: 'origin' } }
    if (this.#connections.size >= this.limits.connections) return { refusal: { status: '503 Service Unavailable', reason: 'full' } }
    const address = this.#addresses.admit(clientAddress(request, this.#trustedProxies), this.#clock.monotonicMs())
    return address === undefined ? { refusal: { status: '429 Too Many Requests', reason: 'address' } } : { address }
  }

  #open(webSocket: OwnedSocket, caller: Caller): void {
    this.#addresses.add(caller.address)
    this.#lines?.release(caller.line)
    const connection = openConnection(webSocket, caller, this.#house)
    this.#connections.set(connection, connection.sweep())
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection)
    this.#addresses.remove(connection.address)
    if (this.#connections.size > 0) return
    for (const tell of this.#onEmpty) tell()
    this.#onEmpty = []
  }

  async #sweepUntilStopped(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#clock.sleep(this.limits.sweepIntervalMs, this.#stop.signal)
      this.#connections.sweep(this.#clock.monotonicMs(), (connection) => connection.sweep())
      this.#sessions.sweep()
      this.#neighbours?.sweep()
      this.#addresses.sweep(this.#clock.monotonicMs())
    }
  }
}

function ignore(): void {}

/** Fails at the start, not in every client. */
function requireIce(iceFor: IceFor): void {
  const id = toPeerId('00000000')
  const welcome = {
    type: 'welcome',
    id,
    resume: '0',
    token: undefined,
    tokenExpiresAtSeconds: undefined,
    ice: iceFor(id, 0),
    serverTime: 0,
  } as const
  try {
    parseServerSignal(encodeServerSignal(welcome))
  } catch (error) {
    throw new TypeError('expected a short list of stun: and turn: URLs', { cause: error })
  }
}
