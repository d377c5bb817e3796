import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import type { StoredArtifact } from '../../src/core/ports.ts'
import type { Artifact } from '../../src/core/model/artifact.ts'
import { createRoom } from './bench-room.ts'

const MIB = 1024 * 1024
const NEVER = new AbortController().signal

async function bytesOf(artifact: Artifact, stored: StoredArtifact): Promise<Uint8Array> {
  const whole = new Uint8Array(artifact.sizeBytes)
  for (let i = 0; i < artifact.pieces.count; i++) whole.set(await stored.read(toPieceIndex(i), NEVER), i * artifact.pieces.lengthBytes)
  return whole
}

test('a healthy CDN serves every piece, and nobody else is asked', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: MIB })
  const gateway = room.source('gateway', 'gateway')
  room.set.replace([cdn, gateway])
  const { stored } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(gateway.asked).toEqual([])
  expect(new Set(stored.origins().values())).toEqual(new Set(['cdn-1']))
})

test('a CDN that refuses costs no time: the gateway takes over at once', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn')
  cdn.fault = {
    kind: 'fails',
    failure: { code: 'source-unreachable', source: cdn.id, phase: 'connect', elapsedMs: 1 },
  }
  room.set.replace([cdn, room.source('gateway', 'gateway', { maxRunPieces: 1 })])
  const { stored } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(room.delivered[0]?.atMs).toBeLessThan(50)
})

test('a CDN that accepts and says nothing is hedged after 400 ms', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn')
  cdn.fault = { kind: 'stalls', afterBytes: 0 }
  room.set.replace([cdn, room.source('gateway', 'gateway')])
  await room.deliver()
  const firstMs = room.delivered[0]?.atMs ?? Infinity
  expect(firstMs).toBeGreaterThanOrEqual(400)
  expect(firstMs).toBeLessThan(600)
})

test('a CDN that dies at 60 % loses no verified piece, and none is stored twice', async () => {
  const room = createRoom({ sizeBytes: 64 * 64 * 1024 })
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  const gateway = room.source('gateway', 'gateway', { bytesPerSecond: 4 * MIB, maxRunPieces: 1 })
  room.set.replace([cdn, gateway])
  const work = room.deliver()
  await until(room, () => room.delivered.length >= 38)
  const before = new Map(room.delivered.map((piece) => [piece.index, piece.source]))
  cdn.fault = {
    kind: 'fails',
    failure: { code: 'source-unreachable', source: cdn.id, phase: 'connect', elapsedMs: 1 },
  }
  const { stored } = await work
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  const asked = new Set(gateway.asked.map((range) => range.start / room.artifact.pieces.lengthBytes))
  for (const index of before.keys()) expect(asked.has(index)).toBe(false)
  expect(room.delivered).toHaveLength(64)
})

test('a liar costs its one probe, is banned by name, and its bytes are nowhere', async () => {
  const room = createRoom()
  const liar = room.source('cdn-1', 'cdn')
  liar.fault = { kind: 'lies' }
  room.set.replace([liar, room.source('gateway', 'gateway')])
  const { stored, reports } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(room.reputation.isBanned(toSourceId('cdn-1'))).toBe(true)
  expect(room.reputation.isBanned(toSourceId('gateway'))).toBe(false)
  expect(liar.asked).toHaveLength(1)
  expect(reports.find((report) => report.source === 'cdn-1')?.failures[0]?.code).toBe('digest-mismatch')
})

test('a source that was banned before keeps nobody waiting: the next one starts at once', async () => {
  const room = createRoom()
  const liar = room.source('cdn-1', 'cdn')
  room.reputation.blame(liar.id, { code: 'peer-frame', detail: 'it lied about another artifact' })
  room.set.replace([liar, room.source('cdn-2', 'cdn')])
  const { stored } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(liar.asked).toEqual([])
  expect(room.clock.monotonicMs()).toBeLessThan(50)
})

test('a source that is banned elsewhere meanwhile keeps nobody waiting either', async () => {
  const room = createRoom()
  const liar = room.source('cdn-1', 'cdn', { bytesPerSecond: MIB, maxRunPieces: 1 })
  room.set.replace([liar, room.source('cdn-2', 'cdn', { bytesPerSecond: MIB })])
  const work = room.deliver()
  await until(room, () => room.delivered.length >= 2)
  room.reputation.blame(liar.id, { code: 'peer-frame', detail: 'it lied about another artifact' })
  const { stored } = await work
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(new Set(stored.origins().values())).toEqual(new Set(['cdn-1', 'cdn-2']))
})

