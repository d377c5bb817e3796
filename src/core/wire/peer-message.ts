/** What two peers say over one ordered data channel: a 16-byte header, then payload. Described in docs/peer-protocol.md. */

import { DeliveryError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { createBitfield, parseBitfield, type Bitfield } from '../model/bitfield.ts'
import { toPieceIndex, type PieceIndex, type Sha256 } from '../model/ids.ts'
import { fromHex, toHex } from '../verify/digest.ts'

export const PEER_PROTOCOL_VERSION = 1
export const HEADER_BYTES = 16
/** Most payload that one frame carries. */
export const FRAME_PAYLOAD_BYTES = LIMITS.frameBytes - HEADER_BYTES
/** Most pieces that a topic may claim: as many as the longest piece list holds. */
export const TOPIC_PIECES = LIMITS.pieceListBytes / 32

/** Why a request is not served. */
export type RejectReason = 'busy' | 'absent' | 'failed'
/** Why a peer leaves. */
export type ByeReason = 'leaving' | 'protocol' | 'proof' | 'banned' | 'idle' | 'full'

/** A topic is one blob. Whoever opens it numbers it; HAVE, OPENED and ABSENT answer with that number. */
export type PeerMessage =
  | { readonly type: 'hello'; readonly version: number; readonly nonce: Uint8Array }
  | { readonly type: 'proof'; readonly mac: Uint8Array }
  | { readonly type: 'open'; readonly topic: number; readonly sha256: Sha256 }
  | { readonly type: 'opened'; readonly topic: number; readonly pieceLengthBytes: number; readonly pieces: Bitfield }
  | { readonly type: 'absent'; readonly topic: number }
  | { readonly type: 'have'; readonly topic: number; readonly piece: PieceIndex }
  | {
      readonly type: 'request'
      readonly topic: number
      readonly requestId: number
      readonly piece: PieceIndex
      readonly fromOffset: number
      readonly creditBytes: number
    }
  | { readonly type: 'credit'; readonly requestId: number; readonly bytes: number }
  | {
      readonly type: 'data'
      readonly requestId: number
      readonly piece: PieceIndex
      readonly offset: number
      readonly bytes: Uint8Array
    }
  /** Nothing more comes for this request: it is served, or its cancellation is heard. */
  | { readonly type: 'end'; readonly requestId: number }
  | { readonly type: 'cancel'; readonly requestId: number }
  | { readonly type: 'reject'; readonly requestId: number; readonly reason: RejectReason; readonly retryMs: number }
  | { readonly type: 'catalogue-request'; readonly requestId: number; readonly limitBytes: number }
  | {
      readonly type: 'catalogue'
      readonly requestId: number
      readonly offset: number
      readonly totalBytes: number
      readonly bytes: Uint8Array
    }
  | { readonly type: 'ping'; readonly requestId: number }
  | { readonly type: 'pong'; readonly requestId: number }
  | { readonly type: 'bye'; readonly reason: ByeReason }

const CODE_OF = {
  hello: 1,
  proof: 2,
  open: 3,
  opened: 4,
  absent: 5,
  have: 6,
  request: 7,
  credit: 8,
  data: 9,
  end: 10,
  cancel: 11,
  reject: 12,
  'catalogue-request': 13,
  catalogue: 14,
  ping: 15,
  pong: 16,
  bye: 17,
} as const satisfies Record<PeerMessage['type'], number>

const REJECT_CODES: Readonly<Record<RejectReason, number>> = { busy: 1, absent: 2, failed: 3 }
const BYE_CODES: Readonly<Record<ByeReason, number>> = { leaving: 1, protocol: 2, proof: 3, banned: 4, idle: 5, full: 6 }

/** On a type that the receiver does not know: skip this frame instead of giving up the peer. */
export const FLAG_OPTIONAL = 0x01
/** On OPENED: every piece is there, and no bitfield follows. */
const FLAG_ALL = 0x02

const HASH_BYTES = 32
const MAX_RETRY_MS = 60_000

interface Header {
  readonly flags: number
  readonly topic: number
  readonly requestId: number
  readonly a: number
  readonly b: number
}
interface Parts<Used> {
  readonly header: Used
  readonly payload: Uint8Array
}
const NO_HEADER: Header = { flags: 0, topic: 0, requestId: 0, a: 0, b: 0 }
const NO_PAYLOAD = new Uint8Array()

/**
 * Reads one frame, attacker-controlled. Payloads are views of `frame`, not copies. A field that a type does not use must be zero, so
 * every message has one encoding.
 * @returns undefined for a type from the future that may be skipped
 * @throws {DeliveryError} `peer-frame`, and nothing else, for any bytes
 */
export function parsePeerMessage(frame: Uint8Array): PeerMessage | undefined {
  if (frame.length < HEADER_BYTES || frame.length > LIMITS.frameBytes) throw refuse(`a frame of ${frame.length} bytes`)
  const view = new DataView(frame.buffer, frame.byteOffset, HEADER_BYTES)
  const code = view.getUint8(0)
  const fields: Fields = {
    header: {
      flags: view.getUint8(1),
      topic: view.getUint16(2),
      requestId: view.getUint32(4),
      a: view.getUint32(8),
      b: view.getUint32(12),
    },
    payload: frame.subarray(HEADER_BYTES),
  }
  const read = READERS.get(code)
  if (read !== undefined) return read(fields)
  if ((fields.header.flags & FLAG_OPTIONAL) !== 0) return undefined
  throw refuse(`type ${code}`)
}

type Fields = Parts<Header>
type Reader = (fields: Fields) => PeerMessage

const READERS: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [
    CODE_OF.hello,
    (fields) => {
      only(fields, ['a'], HASH_BYTES)
      return { type: 'hello', version: fields.header.a, nonce: fields.payload }
    },
  ],
  [CODE_OF.proof, readProof],
  [CODE_OF.open, readOpen],
  [CODE_OF.opened, readOpened],
  [CODE_OF.absent, readAbsent],
  [CODE_OF.have, readHave],
  [CODE_OF.request, readRequest],
  [CODE_OF.credit, readCredit],
  [CODE_OF.data, readData],
  [CODE_OF.end, bareReader('end')],
  [CODE_OF.cancel, bareReader('cancel')],
  [CODE_OF.reject, readReject],
  [
    CODE_OF['catalogue-request'],
    (fields) => {
      only(fields, ['requestId', 'a'], 0)
      return { type: 'catalogue-request', requestId: fields.header.requestId, limitBytes: fields.header.a }
    },
  ],
  [CODE_OF.catalogue, readCatalogue],
  [CODE_OF.ping, bareReader('ping')],
  [CODE_OF.pong, bareReader('pong')],
  [CODE_OF.bye, readBye],
])

