import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { Artifact, ByteRange } from '../../src/core/model/artifact.ts'
import type { PieceIndex, SourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import { SUSPECT_MS } from '../../src/core/plan/source-health.ts'
import type { Clock, Source, Tier } from '../../src/core/ports.ts'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { instantHasher, makeArtifact } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createAccounts, createMovableSet, createRoom, type SourceReport } from './bench-room.ts'
import { createPlannedSource, good, network, PIECE_BYTES, type NetworkPlan, type SourcePlan } from './random-network.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=20000 npx vitest run test/scheduler/request-invariants.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 200)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 300) })

// Every lane of every source waits on one signal: more than Node thinks proper, and all of them leave.
EventEmitter.defaultMaxListeners = 100

/** How often the watchdog looks. */
const TICK_MS = 40
const MIB = 2 ** 20
const never = new AbortController().signal

/** One request to one source, from its start to its end. */
interface Read {
  readonly source: SourceId
  readonly tier: Tier
  readonly range: ByteRange
  readonly startMs: number
  /** When it was asked, or heard last. */
  heardMs: number
  endMs: number
}

interface Requests {
  readonly artifact: Artifact
  /** In the order in which they began. */
  readonly reads: readonly Read[]
  readonly reports: readonly SourceReport[]
  readonly keptAtMs: ReadonlyMap<PieceIndex, number>
  readonly endedMs: number
}

/** Downloads of one artifact at once, each into a store of its own, over one network: as tasks of one engine share its sources. */
async function play(plan: NetworkPlan, downloads = 1): Promise<Requests> {
  const bytes = seededBytes(plan.seed, plan.sizeBytes)
  const artifact = makeArtifact(bytes, PIECE_BYTES)
  const clock = createVirtualClock()
  const reads: Read[] = []
  const witness = { onRead: () => undefined }
  const sources = plan.sources.map((one, order) => watched(createPlannedSource(one, order, { bytes, clock, witness }), clock, reads))
  const set = createMovableSet([])
  const present = (): readonly Source[] =>
    sources.filter((_, at) => {
      const { joinsAtMs = 0, leavesAtMs = Infinity } = plan.sources[at] ?? {}
      return joinsAtMs <= clock.monotonicMs() && clock.monotonicMs() < leavesAtMs
    })
  set.replace(present())
  const changes = new AbortController()
  for (const { joinsAtMs, leavesAtMs = 0 } of plan.sources)
    for (const atMs of [joinsAtMs, leavesAtMs])
      if (atMs > 0)
        clock.sleep(atMs, changes.signal).then(
          () => set.replace(present()),
          () => undefined,
        )
  const keptAtMs = new Map<PieceIndex, number>()
  const accounts = createAccounts(({ index }) => void keptAtMs.set(index, clock.monotonicMs()))
  const shared = { reputation: createReputation(), roster: createRoster(clock), random: createSeededRandom(plan.seed), runPeers }
  const tools = { ...shared, sources: set, policy: deliveryPolicy('cdn-first', undefined, undefined), clock, hasher: instantHasher }
  const works = Array.from({ length: downloads }, async () => {
    const stored = await createMemoryStore().open(artifact, never)
    await deliverPieces({ artifact, stored, observer: accounts.observer }, tools, never)
  })
  const outcomes = await clock.drive(Promise.allSettled(works))
  const endedMs = clock.monotonicMs()
  changes.abort(new Error('over'))
  for (const outcome of outcomes) if (outcome.status === 'rejected' && !(outcome.reason instanceof DeliveryError)) throw outcome.reason
  await clock.advance(1)
  return { artifact, reads, reports: accounts.reports(), keptAtMs, endedMs }
}

function watched(source: Source, clock: Clock, reads: Read[]): Source {
  return {
    ...source,
    async *read(blob, range, signal) {
      const read: Read = {
        source: source.id,
        tier: source.tier,
        range,
        startMs: clock.monotonicMs(),
        heardMs: clock.monotonicMs(),
        endMs: Infinity,
      }
      reads.push(read)
      try {
        for await (const chunk of source.read(blob, range, signal)) {
          read.heardMs = clock.monotonicMs()
          yield chunk
          // Whoever reads may have paused.
          read.heardMs = clock.monotonicMs()
        }
      } finally {
        read.endMs = clock.monotonicMs()
      }
    },
  }
}

