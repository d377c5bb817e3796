import { DeliveryError, failureOf, type Failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { SwarmId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import {
  encodeClientSignal,
  parseServerSignal,
  SIGNALING_VERSION,
  type ClientSignal,
  type PeerRole,
  type ServerSignal,
  type WelcomeSignal,
} from '../../core/wire/signal-message.ts'
import { createSettled, type Settled } from './wait.ts'

/** What is used of a WebSocket: a window's, or one of Node. */
export interface SignalingSocket {
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  send(text: string): void
  close(code?: number): void
}

export type OpenSocket = new (url: string) => SignalingSocket

export interface SignalingClientOptions {
  /** `wss:`, or `ws:` on loopback. */
  readonly url: string
  /** Shown without its swarm key. Undefined where admission is open. */
  readonly ticket: string | undefined
  readonly WebSocket: OpenSocket
  readonly clock: Clock
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

const WELCOME_MS = 5000
const RETRY_MS = 500
const RETRY_CEILING_MS = 15_000
/** A connection that stood this long clears the record of earlier failures. */
const STABLE_MS = 30_000
/** So long before the end of a session the ticket is shown again; a token with less life left is not worth showing. */
const RENEW_BEFORE_SECONDS = 60
/** Left to what the server counts and we do not see. */
const BURST = LIMITS.signalBurst - 8

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
  readonly #rooms = new Map<SwarmId, PeerRole>()
  readonly #over = new AbortController()
  #socket: SignalingSocket | undefined
  #welcome: WelcomeSignal | undefined
  /** What stands for the ticket when the connection breaks within its life. Times are monotonic milliseconds. */
  #token: { readonly text: string; readonly untilMs: number } | undefined
  #isOnline = false
  #failure: Failure | undefined
  #askedToWaitMs = 0
  #queue: string[] = []
  #tokens = BURST
  #refilledAtMs: number
  #isSending = false

  constructor(options: SignalingClientOptions) {
    this.#options = options
    this.#refilledAtMs = options.clock.monotonicMs()
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
    if (this.#isOnline) this.#post({ type: 'join', swarm, role })
  }

  leave(swarm: SwarmId): void {
    if (this.#rooms.delete(swarm) && this.#isOnline) this.#post({ type: 'leave', swarm })
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
      const delayMs = Math.max(this.#askedToWaitMs, ceilingMs * (0.5 + random() / 2))
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
    const deadline = clock.sleep(WELCOME_MS, own.signal).then(
      () => {
        if (!this.#isOnline) socket.close()
        if (!this.#isOnline) gone.resolve()
      },
      () => undefined,
    )
    let welcomedAtMs: number | undefined
    socket.addEventListener('message', (event) => {
      const said = this.#take(event.data, socket)
      if (said?.type !== 'welcome') return
      welcomedAtMs ??= clock.monotonicMs()
      void this.#renew(said, own.signal)
    })
    await gone.promise
    own.abort()
    await deadline
    this.#isOnline = false
    this.#queue = []
    if (this.#socket === socket) this.#socket = undefined
    if (!this.#over.signal.aborted) this.#options.onState?.()
    return welcomedAtMs === undefined ? 0 : clock.monotonicMs() - welcomedAtMs
  }

  #openSocket(gone: Settled<void>): SignalingSocket | undefined {
    try {
      const socket = new this.#options.WebSocket(this.#options.url)
      socket.addEventListener('open', () => socket.send(this.#hello(this.#liveToken())))
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

  /** @param token shown instead of the ticket, so that the ticket crosses the line as seldom as can be */
  #hello(token: string | undefined): string {
    return encodeClientSignal({
      type: 'hello',
      v: SIGNALING_VERSION,
      token,
      ticket: token === undefined ? this.#options.ticket : undefined,
      resume: this.#welcome?.resume,
    })
  }

  #liveToken(): string | undefined {
    const token = this.#token
    return token !== undefined && this.#options.clock.monotonicMs() < token.untilMs ? token.text : undefined
  }

  #keepToken({ token, tokenExpiresAtSeconds, serverTime }: WelcomeSignal): void {
    // A token earns no new one: the one that was shown goes on.
    if (token === undefined || tokenExpiresAtSeconds === undefined) return
    const lifeSeconds = tokenExpiresAtSeconds - serverTime - RENEW_BEFORE_SECONDS
    this.#token = { text: token, untilMs: this.#options.clock.monotonicMs() + lifeSeconds * 1000 }
  }

  #take(data: unknown, socket: SignalingSocket): ServerSignal | undefined {
    if (this.#over.signal.aborted) return undefined
    try {
      if (typeof data !== 'string') throw new DeliveryError({ code: 'signal-invalid', path: '$', detail: 'expected text' })
      const signal = parseServerSignal(data)
      this.#note(signal)
      this.#options.onSignal(signal)
      return signal
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined) throw error
      this.#failure = failure
      socket.close()
      return undefined
    }
  }

  #note(signal: ServerSignal): void {
    if (signal.type === 'welcome') {
      const isFirst = !this.#isOnline
      this.#welcome = signal
      this.#keepToken(signal)
      this.#isOnline = true
      this.#failure = undefined
      if (!isFirst) return
      for (const [swarm, role] of this.#rooms) this.#post({ type: 'join', swarm, role })
      this.#options.onState?.()
    } else if (signal.type === 'drain') {
      this.#askedToWaitMs = signal.retryMs
    } else if (signal.type === 'error' && signal.fatal) {
      this.#failure = { code: 'signal-refused', reason: signal.code, retryAfterSeconds: undefined }
      // It may be the token that was refused: another key, another clock.
      this.#token = undefined
    }
  }

  /** Shows the ticket again before the session ends, so that the connection need not. */
  async #renew(welcome: WelcomeSignal, signal: AbortSignal): Promise<void> {
    if (welcome.tokenExpiresAtSeconds === undefined) return
    const seconds = Math.max(1, welcome.tokenExpiresAtSeconds - welcome.serverTime - RENEW_BEFORE_SECONDS)
    const isDue = await this.#options.clock.sleep(seconds * 1000, signal).then(
      () => true,
      () => false,
    )
    if (isDue && this.#isOnline) this.#socket?.send(this.#hello(undefined))
  }

  #post(signal: ClientSignal): void {
    this.#queue.push(encodeClientSignal(signal))
    if (!this.#isSending) void this.#drain()
  }

  /** As fast as the server takes them, and no faster: it drops what comes on top. */
  async #drain(): Promise<void> {
    const { clock } = this.#options
    this.#isSending = true
    try {
      while (this.#queue.length > 0 && this.#isOnline) {
        const nowMs = clock.monotonicMs()
        this.#tokens = Math.min(BURST, this.#tokens + ((nowMs - this.#refilledAtMs) * LIMITS.signalsPerSecond) / 1000)
        this.#refilledAtMs = nowMs
        if (this.#tokens < 1) {
          await clock.sleep(1000 / LIMITS.signalsPerSecond, this.#over.signal)
          continue
        }
        this.#tokens--
        const text = this.#queue.shift()
        if (text !== undefined) this.#socket?.send(text)
      }
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    } finally {
      this.#isSending = false
    }
  }
}
