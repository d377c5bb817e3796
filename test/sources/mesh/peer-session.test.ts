import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { createBitfield } from '../../../src/core/model/bitfield.ts'
import { toPieceIndex } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { encodePeerMessage } from '../../../src/core/wire/encode-peer-message.ts'
import { parsePeerMessage } from '../../../src/core/wire/parse-peer-message.ts'
import type { PeerMessage } from '../../../src/core/wire/peer-message.ts'
import { WINDOW_MAX_BYTES } from '../../../src/sources/mesh/credit-window.ts'
import { openPeerSession } from '../../../src/sources/mesh/peer-session.ts'
import { createUploadSlots } from '../../../src/sources/mesh/upload-slots.ts'
import { createMeshSource } from '../../../src/sources/mesh/mesh-source.ts'
import { toSourceId } from '../../../src/core/model/ids.ts'
import { sourceContract } from '../../contracts/source-contract.ts'
import { SOURCE_ARTIFACT, SOURCE_BYTES, SOURCE_PIECE_BYTES } from '../../contracts/source-cases.ts'
import { seededBytes } from '../../fakes/seeded-random.ts'
import { systemClock } from '../../fakes/system-clock.ts'
import { createVirtualClock, settle } from '../../fakes/virtual-clock.ts'
import { createLinkPair, FINGERPRINT_B, type MemoryLink } from './memory-link.ts'
import { never, openPair, seedStore, sessionOptions, SWARM_KEY, type SessionPair } from './sessions.ts'

const PIECE = 1024 * 1024
const BYTES = seededBytes(1, 3 * PIECE + 777)
const BLOB = { sha256: sha256Of(BYTES), sizeBytes: BYTES.length }
const STORE = seedStore({ sha256: BLOB.sha256, bytes: BYTES, pieceLengthBytes: PIECE })

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

function pieceRange(index: number): { readonly start: number; readonly end: number } {
  return { start: index * PIECE, end: Math.min((index + 1) * PIECE, BYTES.length) }
}

async function failureIn(work: Promise<unknown>): Promise<string | undefined> {
  return await work.then(
    () => 'no failure',
    (error: unknown) => failureOf(error)?.code,
  )
}

sourceContract('mesh source', async () => {
  const store = seedStore({ sha256: SOURCE_ARTIFACT.sha256, bytes: SOURCE_BYTES, pieceLengthBytes: SOURCE_PIECE_BYTES })
  const { asking } = await openPair(systemClock, {}, { store })
  return { source: createMeshSource(toSourceId('peer:contract'), asking) }
})

describe('greeting', () => {
  test('two members of one swarm let each other in', async () => {
    const { asking, serving } = await openPair(createVirtualClock())
    expect([asking.isOpen, serving.isOpen]).toEqual([true, true])
  })

  test('whoever has another swarm key is refused, by both sides', async () => {
    const clock = createVirtualClock()
    const { a, b } = createLinkPair()
    const member = openPeerSession(a, sessionOptions(clock), never)
    const stranger = openPeerSession(b, sessionOptions(clock, { swarmKey: new Uint8Array(32).fill(9) }), never)
    const codes = await Promise.all([failureIn(member), failureIn(stranger)])
    expect(codes).toContain('peer-proof')
    expect(codes).not.toContain('no failure')
    expect([a.isClosed, b.isClosed]).toEqual([true, true])
  })

  test('sg02.fingerprint: a fingerprint swapped in the middle is noticed', async () => {
    const clock = createVirtualClock()
    const { a, b } = createLinkPair(new Uint8Array(32).fill(0xee))
    const codes = await Promise.all([
      failureIn(openPeerSession(a, sessionOptions(clock), never)),
      failureIn(openPeerSession(b, sessionOptions(clock), never)),
    ])
    expect(codes).toContain('peer-proof')
    expect(codes).not.toContain('no failure')
  })

  test('its own proof sent back does not let a stranger in', async () => {
    const clock = createVirtualClock()
    const { a, b } = createLinkPair()
    b.listen({ onFrame: (frame) => b.send(new Uint8Array(frame)), onDrain: () => undefined, onClose: () => undefined })
    expect(await failureIn(openPeerSession(a, sessionOptions(clock), never))).toBe('peer-proof')
    expect(FINGERPRINT_B).toHaveLength(32)
  })

  test('a peer that says nothing is given up after five seconds', async () => {
    const clock = createVirtualClock()
    const { a } = createLinkPair()
    const work = openPeerSession(a, sessionOptions(clock), never)
    work.catch(() => undefined)
    await clock.advance(4999)
    expect(a.isClosed).toBe(false)
    await clock.advance(1)
    expect(await failureIn(work)).toBe('peer-timeout')
    expect(a.isClosed).toBe(true)
  })
})

