import {
  CLOSE_CODES,
  DeliveryError,
  encodeServerSignal,
  parseClientSignal,
  type ClientSignal,
  type Clock,
  type ServerSignal,
  type SignalErrorCode,
} from 'sealift/protocol'
import type { RawData, WebSocket } from 'ws'
import type { Counters } from './counters.ts'
import type { SignalingLimits } from './limits.ts'
import type { Log } from './log.ts'
import { createTokenBucket } from './token-bucket.ts'

/** One socket: its pace, its deadlines, its queue. Knows nothing of rooms. */
export interface Connection {
  /** The `Origin` header; undefined when there was none. */
  readonly origin: string | undefined
  readonly addressKey: string
  /** The same, hashed: what rooms know an address by. */
  readonly houseKey: string
  readonly lanKey: string
  /** Drops the message when the reader is too slow; disconnects it when that goes on. */
  send(signal: ServerSignal): void
  /** From now on it may stay without saying hello. */
  admit(): void
  /** Says why, then closes. */
  fail(code: SignalErrorCode, closeCode: number): void
  close(closeCode: number, reason: CloseReason): void
  /** Without a handshake. */
  terminate(): void
  /** Looks at the deadlines. */
  sweep(): void
}

export type CloseReason = SignalErrorCode | 'binary' | 'bye' | 'drain' | 'fault' | 'hello-timeout' | 'ping-timeout' | 'slow-reader'

export interface ConnectionOptions {
  readonly origin: string | undefined
  readonly addressKey: string
  /** The same, hashed: what rooms know an address by. */
  readonly houseKey: string
  readonly lanKey: string
  readonly limits: SignalingLimits
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
  readonly onSignal: (connection: Connection, signal: ClientSignal) => void
  /** Once, as soon as nothing more is taken from it: before its close handshake ends. */
  readonly onGone: (connection: Connection) => void
  /** Once, when the socket is closed. */
  readonly onClosed: (connection: Connection) => void
}

export function openConnection(socket: WebSocket, options: ConnectionOptions): Connection {
  return new SocketConnection(socket, options)
}

class SocketConnection implements Connection {
  readonly origin: string | undefined
  readonly addressKey: string
  /** The same, hashed: what rooms know an address by. */
  readonly houseKey: string
  readonly lanKey: string
  readonly #socket: WebSocket
  readonly #options: ConnectionOptions
  readonly #pace
  readonly #openedAtMs: number
  #isAdmitted = false
  #goneAtMs: number | undefined
  #pingedAtMs: number
  #missedPings = 0
  #tooFast = 0
  #badMessages = 0
  #dropped = 0

  constructor(socket: WebSocket, options: ConnectionOptions) {
    const { limits, clock } = options
    this.origin = options.origin
    this.addressKey = options.addressKey
    this.houseKey = options.houseKey
    this.lanKey = options.lanKey
    this.#socket = socket
    this.#options = options
    this.#openedAtMs = this.#pingedAtMs = clock.monotonicMs()
    this.#pace = createTokenBucket({ burst: limits.messageBurst, perSecond: limits.messagesPerSecond }, this.#openedAtMs)
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    socket.on('pong', () => (this.#missedPings = 0))
    // The close event follows, and says all there is to do.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#go()
      options.onClosed(this)
    })
  }

  send(signal: ServerSignal): void {
    if (this.#goneAtMs !== undefined) return
    const { limits, counters } = this.#options
    const text = encodeServerSignal(signal)
    if (this.#socket.bufferedAmount + text.length > limits.queuedBytes) {
      counters.add('dropped_total')
      if (++this.#dropped >= limits.droppedMessages) this.#cut('slow-reader')
      return
    }
    if (this.#socket.bufferedAmount === 0) this.#dropped = 0
    this.#socket.send(text)
  }

  admit(): void {
    this.#isAdmitted = true
  }

  fail(code: SignalErrorCode, closeCode: number): void {
    this.send({ type: 'error', code, fatal: true, swarm: undefined })
    this.close(closeCode, code)
  }

  close(closeCode: number, reason: CloseReason): void {
    if (this.#goneAtMs !== undefined) return
    this.#options.counters.add('closed_total', reason)
    this.#go()
    this.#socket.close(closeCode, reason)
  }

  terminate(): void {
    this.#go()
    this.#socket.terminate()
  }

  sweep(): void {
    const { limits, clock } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#goneAtMs !== undefined) {
      if (nowMs - this.#goneAtMs >= limits.closeTimeoutMs) this.#socket.terminate()
    } else if (!this.#isAdmitted && nowMs - this.#openedAtMs >= limits.helloTimeoutMs) {
      this.close(CLOSE_CODES.admission, 'hello-timeout')
    } else if (nowMs - this.#pingedAtMs >= limits.pingIntervalMs) {
      if (this.#missedPings >= limits.missedPings) return this.#cut('ping-timeout')
      this.#missedPings++
      this.#pingedAtMs = nowMs
      this.#socket.ping()
    }
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#goneAtMs !== undefined) return
    if (isBinary || !Buffer.isBuffer(data)) return this.close(1003, 'binary')
    const { limits, clock, counters } = this.#options
    if (!this.#pace.take(clock.monotonicMs())) {
      counters.add('messages_refused_total', 'rate-limited')
      if (++this.#tooFast > limits.messagesTooFast) return this.fail('rate-limited', CLOSE_CODES.tooFast)
      return this.send({ type: 'error', code: 'rate-limited', fatal: false, swarm: undefined })
    }
    const signal = this.#parse(data.toString('utf8'))
    if (signal !== undefined) this.#handle(signal)
  }

  #parse(text: string): ClientSignal | undefined {
    try {
      return parseClientSignal(text)
    } catch (error) {
      if (!(error instanceof DeliveryError)) {
        this.#fault(error)
        return undefined
      }
      const { limits, counters } = this.#options
      counters.add('messages_refused_total', 'bad-message')
      if (!this.#isAdmitted || ++this.#badMessages >= limits.badMessages) this.fail('bad-message', CLOSE_CODES.badMessage)
      else this.send({ type: 'error', code: 'bad-message', fatal: false, swarm: undefined })
      return undefined
    }
  }

  /** No message may take the process down, whatever mistake of ours it finds. */
  #handle(signal: ClientSignal): void {
    try {
      this.#options.counters.add('messages_total', signal.type)
      this.#options.onSignal(this, signal)
    } catch (error) {
      this.#fault(error)
    }
  }

  #fault(error: unknown): void {
    this.#options.counters.add('faults_total')
    this.#options.log('fault', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    this.close(1011, 'fault')
  }

  #cut(reason: CloseReason): void {
    this.#options.counters.add('closed_total', reason)
    this.terminate()
  }

  #go(): void {
    if (this.#goneAtMs !== undefined) return
    this.#goneAtMs = this.#options.clock.monotonicMs()
    this.#options.onGone(this)
  }
}
