import { expect, test } from 'vitest'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import type { Source } from '../../src/core/ports.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { createArraySource, createLine } from '../fakes/array-source.ts'
import { instantHasher, makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createAccounts, createMovableSet, createRoom } from './bench-room.ts'

const MIB = 2 ** 20
const LARGE = { sizeBytes: 16 * MIB, pieceBytes: 256 * 1024 }

/** Bytes that a source was asked for, as a share of the artifact. */
function shareOf(source: { readonly asked: readonly { readonly start: number; readonly end: number }[] }, sizeBytes: number): number {
  return source.asked.reduce((sum, { start, end }) => sum + end - start, 0) / sizeBytes
}

test('a large artifact comes from all sources of the first tier at once, in nearly half the time, and from no other tier', async () => {
  const room = createRoom(LARGE)
  const [a, b] = ['cdn-1', 'cdn-2'].map((id) => room.source(id, 'cdn', { line: createLine(room.clock, 2 * MIB), latencyMs: 20 }))
  const gateway = room.source('gateway', 'gateway')
  if (a === undefined || b === undefined) throw new RangeError('expected two sources')
  room.set.replace([a, b, gateway])
  await room.deliver()
  expect(room.clock.monotonicMs()).toBeLessThan(1.1 * 4000)
  expect(shareOf(a, LARGE.sizeBytes) + shareOf(b, LARGE.sizeBytes)).toBeLessThan(1.1)
  expect(gateway.asked).toEqual([])
})

test('a dead source beside a healthy one brings in no other tier', async () => {
  const room = createRoom(LARGE)
  const dead = room.source('cdn-2', 'cdn')
  dead.fault = { kind: 'fails', failure: { code: 'source-unreachable', source: dead.id, phase: 'headers', elapsedMs: 2 } }
  const gateway = room.source('gateway', 'gateway')
  room.set.replace([room.source('cdn-1', 'cdn', { line: createLine(room.clock, 4 * MIB) }), dead, gateway])
  await room.deliver()
  expect(gateway.asked).toEqual([])
})

test('a small one comes from the first source alone while that one is well', async () => {
  const room = createRoom()
  const other = room.source('cdn-2', 'cdn')
  room.set.replace([room.source('cdn-1', 'cdn', { bytesPerSecond: MIB }), other])
  await room.deliver()
  expect(other.asked).toEqual([])
})

test('a silent source among those that share costs the others nothing but its one piece', async () => {
  const room = createRoom(LARGE)
  const silent = room.source('cdn-1', 'cdn')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  room.set.replace([silent, room.source('cdn-2', 'cdn', { line: createLine(room.clock, 2 * MIB) })])
  await room.deliver()
  expect(room.clock.monotonicMs()).toBeLessThan(1.05 * 8000)
})

test('a critical small artifact is raced: it takes no longer than the fastest source, whatever the first ones do', async () => {
  const room = createRoom({ priority: 'critical' })
  const silent = room.source('cdn-1', 'cdn')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  const trickle = room.source('cdn-2', 'cdn', { bytesPerSecond: 1000, chunkBytes: 100 })
  room.set.replace([silent, trickle, room.source('gateway', 'gateway', { bytesPerSecond: 8 * MIB })])
  await room.deliver()
  expect(room.clock.monotonicMs()).toBeLessThan(300)
})

test('a race for a single piece is run by all sources, not by the first two', async () => {
  const room = createRoom({ priority: 'critical', sizeBytes: 64 * 1024 })
  const silent = ['cdn-1', 'cdn-2'].map((id) => room.source(id, 'cdn'))
  for (const source of silent) source.fault = { kind: 'stalls', afterBytes: 0 }
  room.set.replace([...silent, room.source('gateway', 'gateway', { bytesPerSecond: 8 * MIB })])
  await room.deliver()
  expect(room.clock.monotonicMs()).toBeLessThan(100)
})

test('what kept one download waiting keeps the next one of the engine waiting no more', async () => {
  const first = createRoom()
  const silent = first.source('cdn-1', 'cdn')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  first.set.replace([silent, first.source('cdn-2', 'cdn', { bytesPerSecond: 64 * MIB })])
  await first.deliver()
  expect(first.clock.monotonicMs()).toBeGreaterThan(390)
  const startedMs = first.clock.monotonicMs()
  await first.store.remove(first.artifact.sha256, new AbortController().signal)
  await first.deliver()
  expect(first.clock.monotonicMs() - startedMs).toBeLessThan(150)
})

test('a source out of favour is tried beside the others, and is among the first again once it delivers', async () => {
  const room = createRoom({ sizeBytes: 40 * 64 * 1024 })
  const recovered = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  room.roster.healthOf(recovered.id).suspectUntilMs = 60_000
  room.set.replace([recovered, room.source('cdn-2', 'cdn', { line: createLine(room.clock, MIB) })])
  const { stored } = await room.deliver()
  expect([...stored.origins().values()].filter((source) => source === 'cdn-1').length).toBeGreaterThan(10)
})