test('a source that ends early, as if that were all, has failed: it is told, and it rests like any other', async () => {
  const room = createRoom()
  const short = room.source('cdn-1', 'cdn', { maxRunPieces: 1 })
  short.fault = { kind: 'ends', afterBytes: 1000 }
  room.set.replace([short, room.source('cdn-2', 'cdn', { bytesPerSecond: MIB })])
  const { stored, reports } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(reports.find((report) => report.source === 'cdn-1')?.failures[0]).toEqual({
    code: 'source-length',
    source: 'cdn-1',
    expectedBytes: room.artifact.pieces.lengthBytes,
    actualBytes: 16 * 1024,
  })
  expect(short.asked.length).toBeLessThan(20)
})

test('a source that goes on past the end of what it was asked for is cut off, and what it sent within counts', async () => {
  const room = createRoom()
  const endless = room.source('cdn-1', 'cdn', { maxRunPieces: 1 })
  endless.fault = { kind: 'overflows' }
  room.set.replace([endless])
  const { stored, reports } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(reports[0]?.failures[0]).toMatchObject({ code: 'source-length', expectedBytes: room.artifact.pieces.lengthBytes })
})

test('refuses when every source lies, keeps nothing, and names them all', async () => {
  const room = createRoom()
  const sources = [
    room.source('cdn-1', 'cdn'),
    room.source('cdn-2', 'cdn'),
    room.source('gateway', 'gateway'),
    room.source('peer:a', 'mesh', { maxRunPieces: 1 }),
  ]
  for (const source of sources) source.fault = { kind: 'lies' }
  room.set.replace(sources)
  const error = await room.deliver().catch((caught: unknown) => caught)
  if (!(error instanceof DeliveryError) || error.failure.code !== 'sources-exhausted') throw error
  expect(error.failure.reasons.map((reason) => reason.code)).toEqual(Array(4).fill('digest-mismatch'))
  expect(room.delivered).toEqual([])
  expect((await room.store.open(room.artifact, NEVER)).stored.size).toBe(0)
})

test('resumes from what an earlier visit kept', async () => {
  const room = createRoom()
  const stop = new AbortController()
  room.set.replace([room.source('cdn-1', 'cdn', { bytesPerSecond: MIB })])
  const first = room.deliver(stop.signal).catch((reason: unknown) => reason)
  await until(room, () => room.delivered.length >= 5)
  stop.abort(new Error('tab closed'))
  expect(await first).toEqual(new Error('tab closed'))
  const kept = (await room.store.open(room.artifact, NEVER)).stored.size
  expect(kept).toBeGreaterThanOrEqual(5)
  const again = room.source('cdn-1', 'cdn')
  room.set.replace([again])
  await room.deliver()
  const askedBytes = again.asked.reduce((sum, range) => sum + range.end - range.start, 0)
  expect(askedBytes).toBe(room.artifact.sizeBytes - kept * room.artifact.pieces.lengthBytes)
})

test('rejects with the abort reason itself, not a wrapper', async () => {
  const room = createRoom()
  room.set.replace([room.source('cdn-1', 'cdn', { bytesPerSecond: 1000 })])
  const stop = new AbortController()
  const reason = { why: 'the user left' }
  const work = room.deliver(stop.signal).catch((caught: unknown) => caught)
  await room.clock.advance(300)
  stop.abort(reason)
  expect(await work).toBe(reason)
})

test('tr12.slow-10kBps: a trickle of 10 kB/s is helped out after a second', async () => {
  const room = createRoom()
  room.set.replace([
    room.source('cdn-1', 'cdn', { bytesPerSecond: 10_000, chunkBytes: 1000 }),
    room.source('gateway', 'gateway', { bytesPerSecond: MIB }),
  ])
  await room.deliver()
  expect(room.delivered[0]?.atMs).toBeLessThan(1500)
  expect(room.clock.monotonicMs()).toBeLessThan(4000)
})

test('peers that appear while it runs are used, and a peer that leaves is not missed', async () => {
  const room = createRoom()
  room.set.growing = true
  const work = room.deliver()
  await room.clock.advance(500)
  expect(room.set.wanted.has('mesh')).toBe(true)
  const leaver = room.source('peer:a', 'mesh', { bytesPerSecond: MIB, maxRunPieces: 1 })
  room.set.replace([leaver])
  await until(room, () => room.delivered.length >= 4)
  leaver.fault = { kind: 'fails', failure: { code: 'peer-closed', detail: 'left' } }
  const stayer = room.source('peer:b', 'mesh', { maxRunPieces: 1 })
  room.set.replace([stayer])
  const { stored } = await work
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(new Set(stored.origins().values())).toEqual(new Set(['peer:a', 'peer:b']))
})

