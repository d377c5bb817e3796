import { expect, test } from 'vitest'
import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { Source, Tier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { fetchBlob } from '../../src/scheduler/fetch-blob.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createArraySource, type ArraySource, type ArraySourceOptions } from '../fakes/array-source.ts'
import { instantHasher } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createMovableSet } from './bench-room.ts'

const BYTES = seededBytes(3, 40_000)
const REF: BlobRef = { sha256: sha256Of(BYTES), sizeBytes: BYTES.length }

function createRoom() {
  const clock = createVirtualClock()
  const set = createMovableSet([])
  const reputation = createReputation()
  const tools = {
    sources: set,
    policy: deliveryPolicy('cdn-first', undefined, undefined),
    reputation,
    roster: createRoster(clock),
    clock,
    random: createSeededRandom(1),
    runPeers: undefined,
    hasher: instantHasher,
  }
  return {
    clock,
    set,
    reputation,
    roster: tools.roster,
    source: (id: string, over: Partial<ArraySourceOptions> = {}, tier: Tier = 'cdn'): ArraySource =>
      createArraySource({ id: toSourceId(id), tier, clock, blobs: [BYTES], ...over }),
    async fetch(sources: readonly Source[], signal = new AbortController().signal): Promise<Uint8Array> {
      set.replace(sources)
      return await clock.drive(fetchBlob(REF, tools, signal))
    },
  }
}

const unreachable = (source: Source): Failure => ({ code: 'source-unreachable', source: source.id, phase: 'connect', elapsedMs: 1 })

async function failureFrom(work: Promise<unknown>): Promise<Failure> {
  const error = await work.catch((caught: unknown) => caught)
  if (error instanceof DeliveryError) return error.failure
  throw error
}

test('a document comes from the first source alone when that one is well', async () => {
  const room = createRoom()
  const second = room.source('cdn-2')
  expect(await room.fetch([room.source('cdn-1'), second])).toEqual(BYTES)
  expect(second.asked).toEqual([])
})

test('a source that says nothing is hedged after 400 ms, and let go of once another has answered', async () => {
  const room = createRoom()
  const silent = room.source('cdn-1')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  expect(await room.fetch([silent, room.source('cdn-2')])).toEqual(BYTES)
  expect(room.clock.monotonicMs()).toBeGreaterThanOrEqual(400)
  expect(room.clock.monotonicMs()).toBeLessThan(600)
  expect(room.clock.sleeping).toBe(0)
})

test('a source that trickles is helped out before a second is over, and is asked last for the next document', async () => {
  const room = createRoom()
  const trickle = room.source('cdn-1', { bytesPerSecond: 10_000, chunkBytes: 500 })
  const other = room.source('cdn-2')
  expect(await room.fetch([trickle, other])).toEqual(BYTES)
  expect(room.clock.monotonicMs()).toBeLessThan(1100)
  const startedMs = room.clock.monotonicMs()
  expect(await room.fetch([trickle, other])).toEqual(BYTES)
  expect(room.clock.monotonicMs() - startedMs).toBeLessThan(50)
  expect(trickle.asked).toHaveLength(1)
})

test('a source that fails costs no time: the next one is asked at once', async () => {
  const room = createRoom()
  const dead = room.source('cdn-1')
  dead.fault = { kind: 'fails', failure: unreachable(dead) }
  expect(await room.fetch([dead, room.source('cdn-2')])).toEqual(BYTES)
  expect(room.clock.monotonicMs()).toBeLessThan(50)
})

test('a source with other bytes is banned, and its bytes are not taken', async () => {
  const room = createRoom()
  const liar = room.source('cdn-1')
  liar.fault = { kind: 'lies' }
  expect(await room.fetch([liar, room.source('cdn-2')])).toEqual(BYTES)
  expect(room.reputation.isBanned(liar.id)).toBe(true)
  expect(liar.asked).toHaveLength(1)
})

test.each([
  ['ends early', { kind: 'ends', afterBytes: 100 } as const],
  ['never ends', { kind: 'overflows' } as const],
])('a source that %s is refused for its length, and not banned', async (_how, fault) => {
  const room = createRoom()
  const source = room.source('cdn-1')
  source.fault = fault
  expect(await failureFrom(room.fetch([source]))).toMatchObject({ code: 'blob-unavailable', reasons: [{ code: 'source-length' }, {}, {}] })
  expect(room.reputation.isBanned(source.id)).toBe(false)
})

