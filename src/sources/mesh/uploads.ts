import { LIMITS } from '../../core/limits.ts'
import type { PieceIndex, Sha256 } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { FRAME_PAYLOAD_BYTES } from '../../core/wire/peer-frame.ts'
import { TOPIC_PIECES, type PeerMessage, type RejectReason } from '../../core/wire/peer-message.ts'
import { HIGH_WATER_BYTES } from './peer-link.ts'
import type { SeedStore } from './seed-store.ts'
import { OPEN_REQUESTS, OPEN_TOPICS, TOPIC_NUMBERS } from './session-limits.ts'
import type { UploadSlots } from './upload-slots.ts'

/** A peer whose line takes nothing of what it gave credit for, for this long, loses its request. */
const SLOW_READER_MS = 30_000
/** A peer that takes nothing at all for this long gives back its upload slot: it may wait for its own disk, but others wait for it. */
const UNUSED_SLOT_MS = 120_000
const RETRY_MS = 500
const RETRY_SPREAD_MS = 1500

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

interface Upload {
  readonly requestId: number
  readonly piece: PieceIndex
  readonly stop: AbortController
  bytes: Uint8Array | undefined
  offset: number
  creditBytes: number
  movedAtMs: number
}

/** A request for the catalogue or a trust update. */
interface Named {
  readonly requestId: number
  bytes: Uint8Array | undefined
  offset: number
}

/** The catalogue and one trust update: whoever wants to know asks for both at once. */
const NAMED_REQUESTS = 2

/** The serving half of a session: answers one peer from the store, as far as its credit and our queue allow. */
export class Uploads {
  readonly #options: UploadOptions
  readonly #topics = new Map<number, Sha256>()
  /** Topics opened so far, the closed ones included. */
  #opened = 0
  readonly #open = new Map<number, Upload>()
  /** Requests for the catalogue and for trust updates, oldest first. */
  #named: Named[] = []
  /** When anything last went to this peer, or it first asked. */
  #movedAtMs = 0
  readonly #over = new AbortController()

  constructor(options: UploadOptions) {
    this.#options = options
  }

  /** Requests that are being served. */
  get size(): number {
    return this.#open.size
  }