/** Plays random networks and holds every story to `law`. */
async function always(
  law: (requests: Requests, plan: NetworkPlan) => void,
  given: { plans?: fc.Arbitrary<NetworkPlan>; downloads?: number; examples?: readonly NetworkPlan[] } = {},
) {
  await fc.assert(
    fc.asyncProperty(given.plans ?? network, async (plan) => law(await play(plan, given.downloads), plan)),
    { numRuns: RUNS, examples: (given.examples ?? []).map((plan) => [plan]) },
  )
}

/** Pieces in memory over all sources of a delivery: what the invariant allows for a failure. */
const MOST_WASTED = 8

test('I08: what is received beyond the artifact is one run and a piece for each failure, eight at most, and two pieces more', async () => {
  const law = ({ artifact, reads, reports }: Requests): void => {
    const received = reports.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
    const failures = reports.reduce((sum, report) => sum + report.failures.length, 0)
    // Who failed may send the rest of its run all the same, while others fetch it.
    const longestRun = Math.max(0, ...reads.map(({ range }) => Math.ceil((range.end - range.start) / PIECE_BYTES)))
    const wasted = Math.min(MOST_WASTED, longestRun + 1) * failures + 2
    expect(received).toBeLessThanOrEqual(artifact.sizeBytes + wasted * PIECE_BYTES)
  }
  const plain: SourcePlan = {
    tier: 'cdn',
    behaviour: { kind: 'honest' },
    latencyMs: 0,
    bytesPerSecond: 100_000,
    chunkBytes: 100,
    maxRunPieces: 1,
    offered: undefined,
    joinsAtMs: 0,
    leavesAtMs: undefined,
  }
  const trickle: SourcePlan = { ...plain, tier: 'gateway', bytesPerSecond: 10_000 }
  const late: SourcePlan = { ...plain, latencyMs: 390 }
  const found: readonly (readonly SourcePlan[])[] = [
    // The trickle proved itself by every piece that the other fetched.
    [trickle, { ...late, chunkBytes: 5000 }],
    [trickle, { ...late, joinsAtMs: 300 }],
    // The rest of a run came after its pieces had gone to a peer.
    [
      { ...plain, tier: 'mesh', latencyMs: 50 },
      { ...plain, bytesPerSecond: 10_000, chunkBytes: 5000, maxRunPieces: 16 },
    ],
    // A liar was banned while two more runs were on their way.
    [
      { ...plain, tier: 'gateway', bytesPerSecond: 10_000_000, joinsAtMs: 300 },
      { ...plain, behaviour: { kind: 'lies', pieces: [false, false, true] }, chunkBytes: 5000, maxRunPieces: 3, joinsAtMs: 300 },
      { ...plain, bytesPerSecond: 200, leavesAtMs: 1 },
    ],
  ]
  const examples = found.map((sources) => ({ sizeBytes: 12 * PIECE_BYTES + 1, seed: 0, hashMs: 0, sources }))
  await always(law, { examples })
})