test('a hiccup of the only source is tried again, within a second', async () => {
  const room = createRoom()
  const source = room.source('cdn-1')
  source.fault = { kind: 'fails', failure: unreachable(source) }
  const work = room.fetch([source])
  source.fault = { kind: 'none' }
  expect(await work).toEqual(BYTES)
  expect(room.clock.monotonicMs()).toBeLessThan(1000)
})

test('a source that stays down is asked three times, then the download is told why', async () => {
  const room = createRoom()
  const source = room.source('cdn-1')
  source.fault = { kind: 'fails', failure: unreachable(source) }
  const failure = await failureFrom(room.fetch([source]))
  expect(failure).toEqual({ code: 'blob-unavailable', sha256: REF.sha256, reasons: Array(3).fill(unreachable(source)) })
  expect(room.clock.monotonicMs()).toBeLessThan(3000)
})

test('a source that has not got it is asked once', async () => {
  const room = createRoom()
  const source = room.source('cdn-1', { blobs: [] })
  expect(await failureFrom(room.fetch([source]))).toMatchObject({ code: 'blob-unavailable', reasons: [{ code: 'source-missing' }] })
  expect(source.asked).toHaveLength(1)
})

test('a source that asks for a minute of rest is not waited for', async () => {
  const room = createRoom()
  const source = room.source('cdn-1')
  source.fault = { kind: 'fails', failure: { code: 'source-status', source: source.id, status: 503, retryAfterSeconds: 60 } }
  expect(await failureFrom(room.fetch([source]))).toMatchObject({ code: 'blob-unavailable' })
  expect(source.asked).toHaveLength(1)
  expect(room.clock.monotonicMs()).toBeLessThan(1000)
})

test('a peer that appears while everybody else is silent is asked too', async () => {
  const room = createRoom()
  const silent = room.source('cdn-1')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  room.set.growing = true
  const work = room.fetch([silent])
  const noAbort = new AbortController().signal
  void room.clock.sleep(3000, noAbort).then(() => room.set.replace([silent, room.source('peer:a', {}, 'mesh')]))
  expect(await work).toEqual(BYTES)
  expect(room.set.wanted.has('mesh')).toBe(true)
})

test('rejects with the abort reason itself, not a wrapper', async () => {
  const room = createRoom()
  const stop = new AbortController()
  const reason = { why: 'the user left' }
  const silent = room.source('cdn-1')
  silent.fault = { kind: 'stalls', afterBytes: 0 }
  const work = room.fetch([silent], stop.signal).catch((error: unknown) => error)
  void room.clock.sleep(100, new AbortController().signal).then(() => stop.abort(reason))
  expect(await work).toBe(reason)
  expect(room.clock.sleeping).toBe(0)
})

test('a mistake in our own code is not held against a source: it is thrown as it is', async () => {
  const room = createRoom()
  const mistake = new TypeError('a bug')
  const broken: Source = {
    ...room.source('cdn-1'),
    read: () => {
      throw mistake
    },
  }
  await expect(room.fetch([broken, room.source('cdn-2')])).rejects.toBe(mistake)
  expect(room.reputation.isBanned(broken.id)).toBe(false)
})

test('a document is asked for although all sources rest from what failed before: the network may be back', async () => {
  const room = createRoom()
  const sources = [room.source('cdn-1'), room.source('cdn-2')]
  for (const { id } of sources) Object.assign(room.roster.healthOf(id), { failuresInRow: 7, rest: { ms: 20_000, isAskedFor: false } })
  expect(await room.fetch(sources)).toEqual(BYTES)
  expect(room.clock.monotonicMs()).toBeLessThan(1500)
})

test('I14: of eight documents at once, four are asked of one source', async () => {
  const room = createRoom()
  let running = 0
  let most = 0
  const inner = room.source('cdn-1', { latencyMs: 100 })
  const source: Source = {
    ...inner,
    async *read(...args) {
      most = Math.max(most, ++running)
      try {
        yield* inner.read(...args)
      } finally {
        running--
      }
    },
  }
  await Promise.all(Array.from({ length: 8 }, async () => await room.fetch([source])))
  expect(most).toBe(4)
})
