import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { createBitfield, type Bitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, toSha256 } from '../../src/core/model/ids.ts'
import { encodePeerMessage } from '../../src/core/wire/encode-peer-message.ts'
import { parsePeerMessage } from '../../src/core/wire/parse-peer-message.ts'
import { FRAME_PAYLOAD_BYTES, HEADER_BYTES } from '../../src/core/wire/peer-frame.ts'
import type { PeerMessage } from '../../src/core/wire/peer-message.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'

function bits(length: number, has: (index: number) => boolean): Bitfield {
  const field = createBitfield(length)
  for (let i = 0; i < length; i++) if (has(i)) field.add(toPieceIndex(i))
  return field
}

const u32 = fc.nat({ max: 2 ** 32 - 1 })
const u16 = fc.nat({ max: 2 ** 16 - 1 })
const piece = u32.map(toPieceIndex)
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const payload = fc.uint8Array({ minLength: 1, maxLength: 300 })
const ids = { requestId: u32 }
const of = <T extends PeerMessage['type']>(type: T): fc.Arbitrary<T> => fc.constant<T>(type)

const anyMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ type: of('hello'), version: u32, nonce: bytes32 }),
  fc.record({ type: of('proof'), mac: bytes32 }),
  fc.record({ type: of('open'), topic: u16, sha256: bytes32.map((bytes) => toSha256(Buffer.from(bytes).toString('hex'))) }),
  fc.record({ type: of('absent'), topic: u16 }),
  fc.record({ type: of('have'), topic: u16, piece }),
  fc.record({ type: of('request'), topic: u16, ...ids, piece, fromOffset: u32, creditBytes: u32 }),
  fc.record({ type: of('credit'), ...ids, bytes: u32 }),
  fc.record({ type: of('data'), ...ids, piece, offset: u32, bytes: payload }),
  fc.record({ type: fc.constantFrom('end', 'cancel', 'ping', 'pong'), ...ids }),
  fc.record({ type: of('reject'), ...ids, reason: fc.constantFrom('busy', 'absent', 'failed'), retryMs: fc.nat({ max: 60_000 }) }),
  fc.record({ type: of('catalogue-request'), ...ids, limitBytes: u32, trust: u32 }),
  fc.record({
    type: of('catalogue'),
    ...ids,
    offset: fc.nat({ max: 1000 }),
    totalBytes: fc.integer({ min: 1300, max: LIMITS.catalogueBytes }),
    bytes: payload,
  }),
  fc.record({ type: of('bye'), reason: fc.constantFrom('leaving', 'protocol', 'proof', 'banned', 'idle', 'full') }),
)

function refusalOf(frame: Uint8Array): string | undefined {
  try {
    parsePeerMessage(frame)
    return undefined
  } catch (error) {
    return failureOf(error)?.code ?? 'something else was thrown'
  }
}

