import { LIMITS } from '../../core/limits.ts'
import { createTokenBucket } from '../../core/plan/token-bucket.ts'
import type { PieceIndex, Sha256 } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { FRAME_PAYLOAD_BYTES, HEADER_BYTES } from '../../core/wire/peer-frame.ts'
import { TOPIC_PIECES, type PeerMessage, type RejectReason } from '../../core/wire/peer-message.ts'
import { NamedUploads } from './named-uploads.ts'
import { HIGH_WATER_BYTES, type LinkPath } from './peer-link.ts'
import type { SeedStore } from './seed-store.ts'
import { OPEN_REQUESTS, OPEN_TOPICS, TOPIC_NUMBERS } from './session-limits.ts'
import type { UploadHolder, UploadLane, UploadSlots } from './upload-slots.ts'

/** A peer whose line takes nothing of what it gave credit for, for this long, loses its request. */
const SLOW_READER_MS = 30_000
/** A peer that takes nothing at all for this long gives back its upload slot: it may wait for its own disk, but others wait for it. */
const UNUSED_SLOT_MS = 120_000
/** A request waits so long for a slot: before the asker's own patience of two seconds ends, it hears that we are busy. */
export const QUEUE_MS = 1000
/** Requests that may be refused at once, and in a second from then on. Whoever was told to wait, or that there is nothing, does not ask at once again. */
const REFUSALS = { burst: 64, perSecond: 16 }
export const RETRY_MS = 500
export const RETRY_SPREAD_MS = 1500

type Asked = Extract<PeerMessage, { readonly type: 'open' | 'request' | 'credit' | 'cancel' | 'catalogue-request' }>
type Request = Extract<PeerMessage, { readonly type: 'request' }>

export interface UploadOptions {
  readonly store: SeedStore
  readonly slots: UploadSlots
  readonly clock: Clock
  readonly random: () => number
  readonly send: (message: PeerMessage) => void
  readonly bufferedBytes: () => number
  /** The peer broke the protocol. */
  readonly refuse: (detail: string) => void
}

/** A blob that the peer asked about. */
interface ServedTopic {
  readonly digest: Sha256
  /** The peer was told what there is of it. A piece of what it was told is absent would be a fault of ours. */
  isOffered: boolean
}

interface Upload {
  readonly requestId: number
  readonly digest: Sha256
  readonly piece: PieceIndex
  readonly lengthBytes: number
  readonly stop: AbortController
  /** `queued`: it waits for a slot. */
  state: 'queued' | 'running'
  bytes: Uint8Array | undefined
  offset: number
  creditBytes: number
  movedAtMs: number
}

/** The serving half of a session: answers one peer from the store, as far as its credit, our queue and our limits allow. */
export class Uploads implements UploadHolder {
  readonly #options: UploadOptions
  readonly #lane: UploadLane
  readonly #topics = new Map<number, ServedTopic>()
  /** Topics opened so far, the closed ones included. */
  #opened = 0
  readonly #open = new Map<number, Upload>()
  readonly #named: NamedUploads
  readonly #refusals = createTokenBucket(REFUSALS)
  /** When anything last went to this peer, or it first asked. */
  #movedAtMs = 0
  readonly #over = new AbortController()
  servedBytes = 0

  constructor(options: UploadOptions) {
    this.#options = options
    this.#lane = options.slots.open(this)
    const { store, send, bufferedBytes } = options
    const reject = (requestId: number, reason: RejectReason): void => this.#reject(requestId, reason)
    this.#named = new NamedUploads({ store, send, reject, bufferedBytes, take: (bytes) => this.#take(bytes) })
  }

  /** Requests that are open, those included that wait for a slot. */
  get size(): number {
    return this.#open.size
  }

  /** What the peer asks of us. */
  take(message: Asked): void {
    switch (message.type) {
      case 'open':
        return this.onOpen(message.topic, message.sha256)
      case 'request':
        return this.onRequest(message)
      case 'credit':
        return this.onCredit(message.requestId, message.bytes)
      case 'cancel':
        return this.onCancel(message.requestId)
      case 'catalogue-request':
        return this.onCatalogueRequest(message)
    }
  }