function bareReader(type: 'end' | 'cancel' | 'ping' | 'pong'): Reader {
  return (fields) => {
    only(fields, ['requestId'], 0)
    return { type, requestId: fields.header.requestId }
  }
}

function readCredit(fields: Fields): PeerMessage {
  only(fields, ['requestId', 'a'], 0)
  return { type: 'credit', requestId: fields.header.requestId, bytes: fields.header.a }
}

function readProof(fields: Fields): PeerMessage {
  only(fields, [], HASH_BYTES)
  return { type: 'proof', mac: fields.payload }
}

function readOpen(fields: Fields): PeerMessage {
  only(fields, ['topic'], HASH_BYTES)
  return { type: 'open', topic: fields.header.topic, sha256: toHex(fields.payload) }
}

function readAbsent(fields: Fields): PeerMessage {
  only(fields, ['topic'], 0)
  return { type: 'absent', topic: fields.header.topic }
}

function readHave(fields: Fields): PeerMessage {
  only(fields, ['topic', 'a'], 0)
  return { type: 'have', topic: fields.header.topic, piece: toPieceIndex(fields.header.a) }
}

function readOpened(fields: Fields): PeerMessage {
  const { header, payload } = fields
  const count = header.b
  if (count > TOPIC_PIECES) throw refuse(`a topic of ${count} pieces`)
  if (header.a < 1 || header.a > LIMITS.pieceLengthMaxBytes) throw refuse(`pieces of ${header.a} bytes`)
  const head = { type: 'opened', topic: header.topic, pieceLengthBytes: header.a } as const
  if (header.flags === FLAG_ALL) {
    only(fields, ['topic', 'a', 'b', 'flags'], 0)
    return { ...head, pieces: fullBitfield(count) }
  }
  only(fields, ['topic', 'a', 'b'], payload.length)
  const pieces = parseBitfield(count, payload)
  if (pieces === undefined) throw refuse('a bitfield that does not fit')
  if (pieces.isFull()) throw refuse('a full bitfield that is not said to be one')
  return { ...head, pieces }
}

