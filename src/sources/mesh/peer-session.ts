import { DeliveryError, failureOf, type Failure } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { PieceIndex, Sha256, SourceId } from '../../core/model/ids.ts'
import type { BlobRef, ByteRange } from '../../core/model/artifact.ts'
import type { Clock } from '../../core/ports.ts'
import { encodePeerMessage } from '../../core/wire/encode-peer-message.ts'
import { parsePeerMessage } from '../../core/wire/parse-peer-message.ts'
import type { ByeReason, PeerMessage } from '../../core/wire/peer-message.ts'
import { CatalogueRequests, type Wanted } from './catalogue-requests.ts'
import { Downloads, type PieceRequest } from './downloads.ts'
import { startHandshake, type Handshake } from './handshake.ts'
import { KeepAlive } from './keep-alive.ts'
import type { PeerLink } from './peer-link.ts'
import type { SeedStore } from './seed-store.ts'
import { failureOfStrikeOut, Strikes, type StrikeOut } from './strike-out.ts'
import { fitsBlob, piecesOf, Topics, type Offer } from './topics.ts'
import type { UploadSlots } from './upload-slots.ts'
import { Uploads } from './uploads.ts'
import { createSettled, withDeadline } from './wait.ts'

export const HANDSHAKE_TIMEOUT_MS = 5000
/** An answer to OPEN, or a catalogue's first bytes. */
export const ANSWER_TIMEOUT_MS = 2000
export const PROBE_MS = 2000
/** Of a peer that reads nothing while we answer it. */
const QUEUE_LIMIT_BYTES = 1024 * 1024

export interface SessionOptions {
  readonly source: SourceId
  readonly swarmKey: Uint8Array
  readonly store: SeedStore
  readonly slots: UploadSlots
  readonly clock: Clock
  /** 0 to below 1: request ids, and how long a busy peer asks to wait. */
  readonly random: () => number
  /** From a cryptographic source: nonces. */
  readonly randomBytes: (length: number) => Uint8Array
  /** The peer has more, or less, of a blob than before. */
  readonly onOffer: (digest: Sha256, offer: Offer | undefined) => void
  /** `isLan` changed. */
  readonly onPath: () => void
}

/** One peer that has proven its membership: asks it, and serves it. */
export interface PeerSession {
  readonly isOpen: boolean
  /** The link stays in the local network, as far as it was asked by now. */
  readonly isLan: boolean
  /** False while it has said that it is busy. */
  readonly isReady: boolean
  /** Resolves with the reason when the session is over. */
  readonly closed: Promise<Failure>
  /** Why it was given up, where it kept us waiting too often, or refused what it said it has. */
  readonly strikeOut: StrikeOut | undefined
  /** Bytes that may come because we asked, and the most that may. */
  readonly flow: { readonly outstandingBytes: number; readonly windowBytes: number; readonly uploads: number }
  /** Asks what the peer has of a blob. */
  openTopic(digest: Sha256): void
  /** What it last said it has. */
  offers(): readonly { readonly sha256: Sha256; readonly offer: Offer }[]
  isOffered(blob: BlobRef, piece: PieceIndex): boolean
  /** As `Source.read`; the range is one piece, or the whole blob. `source-missing` too where the peer has it cut otherwise. */
  read(blob: BlobRef, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  readCatalogue(limitBytes: number, signal: AbortSignal): Promise<Uint8Array>
  readTrustUpdate(version: number, signal: AbortSignal): Promise<Uint8Array>
  /** Tells the peer of pieces that are new here, or (undefined) of what there is of the blob, which may be less than before. */
  announce(digest: Sha256, pieces: readonly PieceIndex[] | undefined): void
  /** Something says that the peer is gone: asks it, and closes the link when no answer comes soon. */
  probe(): void
  /** Says why, and closes the link. */
  close(reason: ByeReason): void
}

/**
 * Greets, and waits for the other side's proof. Takes over the link, and closes it when this fails.
 * @throws {DeliveryError} `peer-proof`, `peer-frame`, `peer-timeout` with phase `handshake`, `peer-closed`
 */
export async function openPeerSession(link: PeerLink, options: SessionOptions, signal: AbortSignal): Promise<PeerSession> {
  const session = new Session(link, options)
  try {
    const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'handshake', elapsedMs })
    await withDeadline(session.proven, { ms: HANDSHAKE_TIMEOUT_MS, clock: options.clock, late }, signal)
  } catch (error) {
    session.fail(failureOf(error) ?? { code: 'peer-closed', detail: 'given up' })
    throw error
  }
  return session
}