describe('reading', () => {
  test('every piece arrives as it was', async () => {
    const { asking } = await openPair(systemClock, {}, { store: STORE })
    const pieces = await Promise.all([0, 1, 2, 3].map((index) => collect(asking.read(BLOB, pieceRange(index), never))))
    expect(sha256Of(Buffer.concat(pieces))).toBe(BLOB.sha256)
  })

  test('what is under way never exceeds the window', async () => {
    const { a, b, asking } = await openPair(systemClock, {}, { store: STORE })
    let granted = 0
    let received = 0
    let most = 0
    const count = (link: MemoryLink, from: number, take: (message: PeerMessage) => void): number => {
      for (const frame of link.sent.slice(from)) {
        const message = parsePeerMessage(frame)
        if (message !== undefined) take(message)
      }
      return link.sent.length
    }
    let [seenA, seenB] = [0, 0]
    const look = (): void => {
      seenA = count(a, seenA, (message) => {
        if (message.type === 'request') granted += message.creditBytes
        if (message.type === 'credit') granted += message.bytes
      })
      most = Math.max(most, granted - received)
      seenB = count(b, seenB, (message) => {
        if (message.type === 'data') received += message.bytes.length
      })
      expect(asking.flow.outstandingBytes).toBeLessThanOrEqual(WINDOW_MAX_BYTES)
    }
    const read = async (index: number): Promise<void> => {
      for await (const chunk of asking.read(BLOB, pieceRange(index), never)) if (chunk.length > 0) look()
    }
    await Promise.all([0, 1, 2, 3].map(read))
    look()
    expect(received).toBe(BYTES.length)
    expect(granted).toBe(BYTES.length)
    expect(most).toBeLessThanOrEqual(WINDOW_MAX_BYTES)
  })

  test('a slow reader is never more than the window behind', async () => {
    const { b, asking } = await openPair(systemClock, {}, { store: STORE })
    const reader = asking.read(BLOB, pieceRange(0), never)[Symbol.asyncIterator]()
    let taken = 0
    for (let turn = 0; turn < 5; turn++) {
      const next = await reader.next()
      if (next.done !== true) taken += next.value.length
      await settle()
      const sent = b.sent
        .map((frame) => parsePeerMessage(frame))
        .reduce((sum, message) => sum + (message?.type === 'data' ? message.bytes.length : 0), 0)
      expect(sent - taken).toBeLessThanOrEqual(asking.flow.windowBytes)
      expect(sent - taken).toBeGreaterThan(0)
    }
    await reader.return?.()
  })

  test('an abandoned read is cancelled, and the peer stops', async () => {
    const { a, asking, serving } = await openPair(systemClock, {}, { store: STORE })
    const controller = new AbortController()
    const reason = new Error('enough')
    const work = (async () => {
      for await (const chunk of asking.read(BLOB, pieceRange(0), controller.signal)) if (chunk.length > 0) controller.abort(reason)
    })()
    await expect(work).rejects.toBe(reason)
    expect(a.sent.some((frame) => parsePeerMessage(frame)?.type === 'cancel')).toBe(true)
    await settle()
    expect(serving.flow.uploads).toBe(0)
    expect(asking.flow.outstandingBytes).toBe(0)
  })

  test('a peer that has all its upload slots taken says so, and is left alone for a while', async () => {
    const clock = createVirtualClock()
    const { asking } = await openPair(clock, {}, { store: STORE, slots: createUploadSlots(0) })
    expect(await failureIn(collect(asking.read(BLOB, pieceRange(0), never)))).toBe('source-refused')
    expect(asking.isOffered(BLOB, toPieceIndex(0))).toBe(false)
    await clock.advance(2000)
    expect(asking.isOffered(BLOB, toPieceIndex(0))).toBe(true)
  })

  test('a piece that the peer has not is not offered, until it has it', async () => {
    const store = seedStore({ sha256: BLOB.sha256, bytes: BYTES, pieceLengthBytes: PIECE, missing: [1] })
    const { asking, serving } = await openPair(createVirtualClock(), {}, { store })
    asking.openTopic(BLOB.sha256)
    await settle()
    expect([0, 1].map((index) => asking.isOffered(BLOB, toPieceIndex(index)))).toEqual([true, false])
    serving.announce(BLOB.sha256, [toPieceIndex(1)])
    await settle()
    expect(asking.isOffered(BLOB, toPieceIndex(1))).toBe(true)
  })

  test('of several requests the oldest gets all its credit first: of a peer that goes, one piece at most is there in part', async () => {
    const { a, asking } = await openPair(createVirtualClock(), {}, { store: STORE })
    // Where the window has grown, there is room for credit while an older request still needs some.
    for (let times = 0; times < 200 && asking.flow.windowBytes < PIECE / 2; times++) await collect(asking.read(BLOB, pieceRange(0), never))
    expect(asking.flow.windowBytes).toBeGreaterThanOrEqual(PIECE / 2)
    const before = a.sent.length
    const later: Promise<unknown>[] = []
    let chunks = 0
    for await (const chunk of asking.read(BLOB, pieceRange(0), never))
      if (chunk.length > 0 && ++chunks <= 4) later.push(collect(asking.read(BLOB, pieceRange(chunks % 2 === 0 ? 1 : 2), never)))
    await Promise.all(later)
    const needs = new Map<number, number>()
    for (const frame of a.sent.slice(before)) {
      const message = parsePeerMessage(frame)
      if (message?.type !== 'request' && message?.type !== 'credit') continue
      const { requestId } = message
      const credit = message.type === 'request' ? message.creditBytes : message.bytes
      const needed = needs.get(requestId) ?? PIECE
      const [oldest = requestId] = [...needs].flatMap(([id, bytes]) => (bytes > 0 ? [id] : []))
      if (credit > 0) expect(requestId).toBe(oldest)
      needs.set(requestId, needed - credit)
    }
    expect(needs.size).toBe(5)
  })

  test('a link that ends because the peer broke the protocol ends the session for that, so that the peer is banned', async () => {
    const { a, asking } = await openPair(createVirtualClock())
    a.end({ code: 'peer-frame', detail: 'text' })
    expect((await asking.closed).code).toBe('peer-frame')
  })

  test('a peer counts as near while its link stays in the local network, and whoever shows it to others hears when that changes', async () => {
    const clock = createVirtualClock()
    let told = 0
    const { a, asking } = await openPair(clock, { onPath: () => void told++ })
    await settle()
    expect([asking.isLan, told]).toEqual([true, 1])
    a.path = 'relay'
    await clock.advance(60_000)
    expect([asking.isLan, told]).toEqual([false, 2])
  })

  test('silence before the first byte ends a read after two seconds', async () => {
    const clock = createVirtualClock()
    const store = { ...STORE, readPiece: () => new Promise<Uint8Array>(() => undefined) }
    const { asking } = await openPair(clock, {}, { store })
    const work = failureIn(collect(asking.read(BLOB, pieceRange(0), never)))
    await clock.advance(1999)
    expect(asking.flow.outstandingBytes).toBeGreaterThan(0)
    await clock.advance(1)
    expect(await work).toBe('peer-timeout')
  })

  test('the signed catalogue comes from a peer as a file', async () => {
    const { asking } = await openPair(createVirtualClock(), {}, { store: STORE })
    const file = await asking.readCatalogue(LIMITS.catalogueBytes, never)
    expect(sha256Of(file)).toBe(sha256Of(seededBytes(4, 200_000)))
    expect(await failureIn(asking.readCatalogue(1000, never))).toBe('source-missing')
  })

  test('a trust update comes beside it, by its number, or is said not to be there', async () => {
    let give = (_bytes: Uint8Array): void => undefined
    const slow = new Promise<Uint8Array>((done) => (give = done))
    const { asking } = await openPair(createVirtualClock(), {}, { store: { ...STORE, catalogue: () => slow } })
    const catalogue = asking.readCatalogue(LIMITS.catalogueBytes, never)
    expect(sha256Of(await asking.readTrustUpdate(7, never))).toBe(sha256Of(seededBytes(7, 100_000)))
    expect(await failureIn(asking.readTrustUpdate(8, never))).toBe('source-missing')
    give(seededBytes(4, 200_000))
    expect(sha256Of(await catalogue)).toBe(sha256Of(seededBytes(4, 200_000)))
  })

  test('a goodbye ends every read at once', async () => {
    const clock = createVirtualClock()
    const store = { ...STORE, readPiece: () => new Promise<Uint8Array>(() => undefined) }
    const { asking, serving, a } = await openPair(clock, {}, { store })
    const work = failureIn(collect(asking.read(BLOB, pieceRange(0), never)))
    await settle()
    serving.close('leaving')
    expect(await work).toBe('peer-closed')
    expect(a.isClosed).toBe(true)
  })

  test('an answer within one tick of the clock is one: browsers make their clocks coarse', async () => {
    const clock = createVirtualClock()
    const { asking } = await openPair(clock)
    await clock.advance(60_000)
    expect(asking.isOpen).toBe(true)
  })

  test('a frozen peer is given up after fifteen idle seconds', async () => {
    const clock = createVirtualClock()
    const { asking, b } = await openPair(clock)
    b.hold()
    await clock.advance(14_999)
    expect(asking.isOpen).toBe(true)
    await clock.advance(1)
    expect(asking.isOpen).toBe(false)
  })
})