function readRequest(fields: Fields): PeerMessage {
  only(fields, ['topic', 'requestId', 'a', 'b'], 4)
  const { topic, requestId, a, b } = fields.header
  const creditBytes = new DataView(fields.payload.buffer, fields.payload.byteOffset, 4).getUint32(0)
  return { type: 'request', topic, requestId, piece: toPieceIndex(a), fromOffset: b, creditBytes }
}

function readData(fields: Fields): PeerMessage {
  only(fields, ['requestId', 'a', 'b'], fields.payload.length)
  if (fields.payload.length === 0) throw refuse('data without bytes')
  const { requestId, a, b } = fields.header
  return { type: 'data', requestId, piece: toPieceIndex(a), offset: b, bytes: fields.payload }
}

function readReject(fields: Fields): PeerMessage {
  only(fields, ['requestId', 'a', 'b'], 0)
  const { requestId, a, b } = fields.header
  const reason = nameOf(REJECT_CODES, a)
  if (reason === undefined || b > MAX_RETRY_MS) throw refuse(`a rejection with code ${a}, after ${b} ms`)
  return { type: 'reject', requestId, reason, retryMs: b }
}

function readCatalogue(fields: Fields): PeerMessage {
  only(fields, ['requestId', 'a', 'b'], fields.payload.length)
  const { requestId, a, b } = fields.header
  if (b > LIMITS.catalogueBytes || fields.payload.length === 0 || a + fields.payload.length > b)
    throw refuse('a catalogue that does not fit')
  return { type: 'catalogue', requestId, offset: a, totalBytes: b, bytes: fields.payload }
}

function readBye(fields: Fields): PeerMessage {
  only(fields, ['a'], 0)
  const reason = nameOf(BYE_CODES, fields.header.a)
  if (reason === undefined) throw refuse(`a farewell with code ${fields.header.a}`)
  return { type: 'bye', reason }
}

/** One frame. @throws {RangeError} when a number or a payload does not fit its field */
export function encodePeerMessage(message: PeerMessage): Uint8Array<ArrayBuffer> {
  const { header, payload } = partsOf(message)
  const whole = { ...NO_HEADER, ...header }
  if (payload.length > FRAME_PAYLOAD_BYTES) throw new RangeError(`expected at most ${FRAME_PAYLOAD_BYTES} bytes, got ${payload.length}`)
  for (const [name, value] of Object.entries(whole)) {
    const limit = name === 'flags' ? 0x100 : name === 'topic' ? 0x10000 : 2 ** 32
    if (!Number.isInteger(value) || value < 0 || value >= limit) throw new RangeError(`expected ${name} below ${limit}, got ${value}`)
  }
  const frame = new Uint8Array(HEADER_BYTES + payload.length)
  const view = new DataView(frame.buffer)
  view.setUint8(0, CODE_OF[message.type])
  view.setUint8(1, whole.flags)
  view.setUint16(2, whole.topic)
  view.setUint32(4, whole.requestId)
  view.setUint32(8, whole.a)
  view.setUint32(12, whole.b)
  frame.set(payload, HEADER_BYTES)
  return frame
}