test('a poisoned cache is read past once, and goes on serving', async () => {
  const room = createRoom()
  const gateway = room.source('gateway', 'gateway', { isCache: true, maxRunPieces: 1, bytesPerSecond: 4 * MIB })
  const { lengthBytes } = room.artifact.pieces
  // One entry alone is wrong.
  const healed = new Set(Array.from({ length: 16 }, (_, at) => at * lengthBytes).filter((start) => start !== 3 * lengthBytes))
  gateway.fault = { kind: 'poisoned', healed }
  room.set.replace([gateway])
  const { reports } = await room.deliver()
  expect(reports[0]?.failures.map(({ code }) => code)).toEqual(['digest-mismatch'])
  expect(room.reputation.isBanned(gateway.id)).toBe(false)
  expect(gateway.asked.filter(({ start }) => start === 3 * lengthBytes)).toHaveLength(2)
})

test('a poisoned cache is healed at once, though its lanes are busy and others wait for work', async () => {
  const room = createRoom({ sizeBytes: 4 * 64 * 1024, putMs: 30 })
  const gateway = room.source('gateway', 'gateway', { isCache: true, maxRunPieces: 1, bytesPerSecond: 4 * MIB })
  const { lengthBytes } = room.artifact.pieces
  const healed = new Set([0, 2 * lengthBytes, 3 * lengthBytes])
  gateway.fault = { kind: 'poisoned', healed }
  const behind = room.source('behind', 'gateway', { bytesPerSecond: 64 * MIB })
  room.set.replace([gateway, behind])
  const { stored } = await room.deliver()
  expect([...healed]).toContain(lengthBytes)
  expect(stored.origins().get(toPieceIndex(1))).toBe('gateway')
})

test('a cache that lies past its cache too is banned', async () => {
  const room = createRoom()
  const gateway = room.source('gateway', 'gateway', { isCache: true, maxRunPieces: 1 })
  gateway.fault = { kind: 'lies' }
  room.set.replace([gateway, room.source('gateway-2', 'gateway')])
  await room.deliver()
  expect(room.reputation.isBanned(gateway.id)).toBe(true)
  expect(gateway.asked).toHaveLength(2)
})

test('a server that knows no ranges is asked for the whole file when nobody else has it', async () => {
  const room = createRoom()
  const plain = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  plain.fault = { kind: 'ignores-ranges' }
  room.set.replace([plain])
  const { stored } = await room.deliver()
  expect(stored.stored.isFull()).toBe(true)
  expect(shareOf(plain, room.artifact.sizeBytes)).toBeLessThan(1.3)
})

test('what such a server sends from the start of the file is used to its end, while nobody else is at it', async () => {
  const room = createRoom()
  const plain = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  plain.fault = { kind: 'ignores-ranges' }
  room.set.replace([plain, room.source('cdn-2', 'cdn', { bytesPerSecond: 4 * MIB })])
  const { reports } = await room.deliver()
  expect(plain.asked).toHaveLength(1)
  expect(reports.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)).toBeLessThan(1.05 * room.artifact.sizeBytes)
})

test('and for nothing more while another source has it', async () => {
  const room = createRoom()
  const plain = room.source('cdn-1', 'cdn', { bytesPerSecond: 4 * MIB })
  plain.fault = { kind: 'ignores-ranges' }
  room.set.replace([plain, room.source('cdn-2', 'cdn', { bytesPerSecond: 4 * MIB })])
  await room.deliver()
  expect(plain.asked.length).toBeLessThan(4)
})

test('a liar that falls silent behind its lie is banned for the lie, at once', async () => {
  const room = createRoom({ sizeBytes: 32 * 64 * 1024 })
  const honest = room.source('cdn-1', 'cdn', { bytesPerSecond: MIB })
  const liar: Source = {
    ...honest,
    // Its first pieces are right, and earn it a run of many.
    async *read(blob, range, signal) {
      const isProbe = range.end - range.start <= room.artifact.pieces.lengthBytes
      let sentBytes = 0
      for await (const chunk of honest.read(blob, range, signal)) {
        if (!isProbe && sentBytes >= room.artifact.pieces.lengthBytes) await room.clock.sleep(60_000, signal)
        yield isProbe ? chunk : chunk.map((byte) => byte ^ 1)
        sentBytes += chunk.length
      }
    },
  }
  room.set.replace([liar, room.source('cdn-2', 'cdn', { bytesPerSecond: MIB })])
  const work = room.deliver()
  while (!room.reputation.isBanned(liar.id) && room.clock.monotonicMs() < 5000) await room.clock.advance(20)
  // A stall would be noticed after a second, and cut after three.
  expect(room.clock.monotonicMs()).toBeLessThan(500)
  const { reports } = await work
  expect(reports.find(({ source }) => source === 'cdn-1')?.failures[0]?.code).toBe('digest-mismatch')
})