class Session implements PeerSession {
  readonly #link: PeerLink
  readonly #options: SessionOptions
  readonly #handshake: Handshake
  readonly #topics: Topics
  readonly #downloads: Downloads
  readonly #uploads: Uploads
  readonly #catalogues: CatalogueRequests
  readonly #proven = createSettled<void>()
  readonly #closed = createSettled<Failure>()
  readonly #over = new AbortController()
  /** Every frame is written here: new memory for each costs a seed as much as all else that it does (measured). */
  readonly #room = new ArrayBuffer(LIMITS.frameBytes)
  #state: 'greeting' | 'open' | 'closed' = 'greeting'
  readonly #keepAlive: KeepAlive
  #busyUntilMs = 0
  readonly #strikes = new Strikes()
  strikeOut: StrikeOut | undefined
  isLan = false

  constructor(link: PeerLink, options: SessionOptions) {
    const { source, clock, random, swarmKey } = options
    this.#link = link
    this.#options = options
    const send = this.#send
    const refuse = (detail: string): void => this.fail({ code: 'peer-frame', detail })
    this.#topics = new Topics(send, ({ sha256, offer }) => options.onOffer(sha256, offer))
    this.#downloads = new Downloads({
      source,
      clock,
      random,
      send,
      refuse,
      onBusy: this.#onBusy,
      onRefused: this.#onRefused,
      onSilence: () => this.#strike('troubled'),
      onDeaf: (elapsedMs) => this.#giveUp('troubled', elapsedMs),
    })
    this.#uploads = new Uploads({
      store: options.store,
      slots: options.slots,
      clock,
      random,
      send,
      refuse,
      bufferedBytes: () => link.bufferedBytes,
    })
    this.#catalogues = new CatalogueRequests({ source, clock, random, send })
    this.#keepAlive = new KeepAlive({
      clock,
      over: this.#over.signal,
      ping: () => send({ type: 'ping', requestId: 1 }),
      onTick: () => {
        void this.#classify()
        this.#uploads.sweep()
      },
      onDead: (elapsedMs) => this.fail({ code: 'peer-timeout', phase: 'gap', elapsedMs }),
    })
    // Before anything can come: what came early is read in `listen`.
    this.#handshake = startHandshake({ link, swarmKey, nonce: options.randomBytes(32), send })
    link.listen({ onFrame: this.#onFrame, onDrain: () => this.#uploads.pump(), onClose: this.#end })
  }

  get proven(): Promise<void> {
    return this.#proven.promise
  }

  get closed(): Promise<Failure> {
    return this.#closed.promise
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isReady(): boolean {
    return this.isOpen && this.#options.clock.monotonicMs() >= this.#busyUntilMs
  }

  get flow(): PeerSession['flow'] {
    return { outstandingBytes: this.#downloads.outstandingBytes, windowBytes: this.#downloads.windowBytes, uploads: this.#uploads.size }
  }

  openTopic(digest: Sha256): void {
    if (this.isOpen) this.#topics.open(digest)
  }

  offers(): readonly { readonly sha256: Sha256; readonly offer: Offer }[] {
    return this.#topics.all().flatMap(({ sha256, offer }) => (offer === undefined ? [] : [{ sha256, offer }]))
  }

  isOffered(blob: BlobRef, piece: PieceIndex): boolean {
    if (!this.isReady) return false
    const topic = this.#topics.get(blob.sha256)
    // Nobody asked yet: reading asks.
    if (topic === undefined || !topic.isAnswered) return true
    return topic.offer !== undefined && fitsBlob(topic.offer, blob) && topic.offer.pieces.has(piece)
  }

  async *read(blob: BlobRef, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    signal.throwIfAborted()
    if (!this.isOpen) throw new DeliveryError({ code: 'peer-closed', detail: 'the session is over' })
    const topic = this.#topics.open(blob.sha256)
    if (!topic.isAnswered) {
      const late = (elapsedMs: number): DeliveryError => new DeliveryError({ code: 'peer-timeout', phase: 'first-byte', elapsedMs })
      await withDeadline(topic.answered.promise, { ms: ANSWER_TIMEOUT_MS, clock: this.#options.clock, late }, signal)
    }
    const pieces = topic.offer === undefined ? undefined : piecesOf(topic.offer, blob, range)
    if (pieces === undefined) throw new DeliveryError({ code: 'source-missing', source: this.#options.source })
    for (const wanted of pieces) yield* this.#downloads.read({ topic: topic.number, ...wanted }, signal)
  }

  readCatalogue(limitBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#readNamed({ trust: 0, limitBytes: Math.min(limitBytes, LIMITS.catalogueBytes) }, signal)
  }

  readTrustUpdate(version: number, signal: AbortSignal): Promise<Uint8Array> {
    return this.#readNamed({ trust: version, limitBytes: LIMITS.trustUpdateBytes }, signal)
  }

  #readNamed(wanted: Wanted, signal: AbortSignal): Promise<Uint8Array> {
    if (!this.isOpen) return Promise.reject(new DeliveryError({ code: 'peer-closed', detail: 'the session is over' }))
    return this.#catalogues.read(wanted, signal)
  }

  announce(digest: Sha256, pieces: readonly PieceIndex[] | undefined): void {
    if (this.isOpen) this.#uploads.announce(digest, pieces)
  }

  probe(): void {
    if (this.isOpen) void this.#keepAlive.ask(PROBE_MS)
  }

  close(reason: ByeReason): void {
    if (this.#state === 'closed') return
    this.#send({ type: 'bye', reason })
    this.#end({ code: 'peer-closed', detail: `left here: ${reason}` })
  }

  /** The end, for something that the other side did. */
  fail(failure: Failure): void {
    if (this.#state === 'closed') return
    this.#send({ type: 'bye', reason: failure.code === 'peer-proof' ? 'proof' : failure.code === 'peer-frame' ? 'protocol' : 'idle' })
    this.#end(failure)
  }

  readonly #send = (message: PeerMessage): void => {
    if (this.#state === 'closed') return
    this.#link.send(encodePeerMessage(message, this.#room))
    if (this.#link.bufferedBytes > QUEUE_LIMIT_BYTES) this.#end({ code: 'peer-closed', detail: 'it reads nothing of what is sent' })
  }

  readonly #onFrame = (frame: Uint8Array): void => {
    if (this.#state === 'closed') return
    this.#keepAlive.noteHeard()
    try {
      const message = parsePeerMessage(frame)
      if (message === undefined) return
      if (this.#state === 'open') this.#dispatch(message)
      else this.#greet(message)
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined) throw error
      this.fail(failure)
    }
  }

  #greet(message: PeerMessage): void {
    if (message.type === 'bye') return this.#end({ code: 'peer-closed', detail: `it left: ${message.reason}` })
    if (!this.#handshake.take(message)) return
    this.#state = 'open'
    this.#proven.resolve()
    void this.#classify()
    void this.#keepAlive.run()
  }

  #dispatch(message: PeerMessage): void {
    switch (message.type) {
      case 'hello':
      case 'proof':
        throw new DeliveryError({ code: 'peer-frame', detail: `${message.type} after the proof` })
      case 'ping':
        return this.#send({ type: 'pong', requestId: message.requestId })
      case 'pong':
        return
      case 'bye':
        return this.#end({ code: 'peer-closed', detail: `it left: ${message.reason}` })
      default:
        return this.#exchange(message)
    }
  }

  #exchange(message: Exclude<PeerMessage, { readonly type: 'hello' | 'proof' | 'ping' | 'pong' | 'bye' }>): void {
    switch (message.type) {
      case 'opened':
      case 'absent':
      case 'have':
        return this.#topics.take(message)
      case 'data':
        return this.#downloads.onData(message)
      case 'end':
      case 'reject':
        return this.#onTerminal(message)
      case 'catalogue':
        return this.#catalogues.take(message)
      default:
        return this.#uploads.take(message)
    }
  }

  #onTerminal(message: Extract<PeerMessage, { readonly type: 'end' | 'reject' }>): void {
    if (message.type === 'end') return this.#downloads.onEnd(message.requestId)
    if (this.#catalogues.reject(message.requestId)) return
    this.#downloads.onReject(message)
  }

  readonly #onBusy = (retryMs: number): void => {
    const { clock } = this.#options
    this.#busyUntilMs = clock.monotonicMs() + retryMs
    const tell = (): void => {
      for (const { sha256, offer } of this.offers()) this.#options.onOffer(sha256, offer)
    }
    clock.sleep(retryMs, this.#over.signal).then(tell, () => undefined)
  }

  /** A claim costs whoever makes it: a piece that it has not is not asked for again, and a third refusal is one too many. */
  readonly #onRefused = ({ topic, piece }: PieceRequest, reason: 'absent' | 'failed'): void => {
    // Whoever says first that it gives no more of it, as when its budget is spent, refuses what was under way, and has not lied.
    if (reason === 'absent' && !this.#topics.withdraw(topic, piece) && this.#strikes.pardon()) return
    this.#strike(reason === 'absent' ? 'lying' : 'troubled')
  }

  #strike(why: StrikeOut): void {
    if (this.#strikes.add()) this.#giveUp(why, 0)
  }

  /** A link may move to another pair of candidates, and what leaves the local network is limited. */
  async #classify(): Promise<void> {
    const { path } = await this.#link.stats()
    this.#uploads.setPath(path)
    if (this.isLan === (path === 'lan')) return
    this.isLan = path === 'lan'
    this.#options.onPath()
  }

  #giveUp(why: StrikeOut, elapsedMs: number): void {
    this.strikeOut ??= why
    this.fail(failureOfStrikeOut(why, elapsedMs))
  }

  readonly #end = (failure: Failure): void => {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#over.abort()
    this.#proven.reject(new DeliveryError(failure))
    this.#uploads.close()
    this.#downloads.close(failure)
    this.#topics.close(failure)
    this.#catalogues.close(failure)
    this.#link.close()
    this.#closed.resolve(failure)
  }
}
