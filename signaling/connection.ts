import type { Duplex } from 'node:stream'
import {
  CLOSE_CODES,
  DeliveryError,
  encodeServerSignal,
  parseClientSignal,
  type ClientSignal,
  type Clock,
  type PeerId,
  type ServerSignal,
  type SignalErrorCode,
} from 'sealift/protocol'
import { WebSocket, type RawData } from 'ws'
import type { Due } from './agenda.ts'
import type { Address } from './address-book.ts'
import type { Counters } from './counters.ts'
import type { SignalingLimits } from './limits.ts'
import type { Log } from './log.ts'
import { takeToken, type TokenRate } from './token-bucket.ts'
import type { TurnWrites } from './turn-writes.ts'

/** One socket: its pace, its deadlines, its queue. Knows nothing of rooms. */
export interface Connection extends Due {
  /** The `Origin` header; undefined when there was none. */
  readonly origin: string | undefined
  readonly address: Address
  /** Whoever was let in over it, for those who do that. */
  speaker: Speaker | undefined
  /** Drops the message when the reader is too slow; disconnects it when that goes on. */
  send(signal: ServerSignal): void
  /** From now on it may stay without saying hello. */
  admit(): void
  /** Says why, then closes. */
  fail(code: SignalErrorCode, closeCode: number): void
  close(closeCode: number, reason: CloseReason): void
  /** Without a handshake. */
  terminate(): void
  /** Looks at the deadlines. @returns when to look again, by the monotonic clock */
  sweep(): number
}

export type CloseReason = SignalErrorCode | 'binary' | 'bye' | 'drain' | 'fault' | 'hello-timeout' | 'ping-timeout' | 'slow-reader'

/** Whoever was let in over a connection, as far as connections know. */
export interface Speaker {
  readonly id: PeerId
}

/** Who speaks, as far as the request says, and over what. */
export interface Caller extends Pick<Connection, 'origin' | 'address'> {
  readonly line: Duplex
}

/** What all connections of a server share. */
export interface ConnectionHouse {
  readonly limits: SignalingLimits
  readonly messageRate: TokenRate
  readonly turn: TurnWrites
  readonly clock: Clock
  readonly counters: Counters
  readonly log: Log
  readonly onSignal: (connection: Connection, signal: ClientSignal) => void
  /** Once, as soon as nothing more is taken from it: before its close handshake ends. */
  readonly onGone: (connection: Connection) => void
  /** Once, when the socket is closed. */
  readonly onClosed: (connection: Connection) => void
}

/** A socket that knows whose it is, so that thousands share the functions that hear of them. */
export class OwnedSocket extends WebSocket {
  connection: SocketConnection | undefined = undefined
}

/** Takes over a socket that has just been opened. */
export function openConnection(socket: OwnedSocket, caller: Caller, house: ConnectionHouse): Connection {
  const connection = new SocketConnection(socket, caller, house)
  socket.connection = connection
  socket.on('message', onMessage)
  socket.on('ping', onPing)
  socket.on('pong', onPong)
  // The close event follows, and says all there is to do.
  socket.on('error', ignore)
  socket.on('close', onClose)
  return connection
}

function connectionOf(socket: WebSocket): SocketConnection | undefined {
  return socket instanceof OwnedSocket ? socket.connection : undefined
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  connectionOf(this)?.receive(data, isBinary)
}

function onPing(this: WebSocket, data: Buffer): void {
  connectionOf(this)?.answerPing(data)
}

function onPong(this: WebSocket): void {
  connectionOf(this)?.hearPong()
}

function onClose(this: WebSocket): void {
  connectionOf(this)?.end()
}

function ignore(): void {}

/** Written at once, when it is more. */
const GATHERED_BYTES = 8 * 1024

class SocketConnection implements Connection {
  readonly origin: string | undefined
  readonly address: Address
  speaker: Speaker | undefined = undefined
  slot: number | undefined = undefined
  place: number | undefined = undefined
  readonly #socket: WebSocket
  /** What the socket writes to. */
  readonly #line: Duplex
  readonly #house: ConnectionHouse
  // Times are whole milliseconds: at the default rates, and for the first weeks, they cost no object each.
  #messagesFullAtMs = 0
  readonly #openedAtMs: number
  #isAdmitted = false
  #goneAtMs: number | undefined
  #pingedAtMs: number
  #missedPings = 0
  #tooFast = 0
  #badMessages = 0
  #dropped = 0

  constructor(socket: WebSocket, caller: Caller, house: ConnectionHouse) {
    this.origin = caller.origin
    this.address = caller.address
    this.#socket = socket
    this.#line = caller.line
    this.#house = house
    this.#openedAtMs = this.#pingedAtMs = this.#nowMs()
  }