test('what our own busy thread keeps waiting is not held against a source', async () => {
  const room = createRoom({ sizeBytes: 64 * 1024 })
  const source = room.source('cdn-1', 'cdn', { latencyMs: 460, bytesPerSecond: MIB })
  room.set.replace([source, room.source('cdn-2', 'cdn')])
  const { sleep } = room.clock
  // Our next look is 350 ms late, and what the source answers meanwhile is as late as that.
  const isTick = (ms: number): boolean => ms === 40
  let isBusy = true
  room.clock.sleep = async (ms, signal) => {
    const lateMs = isBusy && isTick(ms) && source.asked.length > 0 ? 350 : 0
    if (lateMs > 0) isBusy = false
    await sleep(ms + lateMs, signal)
  }
  const { reports } = await room.deliver()
  expect(reports.map(({ source: id, failures }) => [id, failures])).toEqual([['cdn-1', []]])
})

test('a gateway that appears late stops no peer that works', async () => {
  const room = createRoom({ sizeBytes: 64 * 64 * 1024 })
  const peer = room.source('peer:a', 'mesh', { bytesPerSecond: MIB / 4, maxRunPieces: 1 })
  room.set.replace([peer])
  const work = room.deliver()
  while (room.delivered.length < 4) await room.clock.advance(20)
  const gateway = room.source('gateway', 'gateway', { bytesPerSecond: 1000, chunkBytes: 100 })
  room.set.replace([gateway, peer])
  const asked = peer.asked.length
  await work
  expect(peer.asked.length).toBeGreaterThan(asked + 20)
})

test('I14: three downloads at once ask one source for four ranges at a time, at most', async () => {
  const clock = createVirtualClock()
  const roster = createRoster(clock)
  const bytes = [1, 2, 3].map((seed) => seededBytes(seed, 2 * MIB))
  let running = 0
  let most = 0
  const inner = createArraySource({ id: toSourceId('cdn-1'), tier: 'cdn', clock, blobs: bytes, bytesPerSecond: MIB })
  const source = {
    ...inner,
    async *read(...args: Parameters<typeof inner.read>) {
      running++
      most = Math.max(most, running)
      try {
        yield* inner.read(...args)
      } finally {
        running--
      }
    },
  }
  const deliver = async (one: Uint8Array): Promise<void> => {
    const artifact = makeArtifact(one, 64 * 1024)
    const { signal } = new AbortController()
    const tools = {
      sources: createMovableSet([source]),
      policy: deliveryPolicy('cdn-first', undefined, undefined),
      reputation: createReputation(),
      roster,
      clock,
      random: () => 0,
      runPeers,
      hasher: instantHasher,
    }
    await deliverPieces(
      { artifact, stored: await createMemoryStore().open(artifact, signal), observer: createAccounts().observer },
      tools,
      signal,
    )
  }
  await clock.drive(Promise.all(bytes.map(deliver)))
  expect(most).toBeLessThanOrEqual(4)
  expect(most).toBeGreaterThan(2)
})

test('a small critical artifact does not wait behind a large one on the same line', async () => {
  const clock = createVirtualClock()
  const shared = createRoster(clock)
  const line = createLine(clock, MIB)
  const [large, small] = [seededBytes(1, 24 * MIB), seededBytes(2, 200 * 1024)]
  const deliver = async (bytes: Uint8Array, priority: 'critical' | 'normal'): Promise<number> => {
    const artifact = { ...makeArtifact(bytes, 64 * 1024), priority }
    const { signal } = new AbortController()
    const source = createArraySource({ id: toSourceId('cdn-1'), tier: 'cdn', clock, blobs: [bytes], line })
    const tools = {
      sources: createMovableSet([source]),
      policy: deliveryPolicy('cdn-first', undefined, undefined),
      reputation: createReputation(),
      roster: shared,
      clock,
      random: () => 0,
      runPeers,
      hasher: instantHasher,
    }
    const startedMs = clock.monotonicMs()
    await deliverPieces(
      { artifact, stored: await createMemoryStore().open(artifact, signal), observer: createAccounts().observer },
      tools,
      signal,
    )
    return clock.monotonicMs() - startedMs
  }
  const background = deliver(large, 'normal')
  await clock.advance(3000)
  const tookMs = await clock.drive(deliver(small, 'critical'))
  // Alone on the line it takes 200 ms; sharing it fairly with two other lanes, three times as long.
  expect(tookMs).toBeLessThan(330)
  const totalMs = await clock.drive(background)
  expect(totalMs).toBeLessThan(1.1 * 24_200)
})

test.each([
  ['gateway', 2],
  ['cdn', 3],
] as const)('no download waits for others to end before a %s serves it too', async (tier, count) => {
  const first = createRoom({ sizeBytes: 4 * MIB })
  const rooms = Array.from({ length: count }, (_, at) =>
    at === 0 ? first : createRoom({ seed: at + 1, clock: first.clock, roster: () => first.roster }),
  )
  const source = createArraySource({
    id: toSourceId('one'),
    tier,
    clock: first.clock,
    blobs: rooms.map(({ bytes }) => bytes),
    bytesPerSecond: 128 * 1024,
    maxRunPieces: 1,
  })
  for (const room of rooms) room.set.replace([source])
  const works = rooms.slice(0, -1).map(async (room) => await room.deliver())
  await first.clock.advance(2000)
  const last = rooms.at(-1)
  const work = last?.deliver()
  await first.clock.advance(1500)
  expect(last?.delivered.length).toBeGreaterThan(0)
  await first.clock.drive(Promise.all([...works, work]))
})
