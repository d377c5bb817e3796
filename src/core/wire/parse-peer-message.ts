import { LIMITS } from '../limits.ts'
import { createBitfield, parseBitfield, type Bitfield } from '../model/bitfield.ts'
import { toPieceIndex } from '../model/ids.ts'
import { toHex } from '../verify/digest.ts'
import { readFrame, refuseFrame, requireOnly, type Frame } from './peer-frame.ts'
import { BYE_CODES, FLAG_ALL, MESSAGE_CODES, REJECT_CODES, TOPIC_PIECES, type PeerMessage } from './peer-message.ts'

/** On a type that the receiver does not know: skip this frame instead of giving up the peer. */
const FLAG_OPTIONAL = 0x01
const HASH_BYTES = 32
const MAX_RETRY_MS = 60_000

/**
 * Reads one frame, attacker-controlled. Payloads are views of `bytes`, not copies. A field that a type does not use must be zero, so
 * every message has one encoding.
 * @returns undefined for a type from the future that may be skipped
 * @throws {DeliveryError} `peer-frame`, and nothing else, for any bytes
 */
export function parsePeerMessage(bytes: Uint8Array): PeerMessage | undefined {
  const frame = readFrame(bytes)
  const read = READERS.get(frame.code)
  if (read !== undefined) return read(frame)
  if ((frame.header.flags & FLAG_OPTIONAL) !== 0) return undefined
  throw refuseFrame(`type ${frame.code}`)
}

type Reader = (frame: Frame) => PeerMessage

const READERS: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [
    MESSAGE_CODES.hello,
    (frame) => {
      requireOnly(frame, ['a'], HASH_BYTES)
      return { type: 'hello', version: frame.header.a, nonce: frame.payload }
    },
  ],
  [MESSAGE_CODES.proof, readProof],
  [MESSAGE_CODES.open, readOpen],
  [MESSAGE_CODES.opened, readOpened],
  [MESSAGE_CODES.absent, readAbsent],
  [MESSAGE_CODES.have, readHave],
  [MESSAGE_CODES.request, readRequest],
  [MESSAGE_CODES.credit, readCredit],
  [MESSAGE_CODES.data, readData],
  [MESSAGE_CODES.end, bareReader('end')],
  [MESSAGE_CODES.cancel, bareReader('cancel')],
  [MESSAGE_CODES.reject, readReject],
  [
    MESSAGE_CODES['catalogue-request'],
    (frame) => {
      requireOnly(frame, ['requestId', 'a', 'b'], 0)
      return { type: 'catalogue-request', requestId: frame.header.requestId, limitBytes: frame.header.a, trust: frame.header.b }
    },
  ],
  [MESSAGE_CODES.catalogue, readCatalogue],
  [MESSAGE_CODES.ping, bareReader('ping')],
  [MESSAGE_CODES.pong, bareReader('pong')],
  [MESSAGE_CODES.bye, readBye],
])

function bareReader(type: 'end' | 'cancel' | 'ping' | 'pong'): Reader {
  return (frame) => {
    requireOnly(frame, ['requestId'], 0)
    return { type, requestId: frame.header.requestId }
  }
}

function readCredit(frame: Frame): PeerMessage {
  requireOnly(frame, ['requestId', 'a'], 0)
  return { type: 'credit', requestId: frame.header.requestId, bytes: frame.header.a }
}

function readProof(frame: Frame): PeerMessage {
  requireOnly(frame, [], HASH_BYTES)
  return { type: 'proof', mac: frame.payload }
}

function readOpen(frame: Frame): PeerMessage {
  requireOnly(frame, ['topic'], HASH_BYTES)
  return { type: 'open', topic: frame.header.topic, sha256: toHex(frame.payload) }
}

function readAbsent(frame: Frame): PeerMessage {
  requireOnly(frame, ['topic'], 0)
  return { type: 'absent', topic: frame.header.topic }
}

function readHave(frame: Frame): PeerMessage {
  requireOnly(frame, ['topic', 'a'], 0)
  return { type: 'have', topic: frame.header.topic, piece: toPieceIndex(frame.header.a) }
}

function readOpened(frame: Frame): PeerMessage {
  const { header, payload } = frame
  const count = header.b
  if (count > TOPIC_PIECES) throw refuseFrame(`a topic of ${count} pieces`)
  if (header.a < 1 || header.a > LIMITS.pieceLengthMaxBytes) throw refuseFrame(`pieces of ${header.a} bytes`)
  const head = { type: 'opened', topic: header.topic, pieceLengthBytes: header.a } as const
  if (header.flags === FLAG_ALL) {
    requireOnly(frame, ['topic', 'a', 'b', 'flags'], 0)
    return { ...head, pieces: fullBitfield(count) }
  }
  requireOnly(frame, ['topic', 'a', 'b'], payload.length)
  const pieces = parseBitfield(count, payload)
  if (pieces === undefined) throw refuseFrame('a bitfield that does not fit')
  if (pieces.isFull()) throw refuseFrame('a full bitfield that is not said to be one')
  return { ...head, pieces }
}

function readRequest(frame: Frame): PeerMessage {
  requireOnly(frame, ['topic', 'requestId', 'a', 'b'], 4)
  const { topic, requestId, a, b } = frame.header
  const creditBytes = new DataView(frame.payload.buffer, frame.payload.byteOffset, 4).getUint32(0)
  return { type: 'request', topic, requestId, piece: toPieceIndex(a), fromOffset: b, creditBytes }
}

function readData(frame: Frame): PeerMessage {
  requireOnly(frame, ['requestId', 'a', 'b'], frame.payload.length)
  if (frame.payload.length === 0) throw refuseFrame('data without bytes')
  const { requestId, a, b } = frame.header
  return { type: 'data', requestId, piece: toPieceIndex(a), offset: b, bytes: frame.payload }
}

function readReject(frame: Frame): PeerMessage {
  requireOnly(frame, ['requestId', 'a', 'b'], 0)
  const { requestId, a, b } = frame.header
  const reason = nameOf(REJECT_CODES, a)
  if (reason === undefined || b > MAX_RETRY_MS) throw refuseFrame(`a rejection with code ${a}, after ${b} ms`)
  return { type: 'reject', requestId, reason, retryMs: b }
}

function readCatalogue(frame: Frame): PeerMessage {
  requireOnly(frame, ['requestId', 'a', 'b'], frame.payload.length)
  const { requestId, a, b } = frame.header
  if (b > LIMITS.catalogueBytes || frame.payload.length === 0 || a + frame.payload.length > b)
    throw refuseFrame('a catalogue that does not fit')
  return { type: 'catalogue', requestId, offset: a, totalBytes: b, bytes: frame.payload }
}

function readBye(frame: Frame): PeerMessage {
  requireOnly(frame, ['a'], 0)
  const reason = nameOf(BYE_CODES, frame.header.a)
  if (reason === undefined) throw refuseFrame(`a farewell with code ${frame.header.a}`)
  return { type: 'bye', reason }
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
