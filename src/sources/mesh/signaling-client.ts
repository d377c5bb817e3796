import { DeliveryError, failureOf, type Failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { SwarmId } from '../../core/model/ids.ts'
import { createTokenBucket, type TokenBucket } from '../../core/plan/token-bucket.ts'
import { encodeClientSignal } from '../../core/wire/signal-encoding.ts'
import {
  parseServerSignal,
  ROOMS_PER_CONNECTION,
  SIGNALING_VERSION,
  type ClientSignal,
  type HelloSignal,
  type PeerRole,
  type ServerSignal,
  type WelcomeSignal,
} from '../../core/wire/signal-message.ts'
import { AdmissionPass, type AdmissionPassOptions } from './admission-pass.ts'
import { createSettled, type Settled } from './wait.ts'

/** What is used of a WebSocket: a window's, or one of Node. */
export interface SignalingSocket {
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  send(text: string): void
  close(code?: number): void
}

export type OpenSocket = new (url: string) => SignalingSocket

export interface SignalingClientOptions extends AdmissionPassOptions {
  /** `wss:`, or `ws:` on loopback. */
  readonly url: string
  readonly WebSocket: OpenSocket
  /** 0 to below 1. */
  readonly random: () => number
  /** Everything that the server says, `welcome` included. */
  readonly onSignal: (signal: ServerSignal) => void
  /** A connection came to stand, or an attempt at one is over. Never before `startSignalingClient` returned. */
  readonly onState?: () => void
}

export interface SignalingState {
  readonly url: string
  readonly isOnline: boolean
  /** Why the last connection ended or never came to be. */
  readonly failure: Failure | undefined
}

/** A connection to one signaling server that comes back by itself, with its rooms. */
export interface SignalingClient {
  readonly state: SignalingState
  /** STUN and TURN servers that the server names, with passing credentials. */
  readonly welcome: WelcomeSignal | undefined
  join(swarm: SwarmId, role: PeerRole): void
  leave(swarm: SwarmId): void
  /** Dropped while there is no connection: what it was about is over by the time there is one. */
  send(signal: Extract<ClientSignal, { readonly type: 'sig' | 'report' }>): void
  /** Says goodbye and does not come back. */
  close(): void
}

/** From the first packet to `welcome`. */
const WELCOME_MS = 5000
/** A server from which something is due, and that says nothing at all for so long, hangs: its line may stand for hours yet. */
const ANSWER_MS = 3000
const RETRY_MS = 500
const RETRY_CEILING_MS = 15_000
/** A connection that stood this long clears the record of earlier failures. */
const STABLE_MS = 30_000
/** Some is left to what the server counts and we do not see. */
const SENT = { burst: LIMITS.signalBurst - 8, perSecond: LIMITS.signalsPerSecond }
/** What an honest server may have to say: all others of some full rooms leave at once. What goes on longer is a flood. */
export const HEARD = { burst: 256, perSecond: 50 }

/** Starts at once. Aborting `signal` is as `close`. */
export function startSignalingClient(options: SignalingClientOptions, signal: AbortSignal): SignalingClient {
  const client = new Client(options)
  if (signal.aborted) client.close()
  else signal.addEventListener('abort', () => client.close(), { once: true, signal: client.closed })
  void client.run()
  return client
}

class Client implements SignalingClient {
  readonly #options: SignalingClientOptions
  readonly #pass: AdmissionPass
  readonly #rooms = new Map<SwarmId, PeerRole>()
  readonly #over = new AbortController()
  #socket: SignalingSocket | undefined
  #welcome: WelcomeSignal | undefined
  /** `hello` is out on the socket that stands. The server reads in order: what comes behind it need not wait for its answer. */
  #hasGreeted = false
  #isOnline = false
  #failure: Failure | undefined
  #askedToWaitMs = 0
  #queue: ClientSignal[] = []
  readonly #pace: TokenBucket
  #isSending = false
  /** Rooms of which the server owes us the peers. */
  readonly #due = new Set<SwarmId>()
  #heardAtMs = 0

  constructor(options: SignalingClientOptions) {
    this.#options = options
    this.#pass = new AdmissionPass(options)
    this.#pace = createTokenBucket(SENT)
  }

  get state(): SignalingState {
    return { url: this.#options.url, isOnline: this.#isOnline, failure: this.#failure }
  }

  get closed(): AbortSignal {
    return this.#over.signal
  }

  get welcome(): WelcomeSignal | undefined {
    return this.#welcome
  }

  join(swarm: SwarmId, role: PeerRole): void {
    if (this.#rooms.get(swarm) === role) return
    this.#rooms.set(swarm, role)
    if (this.#hasGreeted) this.#post({ type: 'join', swarm, role })
  }

  leave(swarm: SwarmId): void {
    this.#due.delete(swarm)
    if (this.#rooms.delete(swarm) && this.#hasGreeted) this.#post({ type: 'leave', swarm })
  }

  send(signal: Extract<ClientSignal, { readonly type: 'sig' | 'report' }>): void {
    if (this.#isOnline) this.#post(signal)
  }

  close(): void {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    if (this.#isOnline) this.#socket?.send(encodeClientSignal({ type: 'bye' }))
    this.#socket?.close(1000)
  }

  async run(): Promise<void> {
    const { clock, random } = this.#options
    const { signal } = this.#over
    for (let failures = 0; !signal.aborted && !this.#isReplaced(); failures++) {
      const stoodMs = await this.#connect()
      if (stoodMs >= STABLE_MS) failures = 0
      const ceilingMs = Math.min(RETRY_MS * 2 ** failures, RETRY_CEILING_MS)
      const restMs = await this.#pass.renew()
      const delayMs = Math.max(restMs, this.#askedToWaitMs, ceilingMs * (0.5 + random() / 2))
      this.#askedToWaitMs = 0
      await clock.sleep(delayMs, signal).catch(() => undefined)
    }
  }

  /** Another page of this browser took the connection over: two would throw each other out for ever. */
  #isReplaced(): boolean {
    return this.#failure?.code === 'signal-refused' && this.#failure.reason === 'replaced'
  }

  /** One connection, to its end. @returns how long it was welcome */
  async #connect(): Promise<number> {
    const { clock } = this.#options
    const gone = createSettled<void>()
    const own = new AbortController()
    const socket = this.#openSocket(gone)
    if (socket === undefined) return 0
    this.#socket = socket
    // Not left to the close event: a server that hangs does not answer a close either.
    const leave = (): void => {
      socket.close()
      gone.resolve()
    }
    this.#giveUp(leave, own.signal).catch(() => undefined)
    const heard = createTokenBucket(HEARD)
    let welcomedAtMs: number | undefined
    socket.addEventListener('open', () => void this.#watch(leave, own.signal).catch(() => undefined))
    socket.addEventListener('message', (event) => {
      if (this.#socket !== socket) return
      const said = this.#take(event.data, { heard, leave })
      if (said?.type !== 'welcome') return
      welcomedAtMs ??= clock.monotonicMs()
      void this.#renew(said, own.signal)
    })
    await gone.promise
    own.abort()
    this.#hasGreeted = this.#isOnline = false
    this.#queue = []
    this.#due.clear()
    if (this.#socket === socket) this.#socket = undefined
    if (!this.#over.signal.aborted) this.#options.onState?.()
    return welcomedAtMs === undefined ? 0 : clock.monotonicMs() - welcomedAtMs
  }

  async #giveUp(leave: () => void, signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(WELCOME_MS, signal)
    if (!this.#isOnline) leave()
  }

  /** Leaves a server that owes us an answer and says nothing. Ends with the connection. */
  async #watch(leave: () => void, signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    this.#heardAtMs = clock.monotonicMs()
    for (;;) {
      const isDue = !this.#isOnline || this.#due.size > 0
      const quietMs = isDue ? clock.monotonicMs() - this.#heardAtMs : 0
      if (quietMs >= ANSWER_MS) leave()
      await clock.sleep(ANSWER_MS - (quietMs % ANSWER_MS), signal)
    }
  }

  #openSocket(gone: Settled<void>): SignalingSocket | undefined {
    try {
      const socket = new this.#options.WebSocket(this.#options.url)
      socket.addEventListener('open', () => this.#greet(socket))
      socket.addEventListener('close', () => gone.resolve())
      socket.addEventListener('error', () => {
        this.#failure ??= { code: 'signal-refused', reason: 'unreachable', retryAfterSeconds: undefined }
      })
      return socket
    } catch (error) {
      // A URL that this page may not open, by its policy or by its scheme.
      this.#failure = { code: 'signal-invalid', path: 'url', detail: String(error).slice(0, 200) }
      return undefined
    }
  }

  /** With its rooms at once: a round trip sooner than after `welcome`, and one packet less for a server to which everybody comes. */
  #greet(socket: SignalingSocket): void {
    const all = [...this.#rooms].map(([swarm, role]) => ({ swarm, role }))
    const named = all.slice(0, ROOMS_PER_CONNECTION)
    socket.send(this.#hello(this.#pass.show(), named))
    this.#hasGreeted = true
    for (const { swarm } of named) this.#expect(swarm, this.#options.clock.monotonicMs())
    // The server refuses what is too many, and says so.
    for (const wish of all.slice(named.length)) this.#post({ type: 'join', ...wish })
  }

  #hello(shown: Pick<HelloSignal, 'token' | 'ticket'>, rooms: HelloSignal['rooms']): string {
    return encodeClientSignal({ type: 'hello', v: SIGNALING_VERSION, ...shown, resume: this.#welcome?.resume, rooms })
  }

  #take(data: unknown, { heard, leave }: { readonly heard: TokenBucket; readonly leave: () => void }): ServerSignal | undefined {
    if (this.#over.signal.aborted) return undefined
    this.#heardAtMs = this.#options.clock.monotonicMs()
    try {
      if (heard.take(1, this.#heardAtMs) === 0) throw new DeliveryError({ code: 'signal-invalid', path: '$', detail: 'too many messages' })
      if (typeof data !== 'string') throw new DeliveryError({ code: 'signal-invalid', path: '$', detail: 'expected text' })
      const signal = parseServerSignal(data)
      this.#note(signal)
      this.#options.onSignal(signal)
      return signal
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined) throw error
      this.#failure = failure
      leave()
      return undefined
    }
  }

  #note(signal: ServerSignal): void {
    if (signal.type === 'welcome') {
      const isFirst = !this.#isOnline
      this.#welcome = signal
      this.#pass.onWelcome(signal)
      this.#isOnline = true
      this.#failure = undefined
      if (isFirst) this.#options.onState?.()
    } else if (signal.type === 'drain') {
      this.#askedToWaitMs = signal.retryMs
    } else if (signal.type === 'error' && signal.fatal) {
      this.#failure = { code: 'signal-refused', reason: signal.code, retryAfterSeconds: undefined }
      this.#pass.onRefused(signal.code)
    } else if ((signal.type === 'peers' || signal.type === 'error') && signal.swarm !== undefined) this.#due.delete(signal.swarm)
  }

  async #renew(welcome: WelcomeSignal, signal: AbortSignal): Promise<void> {
    if ((await this.#pass.untilDue(welcome, signal)) && this.#isOnline) this.#socket?.send(this.#hello(this.#pass.showTicket(), []))
  }

  #post(signal: ClientSignal): void {
    this.#queue.push(signal)
    if (!this.#isSending) void this.#drain()
  }

  /** As fast as the server takes them, and no faster: it drops what comes on top. */
  async #drain(): Promise<void> {
    const { clock } = this.#options
    this.#isSending = true
    try {
      while (this.#queue.length > 0 && this.#hasGreeted) {
        const nowMs = clock.monotonicMs()
        if (this.#pace.take(1, nowMs) === 0) {
          await clock.sleep(1000 / LIMITS.signalsPerSecond, this.#over.signal)
          continue
        }
        const signal = this.#queue.shift()
        if (signal === undefined) continue
        if (signal.type === 'join') this.#expect(signal.swarm, nowMs)
        this.#socket?.send(encodeClientSignal(signal))
      }
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    } finally {
      this.#isSending = false
    }
  }

  #expect(swarm: SwarmId, nowMs: number): void {
    if (this.#due.size === 0) this.#heardAtMs = nowMs
    this.#due.add(swarm)
  }
}