  send(signal: ServerSignal): void {
    if (this.#goneAtMs !== undefined) return
    const text = encodeServerSignal(signal)
    const queuedBytes = this.#socket.bufferedAmount
    if (!this.#hasRoom(text.length)) return
    this.#house.turn.hold(this.#line)
    this.#socket.send(text)
    if (queuedBytes + text.length >= GATHERED_BYTES) this.#house.turn.release(this.#line)
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
    this.#house.counters.add('closed_total', reason)
    this.#go()
    this.#socket.close(closeCode, reason)
  }

  terminate(): void {
    this.#go()
    this.#socket.terminate()
  }

  sweep(): number {
    const { limits } = this.#house
    const nowMs = this.#nowMs()
    if (this.#goneAtMs !== undefined) {
      const closedAtMs = this.#goneAtMs + limits.closeTimeoutMs
      if (nowMs >= closedAtMs) this.#socket.terminate()
      return closedAtMs
    }
    const helloAtMs = this.#isAdmitted ? Number.POSITIVE_INFINITY : this.#openedAtMs + limits.helloTimeoutMs
    if (nowMs >= helloAtMs) this.close(CLOSE_CODES.admission, 'hello-timeout')
    else if (nowMs >= this.#pingedAtMs + limits.pingIntervalMs) this.#ping(nowMs)
    return Math.min(helloAtMs, this.#pingedAtMs + limits.pingIntervalMs)
  }

  receive(data: RawData, isBinary: boolean): void {
    if (this.#goneAtMs !== undefined) return
    if (isBinary || !Buffer.isBuffer(data)) return this.close(1003, 'binary')
    const { limits, counters } = this.#house
    if (!this.#isInPace()) {
      counters.add('messages_refused_total', 'rate-limited')
      if (++this.#tooFast > limits.messagesTooFast) return this.fail('rate-limited', CLOSE_CODES.tooFast)
      return this.send({ type: 'error', code: 'rate-limited', fatal: false, swarm: undefined })
    }
    const signal = this.#parse(data.toString('utf8'))
    if (signal !== undefined) this.#handle(signal)
  }

  /** A ping counts as a message: one too many is not answered, and answers queue up no further than anything else. */
  answerPing(data: Buffer): void {
    if (this.#goneAtMs === undefined && this.#isInPace() && this.#hasRoom(data.length)) this.#socket.pong(data)
  }

  hearPong(): void {
    this.#missedPings = 0
  }

  end(): void {
    this.#go()
    this.#house.onClosed(this)
  }

  /** False when the reader is too slow for so many bytes more, which counts against it. */
  #hasRoom(bytes: number): boolean {
    const { limits, counters } = this.#house
    const queuedBytes = this.#socket.bufferedAmount
    if (queuedBytes === 0) this.#dropped = 0
    if (queuedBytes + bytes <= limits.queuedBytes) return true
    counters.add('dropped_total')
    if (++this.#dropped >= limits.droppedMessages) this.#cut('slow-reader')
    return false
  }

  #isInPace(): boolean {
    const fullAtMs = takeToken(this.#house.messageRate, this.#messagesFullAtMs, this.#nowMs())
    this.#messagesFullAtMs = fullAtMs ?? this.#messagesFullAtMs
    return fullAtMs !== undefined
  }

  #ping(nowMs: number): void {
    if (this.#missedPings >= this.#house.limits.missedPings) return this.#cut('ping-timeout')
    this.#missedPings++
    this.#pingedAtMs = nowMs
    this.#socket.ping()
  }

  #parse(text: string): ClientSignal | undefined {
    try {
      return parseClientSignal(text)
    } catch (error) {
      if (!(error instanceof DeliveryError)) {
        this.#fault(error)
        return undefined
      }
      const { limits, counters } = this.#house
      counters.add('messages_refused_total', 'bad-message')
      if (!this.#isAdmitted || ++this.#badMessages >= limits.badMessages) this.fail('bad-message', CLOSE_CODES.badMessage)
      else this.send({ type: 'error', code: 'bad-message', fatal: false, swarm: undefined })
      return undefined
    }
  }

  /** No message may take the process down, whatever mistake of ours it finds. */
  #handle(signal: ClientSignal): void {
    try {
      this.#house.counters.add('messages_total', signal.type)
      this.#house.onSignal(this, signal)
    } catch (error) {
      this.#fault(error)
    }
  }

  #fault(error: unknown): void {
    this.#house.counters.add('faults_total')
    this.#house.log('fault', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    this.close(1011, 'fault')
  }

  #cut(reason: CloseReason): void {
    this.#house.counters.add('closed_total', reason)
    this.terminate()
  }

  #go(): void {
    if (this.#goneAtMs !== undefined) return
    this.#goneAtMs = this.#nowMs()
    this.#house.onGone(this)
  }

  #nowMs(): number {
    return Math.floor(this.#house.clock.monotonicMs())
  }
}
