import { describe, expect, test } from 'vitest'
import { createBitfield } from '../../../src/core/model/bitfield.ts'
import { toPieceIndex, type PieceIndex } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import type { PeerMessage } from '../../../src/core/wire/peer-message.ts'
import { HIGH_WATER_BYTES } from '../../../src/sources/mesh/peer-link.ts'
import type { SeedStore } from '../../../src/sources/mesh/seed-store.ts'
import { createUploadSlots, type UploadSlots } from '../../../src/sources/mesh/upload-slots.ts'
import { Uploads } from '../../../src/sources/mesh/uploads.ts'
import { seededBytes } from '../../fakes/seeded-random.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'
import { seedStore } from './sessions.ts'

const PIECE = 1024 * 1024
const BYTES = seededBytes(1, 2 * PIECE)
const SHA256 = sha256Of(BYTES)
const STORE = seedStore({ sha256: SHA256, bytes: BYTES, pieceLengthBytes: PIECE })

interface Bench {
  readonly uploads: Uploads
  readonly clock: VirtualClock
  readonly slots: UploadSlots
  readonly sent: PeerMessage[]
  readonly refused: string[]
  queuedBytes: number
  request(requestId: number, creditBytes: number, piece?: PieceIndex): Promise<void>
  /** Moves the clock, looking after the requests every ten seconds as a session does. */
  pass(seconds: number): Promise<void>
}

function createBench(store: SeedStore = STORE): Bench {
  const clock = createVirtualClock()
  const slots = createUploadSlots()
  const sent: PeerMessage[] = []
  const refused: string[] = []
  const bench: Bench = {
    clock,
    slots,
    sent,
    refused,
    queuedBytes: 0,
    uploads: new Uploads({
      store,
      slots,
      clock,
      random: () => 0,
      send: (message) => void sent.push(message),
      bufferedBytes: () => bench.queuedBytes,
      refuse: (detail) => void refused.push(detail),
    }),
    async request(requestId, creditBytes, piece = toPieceIndex(0)) {
      bench.uploads.onRequest({ type: 'request', topic: 0, requestId, piece, fromOffset: 0, creditBytes })
      await settle()
    },
    async pass(seconds) {
      for (let at = 0; at < seconds; at += 10) {
        await clock.advance(10_000)
        bench.uploads.sweep()
      }
    },
  }
  bench.uploads.onOpen(0, SHA256)
  return bench
}

const last = (bench: Bench): PeerMessage | undefined => bench.sent.at(-1)

describe('a reader that takes its time', () => {
  test('keeps its request while it has no credit left, and is served when it gives more', async () => {
    const bench = createBench()
    await bench.request(1, 1000)
    await bench.pass(60)
    expect([bench.refused, bench.uploads.size]).toEqual([[], 1])
    bench.uploads.onCredit(1, 500)
    expect(last(bench)).toMatchObject({ type: 'data', offset: 1000 })
  })

  test('is not blamed for what our own disk takes', async () => {
    const bench = createBench({ ...STORE, readPiece: () => new Promise(() => undefined) })
    await bench.request(1, PIECE)
    await bench.pass(60)
    expect([bench.refused, bench.uploads.size]).toEqual([[], 1])
  })

  test('pe13.slow-reader: loses its request when its line takes nothing for half a minute, and not its good name', async () => {
    const bench = createBench()
    bench.queuedBytes = HIGH_WATER_BYTES
    await bench.request(1, PIECE)
    await bench.pass(30)
    expect(bench.uploads.size).toBe(1)
    await bench.pass(10)
    expect([bench.refused, bench.uploads.size, bench.slots.taken]).toEqual([[], 0, 0])
    expect(last(bench)).toMatchObject({ type: 'reject', requestId: 1, reason: 'failed' })
  })

  test('does not hold an upload slot for ever by giving no credit', async () => {
    const bench = createBench()
    await bench.request(1, 0)
    await bench.request(2, 0, toPieceIndex(1))
    await bench.pass(120)
    expect(bench.slots.taken).toBe(1)
    await bench.pass(10)
    expect([bench.refused, bench.uploads.size, bench.slots.taken]).toEqual([[], 0, 0])
  })

  test('may leave one request without credit for as long as it takes another', async () => {
    const bench = createBench()
    await bench.request(1, 0)
    await bench.request(2, 0, toPieceIndex(1))
    for (let turn = 0; turn < 20; turn++) {
      bench.uploads.onCredit(2, 1000)
      await bench.pass(10)
    }
    expect(bench.uploads.size).toBe(2)
  })
})