test('I08: what several origins share is received once, but for eight pieces for each failure, and eight more', async () => {
  const rates = fc.array(fc.constantFrom(MIB / 2, MIB, 4 * MIB), { minLength: 2, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(rates, fc.nat(1000), async (bytesPerSecond, seed) => {
      const pieceBytes = MIB / 4
      const room = createRoom({ sizeBytes: 9 * MIB, pieceBytes, seed })
      room.set.replace(bytesPerSecond.map((rate, at) => room.source(`cdn-${at}`, 'cdn', { bytesPerSecond: rate, latencyMs: 20 * at })))
      const { reports } = await room.deliver()
      const received = reports.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
      const failures = reports.reduce((sum, report) => sum + report.failures.length, 0)
      expect(received).toBeLessThanOrEqual(9 * MIB + 8 * pieceBytes * (failures + 1))
    }),
    { numRuns: Math.min(RUNS, 4) },
  )
})

test('I08: with one good source that stays, every download ends', async () => {
  const plans = fc.tuple(network, good, fc.nat(6)).map(([plan, one, at]) => ({ ...plan, sources: plan.sources.toSpliced(at, 0, one) }))
  const allKept = ({ artifact, keptAtMs }: Requests): void => {
    expect(keptAtMs.size).toBe(artifact.pieces.count)
  }
  await always(allKept, { plans, downloads: 2 })
})

test('I13: no request outlives its download, and none is silent for longer than 3 s', async () => {
  await always(({ reads, endedMs }) => {
    for (const read of reads) {
      expect(read.endMs).toBeLessThanOrEqual(endedMs)
      expect(read.endMs - read.heardMs).toBeLessThanOrEqual(3000 + TICK_MS)
    }
  })
})

test('I14: whatever the network does, an origin or gateway has four requests at most, over three downloads at once', async () => {
  await always(
    ({ reads }) => {
      for (const { source, tier, startMs } of reads) {
        // Those of one moment count together: they end after it.
        const atOnce = reads.filter((other) => other.source === source && other.startMs <= startMs && startMs < other.endMs)
        if (tier !== 'mesh') expect(atOnce.length).toBeLessThanOrEqual(4)
      }
    },
    { downloads: 3 },
  )
})

test('I14: a source that asked for a rest is not asked before it is over, while another goes on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), fc.nat(1000), async (retryAfterSeconds, seed) => {
      const room = createRoom({ sizeBytes: 2 ** 20, seed })
      const reads: Read[] = []
      const tired = room.source('cdn-1', 'cdn')
      tired.fault = { kind: 'fails', failure: { code: 'source-status', source: tired.id, status: 503, retryAfterSeconds } }
      room.set.replace([watched(tired, room.clock, reads), room.source('gateway', 'gateway', { bytesPerSecond: 20 * 1024 })])
      await room.deliver()
      const starts = reads.map(({ startMs }) => startMs)
      for (const [at, startMs] of starts.slice(1).entries())
        expect(startMs - (starts[at] ?? 0)).toBeGreaterThanOrEqual(retryAfterSeconds * 1000)
    }),
    { numRuns: Math.min(RUNS, 30) },
  )
})

test('I15: no source is asked while one that comes before it has not been', async () => {
  // Those that are there at the start: whoever comes later finds others at work.
  const plans = network.map((plan) => ({
    ...plan,
    sources: plan.sources.map((one) => ({ ...one, joinsAtMs: 0, leavesAtMs: undefined, offered: undefined })),
  }))
  await always(
    ({ reads }, plan) => {
      const order: readonly Tier[] = ['cdn', 'gateway', 'mesh']
      for (const [at, tier] of order.entries()) {
        const first = firstOf(reads, tier)
        for (const earlier of order.slice(0, at))
          if (plan.sources.some((one) => one.tier === earlier)) expect(firstOf(reads, earlier)).toBeLessThanOrEqual(first)
      }
    },
    { plans },
  )
})

test('I15: a source that kept somebody waiting is tried again within a minute, while the download goes on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 500, max: 20_000 }), fc.nat(1000), async (silentMs, seed) => {
      const room = createRoom({ sizeBytes: 11 * 2 ** 20, pieceBytes: 256 * 1024, seed })
      const reads: Read[] = []
      const shy = room.source('cdn-1', 'cdn')
      shy.fault = { kind: 'stalls', afterBytes: 0 }
      const healing = room.clock.sleep(silentMs, never).then(() => {
        shy.fault = { kind: 'none' }
      })
      room.set.replace([watched(shy, room.clock, reads), room.source('gateway', 'gateway', { bytesPerSecond: 128 * 1024 })])
      await room.deliver()
      await healing
      const again = reads.find(({ startMs }) => startMs > silentMs)
      expect(again?.startMs ?? Infinity).toBeLessThanOrEqual(silentMs + SUSPECT_MS)
    }),
    { numRuns: Math.min(RUNS, 6) },
  )
})

function firstOf(reads: readonly Read[], tier: Tier): number {
  return Math.min(...reads.filter((read) => read.tier === tier).map(({ startMs }) => startMs))
}