describe('peer frames', () => {
  test('every message is read as it was written', () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(parsePeerMessage(encodePeerMessage(message))).toEqual(message)
      }),
    )
  })

  test('bitfields of every length from 0 to 5000 survive, empty, full and in between', () => {
    const random = createSeededRandom(5)
    for (let length = 0; length <= 5000; length++) {
      const shapes = [() => false, () => true, () => random() < 0.5, (index: number) => index % 256 !== 255]
      const pieces = bits(length, shapes[length % 4] ?? (() => true))
      const back = parsePeerMessage(encodePeerMessage({ type: 'opened', topic: 1, pieceLengthBytes: 1024, pieces }))
      if (back?.type !== 'opened') throw new Error('expected OPENED')
      expect([back.pieces.length, Buffer.from(back.pieces.toBytes()).toString('hex')]).toEqual([
        length,
        Buffer.from(pieces.toBytes()).toString('hex'),
      ])
    }
  })

  test('any bytes are a message with one encoding, something to skip, or a failure of the peer', () => {
    const plausible = fc
      .tuple(fc.nat({ max: 18 }), fc.nat({ max: 3 }), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, rest]) => Uint8Array.of(type, flags, ...rest))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), plausible), (frame) => {
        const refusal = refusalOf(frame)
        if (refusal !== undefined) return refusal === 'peer-frame'
        const message = parsePeerMessage(frame)
        return message === undefined || Buffer.compare(encodePeerMessage(message), frame) === 0
      }),
      { numRuns: 20_000 },
    )
  })

  test('the longest frame is read, and one byte more is refused', () => {
    const longest = encodePeerMessage({
      type: 'data',
      requestId: 1,
      piece: toPieceIndex(0),
      offset: 0,
      bytes: new Uint8Array(FRAME_PAYLOAD_BYTES),
    })
    expect(longest).toHaveLength(LIMITS.frameBytes)
    expect(refusalOf(longest)).toBeUndefined()
    const longer = new Uint8Array(LIMITS.frameBytes + 1)
    longer.set(longest)
    expect(refusalOf(longer)).toBe('peer-frame')
    expect(refusalOf(longest.subarray(0, HEADER_BYTES - 1))).toBe('peer-frame')
  })

  test('a type from the future is skipped only when it says that it may be', () => {
    const frame = new Uint8Array(HEADER_BYTES)
    frame[0] = 200
    expect(refusalOf(frame)).toBe('peer-frame')
    frame[1] = 1
    expect(parsePeerMessage(frame)).toBeUndefined()
  })

  test('a topic that claims more pieces than any artifact has is refused before a bitfield is made', () => {
    const frame = new Uint8Array(HEADER_BYTES)
    frame.set([4, 2])
    new DataView(frame.buffer).setUint32(8, 65_536)
    new DataView(frame.buffer).setUint32(12, 65_536)
    expect(refusalOf(frame)).toBeUndefined()
    new DataView(frame.buffer).setUint32(12, 65_537)
    expect(refusalOf(frame)).toBe('peer-frame')
    new DataView(frame.buffer).setUint32(12, 2 ** 32 - 1)
    expect(refusalOf(frame)).toBe('peer-frame')
  })

  test('a number that does not fit its field is the caller’s mistake', () => {
    expect(() => encodePeerMessage({ type: 'absent', topic: 65_536 })).toThrow(RangeError)
    expect(() => encodePeerMessage({ type: 'end', requestId: -1 })).toThrow(RangeError)
  })
})

const TEN = (has: (index: number) => boolean): PeerMessage => ({
  type: 'opened',
  topic: 2,
  pieceLengthBytes: 1024 * 1024,
  pieces: bits(10, has),
})
const SEVEN = toPieceIndex(7)

/** In the order of the document. */
const DOCUMENTED: readonly PeerMessage[] = [
  { type: 'hello', version: 1, nonce: new Uint8Array(32).fill(0x11) },
  { type: 'open', topic: 2, sha256: toSha256('ab'.repeat(32)) },
  TEN((index) => index === 0 || index === 9),
  TEN(() => true),
  { type: 'have', topic: 2, piece: SEVEN },
  { type: 'request', topic: 2, requestId: 4660, piece: SEVEN, fromOffset: 0, creditBytes: 128 * 1024 },
  { type: 'credit', requestId: 4660, bytes: 64 * 1024 },
  { type: 'data', requestId: 4660, piece: SEVEN, offset: 65_520, bytes: Uint8Array.of(1, 2, 3) },
  { type: 'end', requestId: 4660 },
  { type: 'reject', requestId: 4660, reason: 'busy', retryMs: 750 },
  { type: 'bye', reason: 'leaving' },
]

test('the examples in docs/peer-protocol.md are what is sent', () => {
  const text = readFileSync(new URL('../../docs/peer-protocol.md', import.meta.url), 'utf8')
  const blocks = text.slice(text.indexOf('## Examples')).match(/(?:^ {4}[0-9a-f ]+$\n?)+/gm) ?? []
  expect(blocks.map((block) => block.replaceAll(/\s/g, ''))).toEqual(
    DOCUMENTED.map((message) => Buffer.from(encodePeerMessage(message)).toString('hex')),
  )
})

test.each(DOCUMENTED.map((message) => [message.type, message] as const))(
  '%s with an unknown flag, or with a number where none belongs, is refused',
  (_type, message) => {
    const frame = encodePeerMessage(message)
    frame[1] = (frame[1] ?? 0) | 4
    expect(refusalOf(frame)).toBe('peer-frame')
    if (['opened', 'request', 'data', 'reject'].includes(message.type)) return
    const other = encodePeerMessage(message)
    other[15] = (other[15] ?? 0) + 1
    expect(refusalOf(other)).toBe('peer-frame')
  },
)

test('a full bitfield that does not say so is refused, since it would be a second spelling', () => {
  const frame = new Uint8Array(HEADER_BYTES + 1)
  frame.set(encodePeerMessage({ type: 'opened', topic: 1, pieceLengthBytes: 1024, pieces: bits(8, (index) => index > 0) }))
  expect(refusalOf(frame)).toBeUndefined()
  frame[HEADER_BYTES] = 0xff
  expect(refusalOf(frame)).toBe('peer-frame')
})