describe('topics of a peer', () => {
  const digest = (number: number): ReturnType<typeof sha256Of> => sha256Of(Uint8Array.of(number & 255, number >> 8))

  test('the newest 256 stay open, and the older ones are closed without a word', () => {
    const bench = createBench()
    for (let number = 1; number < 300; number++) bench.uploads.onOpen(number, digest(number))
    expect(bench.refused).toEqual([])
    expect(bench.sent.filter(({ type }) => type === 'absent')).toHaveLength(299)
    const before = bench.sent.length
    bench.uploads.announce(SHA256, [toPieceIndex(0)])
    expect(bench.sent).toHaveLength(before)
  })

  test('a request for one that was closed is answered with absent', async () => {
    const bench = createBench()
    for (let number = 1; number <= 256; number++) bench.uploads.onOpen(number, digest(number))
    await bench.request(5, 1000)
    expect([bench.refused, last(bench)]).toEqual([[], { type: 'reject', requestId: 5, reason: 'absent', retryMs: 0 }])
  })

  test.each([
    ['that is open already', 0],
    ['that skips one', 2],
  ])('a number %s is refused', (_name, number) => {
    const bench = createBench()
    bench.uploads.onOpen(number, digest(7))
    expect(bench.refused).toEqual(['a topic out of turn'])
  })
})

describe('what is announced while it is being fetched', () => {
  /** A store that gains and loses pieces. */
  function growing() {
    const pieces = createBitfield(2)
    let isAllowed = true
    const store: SeedStore = {
      ...STORE,
      layout: (digest) => (isAllowed ? STORE.layout(digest) : undefined),
      pieces: (digest) => (isAllowed && digest === SHA256 ? pieces : undefined),
    }
    return { pieces, bench: createBench(store), withdraw: () => (isAllowed = false) }
  }

  test('the first piece makes an offer of what was absent, and each further one is named by itself', () => {
    const { pieces, bench } = growing()
    expect(last(bench)).toEqual({ type: 'absent', topic: 0 })
    pieces.add(toPieceIndex(1))
    bench.uploads.announce(SHA256, [toPieceIndex(1)])
    expect(last(bench)).toMatchObject({ type: 'opened', topic: 0, pieceLengthBytes: PIECE })
    pieces.add(toPieceIndex(0))
    bench.uploads.announce(SHA256, [toPieceIndex(0)])
    expect(last(bench)).toEqual({ type: 'have', topic: 0, piece: 0 })
  })

  test('what is withdrawn is absent at once, and what is under way of it ends', async () => {
    const { pieces, bench, withdraw } = growing()
    pieces.add(toPieceIndex(0))
    bench.uploads.announce(SHA256, [toPieceIndex(0)])
    await bench.request(1, 1000)
    expect(last(bench)).toMatchObject({ type: 'data', requestId: 1 })
    withdraw()
    bench.uploads.announce(SHA256, undefined)
    expect(bench.sent.slice(-2)).toEqual([
      { type: 'absent', topic: 0 },
      { type: 'reject', requestId: 1, reason: 'absent', retryMs: 0 },
    ])
    expect([bench.uploads.size, bench.slots.taken]).toEqual([0, 0])
    await bench.request(2, 1000)
    expect(last(bench)).toMatchObject({ type: 'reject', requestId: 2, reason: 'absent' })
  })
})
