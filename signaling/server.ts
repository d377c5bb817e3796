import { randomBytes } from 'node:crypto'
import type { IncomingMessage, Server } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { encodeServerSignal, parseServerSignal, toPeerId, type Clock, type IceServer } from 'sealift/protocol'
import { WebSocketServer, type WebSocket } from 'ws'
import { createAddressBook, type Address, type AddressBook } from './address-book.ts'
import { clientAddress } from './address.ts'
import { createAdmission, type AdmissionMode } from './admission.ts'
import type { Bus } from './bus.ts'
import { openConnection, type Caller, type Connection, type ConnectionHouse } from './connection.ts'
import { createCounters, type Counters } from './counters.ts'
import { createFront, createPages, listen, stopListening, type TlsFiles } from './http-front.ts'
import { withLimits, type SignalingLimits } from './limits.ts'
import type { Log } from './log.ts'
import { limitOpenLines, type OpenLineRules } from './open-lines.ts'
import { createNeighbours, type Neighbours } from './neighbours.ts'
import { createRandomKeys } from './random-keys.ts'
import { createRooms, type Rooms } from './rooms.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createSystemClock } from './system-clock.ts'
import { createTurnWrites } from './turn-writes.ts'
import { createIce, type IceFor, type TurnOptions } from './turn.ts'

export interface SignalingOptions {
  readonly admission: AdmissionMode
  /** Exact origins of the pages that may connect, for example `https://portal.example`. */
  readonly origins: readonly string[]
  /** Default 0: any free port. */
  readonly port?: number
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default: plain `ws:`, for a proxy in front or for loopback. */
  readonly tls?: TlsFiles
  /** Where `/metrics` is: on the port itself (default), on a loopback port of its own, or nowhere. They hold counts only. */
  readonly metrics?: 'same-port' | 'off' | { readonly port: number }
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

export interface SignalingServer {
  /** `ws:` or `wss:`, with the real port. */
  readonly url: string
  readonly port: number
  /** Undefined when metrics are off. */
  readonly metricsUrl: string | undefined
  counts(): SignalingCounts
  /** Tells everybody when to come back, closes their sockets, and resolves when all is gone. */
  close(): Promise<void>
  /** Cuts everything without a word, as a crash would. */
  kill(): Promise<void>
}

/**
 * Introduces peers to each other and passes on what they need to connect. Keeps everything in memory and nothing on disk.
 * @throws {TypeError} or {RangeError} when an option is wrong, and what the system says when the port cannot be had
 */
export async function startSignaling(options: SignalingOptions): Promise<SignalingServer> {
  const { host = '127.0.0.1', metrics = 'same-port' } = options
  const hub = new Hub(options)
  const front = createFront(
    createPages({ isReady: hub.isReady, metrics: metrics === 'same-port' ? hub.metricsText : undefined }),
    hub.limits,
    options.tls,
  )
  front.on('upgrade', hub.onUpgrade)
  limitOpenLines(front, hub.lineRules)
  const port = await listen(front, options.port ?? 0, host)
  const own =
    typeof metrics === 'object'
      ? createFront(createPages({ isReady: hub.isReady, metrics: hub.metricsText }), hub.limits, undefined)
      : undefined
  const ownPort = own === undefined || typeof metrics !== 'object' ? undefined : await listenOrStop(own, metrics.port, front)
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const secure = options.tls === undefined ? '' : 's'
  hub.start()
  const stop = async (): Promise<void> => {
    await Promise.all([stopListening(front), own === undefined ? undefined : stopListening(own)])
  }
  return {
    url: `ws${secure}://${authority}/`,
    port,
    metricsUrl:
      metrics === 'off'
        ? undefined
        : ownPort === undefined
          ? `http${secure}://${authority}/metrics`
          : `http://127.0.0.1:${ownPort}/metrics`,
    counts: hub.counts,
    async close() {
      await hub.drain()
      await stop()
    },
    async kill() {
      await hub.cut()
      await stop()
    },
  }
}

async function listenOrStop(server: Server, port: number, other: Server): Promise<number> {
  try {
    return await listen(server, port, '127.0.0.1')
  } catch (error) {
    await stopListening(other)
    throw error
  }
}

type Judgement =
  | { readonly address: Address; readonly refusal?: undefined }
  | { readonly address?: undefined; readonly refusal: { readonly status: string; readonly reason: string } }

/** What all sockets share. */
class Hub {
  readonly limits: SignalingLimits
  readonly #clock: Clock
  readonly #random: () => number
  readonly #log: Log
  readonly #admission
  readonly #rooms: Rooms
  readonly #sessions: Sessions
  readonly #addresses: AddressBook
  readonly #counters: Counters = createCounters()
  readonly #connections = new Set<Connection>()
  /** What is the same for every connection, once. */
  readonly #house: ConnectionHouse
  readonly #trustedProxies: ReadonlySet<string>
  readonly #bus: Bus | undefined
  readonly #neighbours: Neighbours | undefined
  readonly #stop = new AbortController()
  readonly #sockets: WebSocketServer
  #isDraining = false
  #onEmpty: readonly (() => void)[] = []

  constructor(options: SignalingOptions) {
    this.limits = withLimits(options.limits ?? {})
    this.#clock = options.clock ?? createSystemClock()
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
      onGone: (gone) => this.#sessions.end(gone),
      onClosed: (closed) => this.#forget(closed),
    }
    // Deflate costs fifteen times the memory per socket, for messages of a few hundred bytes.
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload: this.limits.messageBytes,
    })
  }

  /** Its open sockets are connections too. */
  get lineRules(): OpenLineRules {
    return {
      perAddress: this.limits.connectionsPerAddress + this.limits.requestsPerAddress,
      exempt: this.#trustedProxies,
      onCut: () => this.#counters.add('lines_cut_total'),
    }
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

  readonly metricsText = (): string =>
    this.#counters.render({
      ...this.counts(),
      resident_memory_bytes: process.memoryUsage.rss(),
      event_loop_utilization: performance.eventLoopUtilization().utilization,
    })

  readonly onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // The HTTP server has let go of the socket: an error on it would otherwise end the process.
    socket.on('error', ignore)
    const { address, refusal } = this.#judge(request)
    if (address === undefined) {
      this.#counters.add('upgrades_refused_total', refusal.reason)
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
    for (const connection of this.#connections) {
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
    for (const connection of this.#connections) connection.terminate()
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

  #open(webSocket: WebSocket, caller: Caller): void {
    this.#addresses.add(caller.address)
    this.#connections.add(openConnection(webSocket, caller, this.#house))
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
      for (const connection of this.#connections) connection.sweep()
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