function partsOf(message: PeerMessage): Parts<Partial<Header>> {
  switch (message.type) {
    case 'hello':
      return { header: { a: message.version }, payload: message.nonce }
    case 'proof':
      return { header: {}, payload: message.mac }
    case 'open':
      return { header: { topic: message.topic }, payload: fromHex(message.sha256) }
    case 'opened':
      return openedParts(message)
    case 'absent':
      return { header: { topic: message.topic }, payload: NO_PAYLOAD }
    case 'have':
      return { header: { topic: message.topic, a: message.piece }, payload: NO_PAYLOAD }
    case 'bye':
      return { header: { a: BYE_CODES[message.reason] }, payload: NO_PAYLOAD }
    default:
      return requestParts(message)
  }
}

function requestParts(message: Extract<PeerMessage, { readonly requestId: number }>): Parts<Partial<Header>> {
  const { requestId } = message
  switch (message.type) {
    case 'request': {
      const payload = new Uint8Array(4)
      new DataView(payload.buffer).setUint32(0, message.creditBytes)
      return { header: { topic: message.topic, requestId, a: message.piece, b: message.fromOffset }, payload }
    }
    case 'data':
      return { header: { requestId, a: message.piece, b: message.offset }, payload: message.bytes }
    case 'credit':
      return { header: { requestId, a: message.bytes }, payload: NO_PAYLOAD }
    case 'reject':
      return { header: { requestId, a: REJECT_CODES[message.reason], b: message.retryMs }, payload: NO_PAYLOAD }
    case 'catalogue-request':
      return { header: { requestId, a: message.limitBytes }, payload: NO_PAYLOAD }
    case 'catalogue':
      return { header: { requestId, a: message.offset, b: message.totalBytes }, payload: message.bytes }
    case 'end':
    case 'cancel':
    case 'ping':
    case 'pong':
      return { header: { requestId }, payload: NO_PAYLOAD }
  }
}

function openedParts(message: Extract<PeerMessage, { readonly type: 'opened' }>): Parts<Partial<Header>> {
  const { topic, pieceLengthBytes, pieces } = message
  const header = { topic, a: pieceLengthBytes, b: pieces.length }
  return pieces.isFull() ? { header: { ...header, flags: FLAG_ALL }, payload: NO_PAYLOAD } : { header, payload: pieces.toBytes() }
}

/** Every field but these must be zero, and the payload must have this length. */
function only({ header, payload }: Fields, used: readonly (keyof Header)[], payloadBytes: number): void {
  if (payload.length !== payloadBytes) throw refuse(`${payload.length} bytes of payload instead of ${payloadBytes}`)
  if (header.flags !== 0 && !used.includes('flags')) throw refuse('an unknown flag')
  if (header.topic !== 0 && !used.includes('topic')) throw refuse('a topic where none belongs')
  if (header.requestId !== 0 && !used.includes('requestId')) throw refuse('a request id where none belongs')
  if ((header.a !== 0 && !used.includes('a')) || (header.b !== 0 && !used.includes('b'))) throw refuse('a number where none belongs')
}

function fullBitfield(count: number): Bitfield {
  const bits = createBitfield(count)
  for (let i = 0; i < count; i++) bits.add(toPieceIndex(i))
  return bits
}

function nameOf<Name extends string>(codes: Readonly<Record<Name, number>>, code: number): Name | undefined {
  for (const name in codes) if (codes[name] === code) return name
  return undefined
}

function refuse(detail: string): DeliveryError {
  return new DeliveryError({ code: 'peer-frame', detail })
}
