import { DeliveryError, type Failure } from '../../core/errors.ts'
import type { Bitfield } from '../../core/model/bitfield.ts'
import type { BlobRef, ByteRange } from '../../core/model/artifact.ts'
import { LIMITS } from '../../core/limits.ts'
import { toPieceIndex, type PieceIndex, type Sha256 } from '../../core/model/ids.ts'
import type { PeerMessage } from '../../core/wire/peer-message.ts'
import { OPEN_TOPICS, TOPIC_NUMBERS } from './session-limits.ts'
import { createSettled, type Settled } from './wait.ts'

/** What the other side says it has of one blob. A claim: pieces are checked when they come. */
export interface Offer {
  readonly pieceLengthBytes: number
  readonly pieces: Bitfield
}

export interface Topic {
  /** What the peer knows it by. A new one when it is opened anew. */
  number: number
  /** How many were opened before it. */
  serial: number
  readonly sha256: Sha256
  /** Undefined before the answer, and while the peer has nothing of it. */
  offer: Offer | undefined
  isAnswered: boolean
  readonly answered: Settled<void>
}

/** One that this many were opened after is opened anew when it is asked for: it would be closed soon. */
const OLD_AFTER = OPEN_TOPICS / 2

/** The blobs that we asked this peer about. */
export class Topics {
  readonly #send: (message: PeerMessage) => void
  readonly #onChange: (topic: Topic) => void
  readonly #byDigest = new Map<Sha256, Topic>()
  readonly #byNumber = new Map<number, Topic>()
  #opened = 0

  constructor(send: (message: PeerMessage) => void, onChange: (topic: Topic) => void) {
    this.#send = send
    this.#onChange = onChange
  }

  get(digest: Sha256): Topic | undefined {
    return this.#byDigest.get(digest)
  }

  all(): readonly Topic[] {
    return [...this.#byDigest.values()]
  }

  /** Asks about it, unless that was done lately. What was answered before holds until the next answer. */
  open(digest: Sha256): Topic {
    const known = this.#byDigest.get(digest)
    if (known !== undefined && this.#opened - known.serial <= OLD_AFTER) return known
    if (known !== undefined) this.#byNumber.delete(known.number)
    const serial = this.#opened++
    const number = serial % TOPIC_NUMBERS
    const topic = known ?? { number, serial, sha256: digest, offer: undefined, isAnswered: false, answered: createSettled<void>() }
    topic.number = number
    topic.serial = serial
    this.#closeOldest()
    this.#byDigest.set(digest, topic)
    this.#byNumber.set(number, topic)
    this.#send({ type: 'open', topic: number, sha256: digest })
    return topic
  }

  /**
   * What is about a topic that was closed meanwhile is let pass.
   * @throws {DeliveryError} `peer-frame` when it is about a topic that was never opened, or makes no sense
   */
  take(message: Extract<PeerMessage, { readonly type: 'opened' | 'absent' | 'have' }>): void {
    const topic = this.#byNumber.get(message.topic)
    if (topic === undefined && message.topic < this.#opened) return
    if (topic === undefined) throw refuse('an answer to nothing')
    switch (message.type) {
      case 'opened':
        if (!isLayout(message.pieceLengthBytes, message.pieces.length)) throw refuse('pieces of a strange length')
        topic.offer = { pieceLengthBytes: message.pieceLengthBytes, pieces: message.pieces }
        break
      case 'absent':
        topic.offer = undefined
        break
      case 'have': {
        if (topic.offer === undefined || message.piece >= topic.offer.pieces.length) throw refuse('a piece of nothing')
        topic.offer.pieces.add(message.piece)
        break
      }
    }
    topic.isAnswered = true
    topic.answered.resolve()
    this.#onChange(topic)
  }

  /**
   * The peer refused this piece: whatever it said before, it does not have it. It may say otherwise later.
   * @returns false when it has taken its word back already
   */
  withdraw(number: number, piece: PieceIndex): boolean {
    const topic = this.#byNumber.get(number)
    if (topic?.offer?.pieces.has(piece) !== true) return false
    topic.offer.pieces.remove(piece)
    this.#onChange(topic)
    return true
  }

  #closeOldest(): void {
    if (this.#opened <= OPEN_TOPICS) return
    const topic = this.#byNumber.get((this.#opened - 1 - OPEN_TOPICS) % TOPIC_NUMBERS)
    if (topic === undefined) return
    this.#byNumber.delete(topic.number)
    this.#byDigest.delete(topic.sha256)
  }

  close(failure: Failure): void {
    for (const topic of this.#byDigest.values()) {
      topic.offer = undefined
      topic.answered.reject(new DeliveryError(failure))
    }
  }
}

/** False when the offer is cut for a blob of another size: a lie, or another layout than the manifest's. */
export function fitsBlob(offer: Offer, blob: BlobRef): boolean {
  return offer.pieces.length === Math.ceil(blob.sizeBytes / offer.pieceLengthBytes)
}

/** The pieces of a range, as the peer has them cut; undefined when it has not all of them, or the range does not end at their borders. */
export function piecesOf(offer: Offer, blob: BlobRef, range: ByteRange): readonly OfferedPiece[] | undefined {
  if (!fitsBlob(offer, blob)) return undefined
  const { pieces, pieceLengthBytes } = offer
  const found: OfferedPiece[] = []
  for (let start = Math.floor(range.start / pieceLengthBytes) * pieceLengthBytes; start < range.end; start += pieceLengthBytes) {
    const piece = toPieceIndex(start / pieceLengthBytes)
    const lengthBytes = Math.min(pieceLengthBytes, blob.sizeBytes - start)
    // The peer's word on how it is cut, not the manifest's: where the two differ, it has nothing of ours.
    if (!pieces.has(piece) || range.start > start || range.end < start + lengthBytes) return undefined
    found.push({ piece, lengthBytes })
  }
  return found
}

export interface OfferedPiece {
  readonly piece: PieceIndex
  readonly lengthBytes: number
}

function isLayout(lengthBytes: number, count: number): boolean {
  if (count === 1) return true
  return (lengthBytes & (lengthBytes - 1)) === 0 && lengthBytes >= LIMITS.pieceLengthMinBytes
}

function refuse(detail: string): DeliveryError {
  return new DeliveryError({ code: 'peer-frame', detail })
}
