import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { Source } from '../../src/core/ports.ts'
import { MOST_ASKED_FOR } from '../../src/core/plan/peer-choice.ts'
import { createRoom, type Room } from './bench-room.ts'

const MIB = 2 ** 20
const PIECE = 64 * 1024
const PEERS = 24

interface UnderWay {
  now: number
  most: number
}

/** Counts the reads that it is in the middle of. */
function counted(source: Source, underWay: UnderWay): Source {
  return {
    ...source,
    async *read(blob, range, signal) {
      underWay.most = Math.max(underWay.most, ++underWay.now)
      try {
        yield* source.read(blob, range, signal)
      } finally {
        underWay.now--
      }
    },
  }
}

const peers = (room: Room, count: number): readonly Source[] =>
  Array.from({ length: count }, (_, at) => room.source(`peer:${at}`, 'mesh', { maxRunPieces: 1, bytesPerSecond: MIB, latencyMs: 10 }))

test('whoever knows many peers asks all of them together for eight pieces at a time, and no more', async () => {
  const room = createRoom({ sizeBytes: 400 * PIECE, pieceBytes: PIECE })
  const underWay = { now: 0, most: 0 }
  room.set.replace(peers(room, PEERS).map((peer) => counted(peer, underWay)))
  const { stored } = await room.deliver()
  expect(stored.stored.isFull()).toBe(true)
  expect(underWay.most).toBe(MOST_ASKED_FOR)
})

test('a peer that lost one piece is asked for the others', async () => {
  const room = createRoom({ sizeBytes: 40 * PIECE, pieceBytes: PIECE })
  const [whole, forgetful] = peers(room, 2)
  if (whole === undefined || forgetful === undefined) throw new RangeError('expected two peers')
  let asked = 0
  const missing: Source = {
    ...forgetful,
    read(blob, range, signal) {
      asked++
      if (asked === 1) throw new DeliveryError({ code: 'source-missing', source: forgetful.id })
      return forgetful.read(blob, range, signal)
    },
  }
  room.set.replace([whole, missing])
  const { reports } = await room.deliver()
  expect(reports.find(({ source }) => source === forgetful.id)?.verifiedBytes).toBeGreaterThan(0)
})

test('while a peer fetches too, an HTTP source is asked for what the peer has not', async () => {
  const room = createRoom({ sizeBytes: 40 * PIECE, pieceBytes: PIECE })
  const half = 20
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 20_000, chunkBytes: 2000 })
  room.set.replace([cdn, room.source('peer:0', 'mesh', { maxRunPieces: 1, bytesPerSecond: 20_000, isOffered: (_, piece) => piece < half })])
  await room.deliver()
  const own = cdn.asked.filter(({ start }) => start < half * PIECE)
  // What it was asked for before the peer was let in.
  expect(own.length).toBeLessThanOrEqual(3)
})

test('an HTTP source that trickles is told to stop once its piece has come from a peer', async () => {
  const room = createRoom({ sizeBytes: 400 * PIECE, pieceBytes: PIECE })
  const trickle = room.source('cdn-1', 'cdn', { bytesPerSecond: 5000, chunkBytes: 500 })
  room.set.replace([trickle, ...peers(room, 1)])
  const { reports } = await room.deliver()
  expect(room.clock.monotonicMs()).toBeGreaterThan(10_000)
  expect(reports.find(({ source }) => source === trickle.id)?.receivedBytes).toBeLessThan(25_000)
})

test('an HTTP source that sends less than a piece a second is asked for one at a time', async () => {
  const room = createRoom({ sizeBytes: 10 * PIECE, pieceBytes: PIECE })
  const underWay = { now: 0, most: 0 }
  room.set.replace([counted(room.source('cdn-1', 'cdn', { bytesPerSecond: PIECE / 2 }), underWay)])
  const work = room.deliver()
  // Its first piece says how fast it is.
  while (room.delivered.length < 3) await room.clock.advance(100)
  underWay.most = 0
  await work
  expect(underWay.most).toBe(1)
})