test('a slow disk is no fault of the source that is ready to go on', async () => {
  const room = createRoom({ sizeBytes: 6 * 64 * 1024, putMs: 5000 })
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  const gateway = room.source('gateway', 'gateway')
  room.set.replace([cdn, gateway])
  const { stored, reports } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(reports.map(({ source, failures }) => [source, failures])).toEqual([['cdn-1', []]])
  expect(gateway.asked).toEqual([])
})

test('a source that stops in the middle is noticed on a slow disk too', async () => {
  const room = createRoom({ putMs: 5000 })
  const cdn = room.source('cdn-1', 'cdn', { maxRunPieces: 1 })
  cdn.fault = { kind: 'stalls', afterBytes: 32 * 1024 }
  room.set.replace([cdn, room.source('gateway', 'gateway', { bytesPerSecond: MIB })])
  const { stored, reports } = await room.deliver()
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(reports.find(({ source }) => source === 'cdn-1')?.failures[0]).toMatchObject({ code: 'source-timeout', phase: 'stall' })
})

test('I09: what was verified before a transfer stopped is not fetched again, however long the disk takes', async () => {
  const room = createRoom({ putMs: 4000 })
  const cdn = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  room.set.replace([cdn, room.source('gateway', 'gateway', { bytesPerSecond: 4 * MIB, maxRunPieces: 1 })])
  const work = room.deliver()
  await until(room, () => room.delivered.length >= 1)
  cdn.fault = { kind: 'stalls', afterBytes: 3.5 * 64 * 1024 }
  const { reports } = await work
  expect(room.delivered.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, at) => at))
  const receivedBytes = reports.reduce((sum, report) => sum + report.receivedBytes, 0)
  // What came of the piece in which it stopped, on both lanes, and no more.
  expect(receivedBytes).toBeLessThanOrEqual(room.artifact.sizeBytes + 2 * 64 * 1024)
})

test('the record of a peer that left and came back holds what it did before', async () => {
  const room = createRoom()
  room.set.growing = true
  const work = room.deliver()
  const before = room.source('peer:a', 'mesh', { bytesPerSecond: MIB, maxRunPieces: 1 })
  room.set.replace([before])
  await until(room, () => room.delivered.length >= 4)
  before.fault = { kind: 'fails', failure: { code: 'peer-closed', detail: 'left' } }
  const asked = before.asked.length
  await until(room, () => before.asked.length > asked + 1)
  room.set.replace([])
  room.set.replace([room.source('peer:a', 'mesh', { maxRunPieces: 1 })])
  const { reports } = await work
  expect(reports).toHaveLength(1)
  expect(reports[0]).toMatchObject({ source: 'peer:a', verifiedBytes: room.artifact.sizeBytes, receivedBytes: room.artifact.sizeBytes })
  expect(reports[0]?.failures[0]).toMatchObject({ code: 'peer-closed' })
})

test('a peer whose link was replaced is asked over the new one alone', async () => {
  const room = createRoom()
  const before = room.source('peer:a', 'mesh', { bytesPerSecond: MIB / 4, maxRunPieces: 1 })
  room.set.replace([before])
  const work = room.deliver()
  await until(room, () => room.delivered.length >= 2)
  const after = room.source('peer:a', 'mesh', { bytesPerSecond: MIB / 4, maxRunPieces: 1 })
  room.set.replace([after])
  const asked = before.asked.length
  await work
  expect(before.asked).toHaveLength(asked)
})

test('a busy CDN that is the only source left is asked again within a second or two', async () => {
  const room = createRoom()
  const cdn = room.source('cdn-1', 'cdn')
  cdn.fault = { kind: 'fails', failure: { code: 'source-status', source: cdn.id, status: 503, retryAfterSeconds: 60 } }
  room.set.replace([cdn])
  const work = room.deliver()
  await until(room, () => cdn.asked.length > 0)
  cdn.fault = { kind: 'none' }
  const { stored } = await work
  expect(await bytesOf(room.artifact, stored)).toEqual(room.bytes)
  expect(room.clock.monotonicMs()).toBeLessThan(2000)
})

test('an empty artifact needs no source', async () => {
  const room = createRoom({ sizeBytes: 0 })
  const { stored, reports } = await room.deliver()
  expect(stored.stored.isFull()).toBe(true)
  expect(reports).toEqual([])
})

/** Moves the clock in small steps until `isTrue`. */
async function until(room: ReturnType<typeof createRoom>, isTrue: () => boolean): Promise<void> {
  for (let step = 0; step < 10_000 && !isTrue(); step++) await room.clock.advance(5)
}