  onOpen(topic: number, digest: Sha256): void {
    if (topic !== this.#opened % TOPIC_NUMBERS) return this.#options.refuse('a topic out of turn')
    const served: ServedTopic = { digest, isOffered: false }
    this.#topics.set(topic, served)
    this.#opened++
    if (this.#opened > OPEN_TOPICS) this.#topics.delete((this.#opened - 1 - OPEN_TOPICS) % TOPIC_NUMBERS)
    this.#describe(topic, served)
  }

  /** These pieces are here now that were not before; undefined: look what there is, which may be less than before, or nothing. */
  announce(digest: Sha256, pieces: readonly PieceIndex[] | undefined): void {
    for (const [topic, served] of this.#topics) {
      if (served.digest !== digest) continue
      const inAll = HEADER_BYTES + (this.#options.store.pieces(digest)?.length ?? 0) / 8
      if (pieces === undefined || !served.isOffered || pieces.length * HEADER_BYTES > inAll) this.#describe(topic, served)
      else for (const piece of pieces) this.#options.send({ type: 'have', topic, piece })
    }
    if (this.#options.store.layout(digest) === undefined) this.#withdraw((upload) => upload.digest === digest)
  }

  /** Where the link leads: what leaves the local network is limited. */
  setPath(path: LinkPath): void {
    if (!this.#over.signal.aborted) this.#lane.setPath(path)
  }

  onLimits(): void {
    for (const [topic, served] of this.#topics) this.#describe(topic, served)
    if (!this.#lane.isOpen) this.#withdraw(() => true)
  }

  onSlot(): void {
    for (const upload of this.#open.values()) if (upload.state === 'queued') this.#start(upload)
  }

  onRequest(request: Request): void {
    const { requestId } = request
    if (request.topic >= this.#opened || this.#open.has(requestId)) return this.#options.refuse('a request out of turn')
    const wanted = this.#find(request)
    if (wanted === undefined) return this.#reject(requestId, 'absent')
    if (request.fromOffset >= wanted.lengthBytes || request.creditBytes > LIMITS.pieceLengthMaxBytes)
      return this.#options.refuse('a request beyond its piece')
    const place = this.#open.size >= OPEN_REQUESTS ? 'full' : this.#lane.enter({ digest: wanted.digest, piece: request.piece })
    if (place === 'full') return this.#reject(requestId, 'busy')
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#open.size === 0) this.#movedAtMs = nowMs
    const upload: Upload = {
      ...wanted,
      requestId,
      piece: request.piece,
      stop: new AbortController(),
      state: 'queued',
      bytes: undefined,
      offset: request.fromOffset,
      creditBytes: request.creditBytes,
      movedAtMs: nowMs,
    }
    this.#open.set(requestId, upload)
    if (place === 'taken') this.#start(upload)
    else this.#wait(upload)
  }

  onCredit(requestId: number, bytes: number): void {
    const upload = this.#open.get(requestId)
    // It may have ended while the credit was on its way.
    if (upload === undefined) return
    if (upload.creditBytes === 0) upload.movedAtMs = this.#options.clock.monotonicMs()
    upload.creditBytes += bytes
    if (upload.creditBytes > LIMITS.pieceLengthMaxBytes) return this.#options.refuse('credit without bounds')
    this.pump()
  }

  onCancel(requestId: number): void {
    if (this.#open.has(requestId)) this.#finish(requestId, { type: 'end', requestId })
  }

  onCatalogueRequest(request: Extract<PeerMessage, { readonly type: 'catalogue-request' }>): void {
    if (this.#lane.isOpen) this.#named.onRequest(request)
    else this.#reject(request.requestId, 'absent')
  }

  /** Sends what may be sent now: oldest request first. Called when credit, bytes, room in the queue or our own turn came. */
  pump(): void {
    if (this.#over.signal.aborted) return
    for (const upload of this.#open.values()) this.#pumpOne(upload)
    this.#named.pump()
  }

  /** Gives up requests that hold a slot and do not move. No fault of the peer's: its line or its disk may be slow. Called now and then. */
  sweep(): void {
    const nowMs = this.#options.clock.monotonicMs()
    const isSlotUnused = nowMs - this.#movedAtMs > UNUSED_SLOT_MS
    for (const upload of this.#open.values()) {
      // Without bytes it is we who are slow; without credit the peer is not ready for more.
      const isStuck = upload.bytes !== undefined && upload.creditBytes > 0 && nowMs - upload.movedAtMs > SLOW_READER_MS
      if (isStuck || (isSlotUnused && upload.bytes !== undefined)) this.#giveUp(upload.requestId)
    }
  }

  close(): void {
    this.#over.abort()
    this.#named.close()
    for (const upload of this.#open.values()) upload.stop.abort()
    this.#open.clear()
    this.#lane.close()
  }

  /** What is asked for, when this peer may have it. */
  #find({ topic, piece }: Request): Pick<Upload, 'digest' | 'lengthBytes'> | undefined {
    const { store } = this.#options
    const digest = this.#topics.get(topic)?.digest
    if (digest === undefined || !this.#lane.isOpen || store.pieces(digest)?.has(piece) !== true) return undefined
    const layout = store.layout(digest)
    if (layout === undefined) return undefined
    return { digest, lengthBytes: Math.min(layout.pieceLengthBytes, layout.sizeBytes - piece * layout.pieceLengthBytes) }
  }

  /** May be given no more: what is under way of it ends here. */
  #withdraw(isMeant: (upload: Upload) => boolean): void {
    for (const upload of this.#open.values()) {
      const { requestId } = upload
      if (isMeant(upload)) this.#finish(requestId, { type: 'reject', requestId, reason: 'absent', retryMs: 0 })
    }
  }

  #describe(topic: number, served: ServedTopic): void {
    const layout = this.#options.store.layout(served.digest)
    const pieces = this.#options.store.pieces(served.digest)
    if (!this.#lane.isOpen || layout === undefined || pieces === undefined || pieces.size === 0 || pieces.length > TOPIC_PIECES) {
      served.isOffered = false
      return this.#options.send({ type: 'absent', topic })
    }
    served.isOffered = true
    this.#options.send({ type: 'opened', topic, pieceLengthBytes: layout.pieceLengthBytes, pieces })
  }

  #start(upload: Upload): void {
    upload.state = 'running'
    this.#options.slots.noteGiven(upload)
    upload.movedAtMs = this.#options.clock.monotonicMs()
    void this.#load(upload)
  }

  #wait(upload: Upload): void {
    const isLate = this.#options.clock.sleep(QUEUE_MS, upload.stop.signal).then(
      () => upload.state === 'queued',
      () => false,
    )
    void isLate.then((late) => late && this.#finish(upload.requestId, this.#rejection(upload.requestId, 'busy')))
  }

  async #load(upload: Upload): Promise<void> {
    const bytes = await this.#options.store.readPiece(upload.digest, upload.piece, upload.stop.signal).catch(() => undefined)
    if (this.#open.get(upload.requestId) !== upload) return
    if (bytes?.length !== upload.lengthBytes) return this.#giveUp(upload.requestId)
    upload.bytes = bytes
    upload.movedAtMs = this.#options.clock.monotonicMs()
    this.pump()
  }

  #take(bytes: number): number {
    const taken = this.#lane.take(bytes)
    this.servedBytes += taken
    return taken
  }

  #pumpOne(upload: Upload): void {
    const { bytes, requestId, piece } = upload
    if (bytes === undefined) return
    while (upload.offset < bytes.length && upload.creditBytes > 0) {
      const wanted = Math.min(FRAME_PAYLOAD_BYTES, bytes.length - upload.offset, upload.creditBytes)
      if (this.#options.bufferedBytes() + wanted > HIGH_WATER_BYTES) return
      const count = this.#take(wanted)
      // Its turn comes, or what may leave is used up and the request has ended by now.
      if (count === 0) return
      this.#options.send({
        type: 'data',
        requestId,
        piece,
        offset: upload.offset,
        bytes: bytes.subarray(upload.offset, upload.offset + count),
      })
      upload.offset += count
      upload.creditBytes -= count
      upload.movedAtMs = this.#options.clock.monotonicMs()
      this.#movedAtMs = upload.movedAtMs
    }
    if (upload.offset === bytes.length) this.#finish(requestId, { type: 'end', requestId })
  }

  #giveUp(requestId: number): void {
    this.#finish(requestId, { type: 'reject', requestId, reason: 'failed', retryMs: 0 })
  }

  #finish(requestId: number, last: PeerMessage): void {
    const upload = this.#open.get(requestId)
    if (upload === undefined) return
    upload.stop.abort()
    this.#open.delete(requestId)
    this.#options.send(last)
    const left = [...this.#open.values()]
    const [next] = left
    if (left.some(({ state }) => state === 'running')) return
    // What it asked for meanwhile stands behind those who waited.
    this.#lane.leave()
    if (next !== undefined && this.#lane.enter(next) === 'taken') this.onSlot()
  }

  #reject(requestId: number, reason: RejectReason): void {
    // Each costs more here than there.
    if (this.#refusals.take(1, this.#options.clock.monotonicMs()) === 0) return this.#options.refuse('a flood of requests')
    this.#options.send(this.#rejection(requestId, reason))
  }

  #rejection(requestId: number, reason: RejectReason): PeerMessage {
    const retryMs = reason === 'busy' ? Math.floor(RETRY_MS + this.#options.random() * RETRY_SPREAD_MS) : 0
    return { type: 'reject', requestId, reason, retryMs }
  }
}
