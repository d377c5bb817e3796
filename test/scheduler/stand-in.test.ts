import { expect, test } from 'vitest'
import { createRoom, type Room } from './bench-room.ts'

const MIB = 2 ** 20

test('a slow CDN is not kept waiting by a peer that lacks what is missing', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 50_000, chunkBytes: 5000 })
  room.roster.healthOf(cdn.id).bytesPerSecond = 50_000
  const peer = room.source('peer:a', 'mesh', { bytesPerSecond: MIB, maxRunPieces: 1, isOffered: (_blob, piece) => piece < 8 })
  room.set.replace([cdn, peer])
  const { stored } = await room.deliver()
  expect(stored.stored.isFull()).toBe(true)
  expect(room.clock.monotonicMs()).toBeLessThan(15_000)
})

test('a CDN that is back is not left alone for half a minute because of a peer that has nothing', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  Object.assign(room.roster.healthOf(cdn.id), { failuresInRow: 8, rest: { ms: 30_000, isAskedFor: false } })
  room.set.replace([cdn, room.source('peer:a', 'mesh', { maxRunPieces: 1, isOffered: () => false })])
  await room.deliver()
  expect(room.clock.monotonicMs()).toBeLessThan(2000)
})

test('a server that knows no ranges is asked for the whole file when the only other source is dead', async () => {
  const room = createRoom()
  const dead = room.source('cdn-2', 'cdn')
  dead.fault = { kind: 'fails', failure: { code: 'source-unreachable', source: dead.id, phase: 'connect', elapsedMs: 1 } }
  await loseRangesIn(room, dead)
  expect(room.clock.monotonicMs()).toBeLessThan(2000)
})

test('and when the only other source is a trickle', async () => {
  const room = createRoom()
  await loseRangesIn(room, room.source('cdn-2', 'cdn', { bytesPerSecond: 40_000, chunkBytes: 4000 }))
  expect(room.clock.monotonicMs()).toBeLessThan(10_000)
})

test('and when all that the peers have is kept already', async () => {
  const room = createRoom()
  await loseRangesIn(room, room.source('peer:a', 'mesh', { bytesPerSecond: MIB, maxRunPieces: 1, isOffered: (_blob, piece) => piece < 4 }))
  expect(room.clock.monotonicMs()).toBeLessThan(10_000)
})

test('a trickle is asked for one piece a minute, not for each that a better source fetches', async () => {
  const room = createRoom({ sizeBytes: 180 * 64 * 1024 })
  const trickle = room.source('cdn-1', 'cdn', { bytesPerSecond: 50_000, chunkBytes: 5000 })
  room.set.replace([trickle])
  const work = room.deliver()
  while (room.delivered.length < 2) await room.clock.advance(100)
  room.set.replace([trickle, room.source('cdn-2', 'cdn', { bytesPerSecond: 80 * 1024 })])
  const { reports } = await work
  // Four of its pieces were begun before the other proved itself.
  expect(Math.floor(room.clock.monotonicMs() / 1000)).toBe(73)
  expect(reports.find(({ source }) => source === trickle.id)?.receivedBytes).toBe(5 * 64 * 1024)
})

/** Delivers from `other` and a CDN that ignores ranges after the second piece. */
async function loseRangesIn(room: Room, other: ReturnType<Room['source']>): Promise<void> {
  const plain = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB, maxRunPieces: 1 })
  room.set.replace([other, plain])
  const work = room.deliver()
  while (room.delivered.length < 2) await room.clock.advance(5)
  plain.fault = { kind: 'ignores-ranges' }
  const { stored } = await work
  expect(stored.stored.isFull()).toBe(true)
}