  onOpen(topic: number, digest: Sha256): void {
    if (topic !== this.#opened % TOPIC_NUMBERS) return this.#options.refuse('a topic out of turn')
    this.#topics.set(topic, digest)
    this.#opened++
    if (this.#opened > OPEN_TOPICS) this.#topics.delete((this.#opened - 1 - OPEN_TOPICS) % TOPIC_NUMBERS)
    this.#describe(topic, digest)
  }

  /** Something of this blob is here now that was not before. */
  announce(digest: Sha256, piece: PieceIndex | undefined): void {
    for (const [topic, opened] of this.#topics) {
      if (opened !== digest) continue
      if (piece === undefined) this.#describe(topic, digest)
      else this.#options.send({ type: 'have', topic, piece })
    }
  }

  onRequest(request: Request): void {
    const { requestId, piece, fromOffset } = request
    if (request.topic >= this.#opened || this.#open.has(requestId)) return this.#options.refuse('a request out of turn')
    const digest = this.#topics.get(request.topic)
    if (digest === undefined) return this.#reject(requestId, 'absent')
    const layout = this.#options.store.layout(digest)
    if (layout === undefined || !this.#options.store.pieces(digest)?.has(piece)) return this.#reject(requestId, 'absent')
    const length = Math.min(layout.pieceLengthBytes, layout.sizeBytes - piece * layout.pieceLengthBytes)
    if (fromOffset >= length || request.creditBytes > LIMITS.pieceLengthMaxBytes) return this.#options.refuse('a request beyond its piece')
    if (this.#open.size >= OPEN_REQUESTS || !this.#options.slots.take(this)) return this.#reject(requestId, 'busy')
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#open.size === 0) this.#movedAtMs = nowMs
    const upload: Upload = {
      requestId,
      piece,
      stop: new AbortController(),
      bytes: undefined,
      offset: fromOffset,
      creditBytes: request.creditBytes,
      movedAtMs: nowMs,
    }
    this.#open.set(requestId, upload)
    void this.#load(upload, digest, length)
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

  onCatalogueRequest({ requestId, limitBytes, trust }: Extract<PeerMessage, { readonly type: 'catalogue-request' }>): void {
    if (this.#named.length >= NAMED_REQUESTS) return this.#reject(requestId, 'busy')
    const named: Named = { requestId, bytes: undefined, offset: 0 }
    this.#named.push(named)
    const giveUp = (reason: RejectReason): void => {
      this.#named = this.#named.filter((one) => one !== named)
      this.#reject(requestId, reason)
    }
    const { store } = this.#options
    const reading = trust === 0 ? store.catalogue(this.#over.signal) : store.trustUpdate(trust, this.#over.signal)
    reading.then(
      (bytes) => {
        if (bytes === undefined || bytes.length === 0 || bytes.length > limitBytes) return giveUp('absent')
        named.bytes = bytes
        this.pump()
      },
      () => giveUp('failed'),
    )
  }

  /** Sends what may be sent now: oldest request first. Called when credit, bytes or room in the queue came. */
  pump(): void {
    if (this.#over.signal.aborted) return
    for (const upload of this.#open.values()) this.#pumpOne(upload)
    this.#pumpNamed()
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
    for (const upload of this.#open.values()) upload.stop.abort()
    this.#open.clear()
    this.#options.slots.release(this)
  }

  #describe(topic: number, digest: Sha256): void {
    const layout = this.#options.store.layout(digest)
    const pieces = this.#options.store.pieces(digest)
    if (layout === undefined || pieces === undefined || pieces.size === 0 || pieces.length > TOPIC_PIECES) {
      this.#options.send({ type: 'absent', topic })
    } else this.#options.send({ type: 'opened', topic, pieceLengthBytes: layout.pieceLengthBytes, pieces })
  }

  async #load(upload: Upload, digest: Sha256, length: number): Promise<void> {
    const bytes = await this.#options.store.readPiece(digest, upload.piece, upload.stop.signal).catch(() => undefined)
    if (this.#open.get(upload.requestId) !== upload) return
    if (bytes?.length !== length) return this.#giveUp(upload.requestId)
    upload.bytes = bytes
    upload.movedAtMs = this.#options.clock.monotonicMs()
    this.pump()
  }

  #pumpOne(upload: Upload): void {
    const { bytes, requestId, piece } = upload
    if (bytes === undefined) return
    while (upload.offset < bytes.length && upload.creditBytes > 0) {
      const count = Math.min(FRAME_PAYLOAD_BYTES, bytes.length - upload.offset, upload.creditBytes)
      if (this.#options.bufferedBytes() + count > HIGH_WATER_BYTES) return
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

  #pumpNamed(): void {
    for (const named of this.#named) {
      const { requestId, bytes } = named
      if (bytes === undefined) continue
      while (named.offset < bytes.length) {
        const chunk = bytes.subarray(named.offset, named.offset + FRAME_PAYLOAD_BYTES)
        if (this.#options.bufferedBytes() + chunk.length > HIGH_WATER_BYTES) return
        this.#options.send({ type: 'catalogue', requestId, offset: named.offset, totalBytes: bytes.length, bytes: chunk })
        named.offset += chunk.length
      }
      this.#named = this.#named.filter((one) => one !== named)
    }
  }

  #giveUp(requestId: number): void {
    this.#finish(requestId, { type: 'reject', requestId, reason: 'failed', retryMs: 0 })
  }

  #finish(requestId: number, last: PeerMessage): void {
    this.#open.get(requestId)?.stop.abort()
    this.#open.delete(requestId)
    if (this.#open.size === 0) this.#options.slots.release(this)
    this.#options.send(last)
  }

  #reject(requestId: number, reason: RejectReason): void {
    const retryMs = reason === 'busy' ? Math.floor(RETRY_MS + this.#options.random() * RETRY_SPREAD_MS) : 0
    this.#options.send({ type: 'reject', requestId, reason, retryMs })
  }
}