describe('hostile peers', () => {
  /** One honest session; the other end is ours to misuse once the greeting is over. */
  async function hostile(): Promise<
    SessionPair & { say(message: PeerMessage): Promise<void>; sayBytes(bytes: Uint8Array<ArrayBuffer>): Promise<void> }
  > {
    const pair = await openPair(createVirtualClock(), {}, { store: STORE })
    const sayBytes = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
      pair.b.send(bytes)
      await settle()
    }
    return { ...pair, sayBytes, say: (message) => sayBytes(encodePeerMessage(message)) }
  }

  const data = (bytes: number): PeerMessage => ({
    type: 'data',
    requestId: 77,
    piece: toPieceIndex(0),
    offset: 0,
    bytes: new Uint8Array(bytes),
  })

  test('pe06.unsolicited: 64 KiB that nobody asked for are borne, and not a byte more', async () => {
    const { asking, say } = await hostile()
    await say(data(32 * 1024))
    await say(data(32 * 1024))
    expect(asking.isOpen).toBe(true)
    await say(data(1))
    expect(asking.isOpen).toBe(false)
    expect(await asking.closed).toMatchObject({ code: 'peer-frame' })
  })

  test.each<readonly [string, PeerMessage]>([
    ['a second greeting', { type: 'hello', version: 1, nonce: new Uint8Array(32) }],
    ['an answer to a topic never opened', { type: 'absent', topic: 4 }],
    ['a piece of a topic never opened', { type: 'have', topic: 4, piece: toPieceIndex(0) }],
    ['the end of a request never made', { type: 'end', requestId: 5 }],
    ['a catalogue never asked for', { type: 'catalogue', requestId: 5, offset: 0, totalBytes: 4, bytes: new Uint8Array(4) }],
    [
      'a request for a topic never opened',
      { type: 'request', topic: 4, requestId: 5, piece: toPieceIndex(0), fromOffset: 0, creditBytes: 1 },
    ],
  ])('%s ends the session', async (_name, message) => {
    const { asking, a, say } = await hostile()
    await say(message)
    expect(await asking.closed).toMatchObject({ code: 'peer-frame' })
    expect(a.isClosed).toBe(true)
  })

  test('a frame longer than the limit ends the session', async () => {
    const { asking, sayBytes } = await hostile()
    const frame = new Uint8Array(LIMITS.frameBytes + 1)
    frame[0] = 15
    await sayBytes(frame)
    expect(await asking.closed).toMatchObject({ code: 'peer-frame' })
  })

  test.each([
    ['data beyond the credit that was given', 0],
    ['data out of order', 1],
  ])('%s ends the session', async (_name, skippedBytes) => {
    const { a, b, asking, say } = await hostile()
    const reader = asking.read(BLOB, pieceRange(0), never)[Symbol.asyncIterator]()
    await reader.next()
    await settle()
    const request = a.sent.map((frame) => parsePeerMessage(frame)).find((message) => message?.type === 'request')
    if (request?.type !== 'request') throw new Error('expected a request')
    const came = b.sent
      .map((frame) => parsePeerMessage(frame))
      .reduce((sum, message) => sum + (message?.type === 'data' ? message.bytes.length : 0), 0)
    expect(asking.isOpen).toBe(true)
    await say({ type: 'data', requestId: request.requestId, piece: request.piece, offset: came + skippedBytes, bytes: new Uint8Array(1) })
    expect(await asking.closed).toMatchObject({
      code: 'peer-frame',
      detail: skippedBytes === 0 ? 'data beyond its credit' : 'data out of order',
    })
  })

  test('an end before the last byte ends the session', async () => {
    const { a, asking, say } = await hostile()
    const reader = asking.read(BLOB, pieceRange(0), never)[Symbol.asyncIterator]()
    await reader.next()
    const request = a.sent.map((frame) => parsePeerMessage(frame)).find((message) => message?.type === 'request')
    if (request?.type !== 'request') throw new Error('expected a request')
    await say({ type: 'end', requestId: request.requestId })
    expect(await asking.closed).toMatchObject({ code: 'peer-frame', detail: 'an end before the last byte' })
  })

  test('a piece that the blob does not have ends the session', async () => {
    const { asking, say } = await hostile()
    asking.openTopic(BLOB.sha256)
    await settle()
    await say({ type: 'have', topic: 0, piece: toPieceIndex(4) })
    expect(await asking.closed).toMatchObject({ code: 'peer-frame' })
  })

  test('an offer cut otherwise than the artifact is one that has nothing of it', async () => {
    const { a, b, asking, say } = await hostile()
    const blob = { sha256: sha256Of(Uint8Array.of(9)), sizeBytes: 4 * PIECE }
    asking.openTopic(blob.sha256)
    await settle()
    const pieces = createBitfield(2)
    for (const index of [0, 1]) pieces.add(toPieceIndex(index))
    expect(b.isClosed).toBe(false)
    await say({ type: 'opened', topic: 0, pieceLengthBytes: 2 * PIECE, pieces })
    expect(await failureIn(collect(asking.read(blob, { start: PIECE, end: 2 * PIECE }, never)))).toBe('source-missing')
    expect(await failureIn(collect(asking.read(blob, { start: 0, end: PIECE }, never)))).toBe('source-missing')
    expect(a.sent.some((frame) => parsePeerMessage(frame)?.type === 'request')).toBe(false)
  })

  test('an offer cut for a blob of another size is not believed', async () => {
    const { asking } = await hostile()
    asking.openTopic(BLOB.sha256)
    await settle()
    expect(asking.isOffered({ ...BLOB, sizeBytes: BLOB.sizeBytes + 2 * PIECE }, toPieceIndex(0))).toBe(false)
  })

  test('pe07.frames: any bytes either go unnoticed or end the session, and nothing else is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), async (frames) => {
        const { asking, b } = await openPair(createVirtualClock(), {}, { store: STORE })
        for (const frame of frames) b.send(new Uint8Array(frame))
        await settle()
        if (!asking.isOpen) expect(['peer-frame', 'peer-closed']).toContain((await asking.closed).code)
      }),
      { numRuns: 60 },
    )
  })

  test('swarm keys are never sent', async () => {
    const { a, b } = await hostile()
    for (const frame of [...a.sent, ...b.sent]) expect(Buffer.from(frame).includes(Buffer.from(SWARM_KEY))).toBe(false)
  })
})
