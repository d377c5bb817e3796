import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { pieceRange, type Artifact } from '../../src/core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { Clock, Hasher, StoredArtifact } from '../../src/core/ports.ts'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { instantHasher, makeArtifact, pieceBytes } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock, settle } from '../fakes/virtual-clock.ts'
import { createAccounts, createMovableSet, type SourceReport } from './bench-room.ts'
import { createPlannedSource, good, network, PIECE_BYTES, spoil, type NetworkPlan, type PlannedSource } from './random-network.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=20000 npx vitest run test/scheduler/invariants.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 200)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 200) })

// Every lane of every source waits on one signal: more than Node thinks proper, and all of them leave.
EventEmitter.defaultMaxListeners = 100

const never = new AbortController().signal

/** What happened in one delivery over one network. */
interface Story {
  readonly artifact: Artifact
  readonly bytes: Uint8Array
  readonly sources: readonly PlannedSource[]
  readonly stored: StoredArtifact
  readonly reports: readonly SourceReport[]
  readonly banned: ReadonlySet<SourceId>
  /** Whose wrong bytes were looked at. */
  readonly caught: ReadonlySet<SourceId>
  /** Pieces that were asked for although they were kept. */
  readonly askedInVain: readonly PieceIndex[]
  /** Sources that were asked after they had left. */
  readonly askedGone: readonly SourceId[]
  readonly kept: readonly { readonly index: PieceIndex; readonly source: SourceId; readonly bytes: number }[]
  /** The value that it was rejected with; undefined when it was delivered. */
  readonly error: unknown
  readonly elapsedMs: number
  /** Sleepers and reads that are still there after it ended. */
  readonly leftOver: number
}

async function play(plan: NetworkPlan, stop?: { readonly atMs: number; readonly reason: unknown }): Promise<Story> {
  const bytes = seededBytes(plan.seed, plan.sizeBytes)
  const artifact = makeArtifact(bytes, PIECE_BYTES)
  const clock = createVirtualClock()
  const stored = await createMemoryStore().open(artifact, never)
  const askedInVain: PieceIndex[] = []
  const askedGone: SourceId[] = []
  const witness = {
    onRead(id: SourceId, range: { readonly start: number; readonly end: number }) {
      const leftAtMs = sources.find((source) => source.id === id)?.plan.leavesAtMs ?? Infinity
      if (clock.monotonicMs() > leftAtMs) askedGone.push(id)
      for (let at = range.start; at < range.end; at += PIECE_BYTES) {
        const piece = toPieceIndex(at / PIECE_BYTES)
        if (stored.stored.has(piece)) askedInVain.push(piece)
      }
    },
  }
  const sources = plan.sources.map((one, order) => createPlannedSource(one, order, { bytes, clock, witness }))
  const set = createMovableSet([])
  const present = (): readonly PlannedSource[] =>
    sources.filter(({ plan: { joinsAtMs, leavesAtMs = Infinity } }) => clock.monotonicMs() >= joinsAtMs && clock.monotonicMs() < leavesAtMs)
  set.replace(present())
  const caught = new Set<SourceId>()
  const hasher = watchedHasher({ artifact, bytes, sources }, { caught, hashMs: plan.hashMs, clock })
  const reputation = createReputation()
  const kept: { index: PieceIndex; source: SourceId; bytes: number }[] = []
  const accounts = createAccounts((piece) => void kept.push(piece))
  const caller = new AbortController()
  const work = deliverPieces(
    { artifact, stored, observer: accounts.observer },
    {
      sources: set,
      policy: deliveryPolicy('cdn-first', undefined, undefined),
      reputation,
      roster: createRoster(clock),
      clock,
      random: createSeededRandom(plan.seed),
      runPeers,
      hasher,
    },
    caller.signal,
  )
  const changes = new AbortController()
  for (const atMs of moments(plan))
    clock.sleep(atMs, changes.signal).then(
      () => set.replace(present()),
      () => undefined,
    )
  if (stop !== undefined)
    clock.sleep(stop.atMs, changes.signal).then(
      () => caller.abort(stop.reason),
      () => undefined,
    )
  let error: unknown
  try {
    await clock.drive(work)
  } catch (thrown) {
    error = thrown
  }
  const elapsedMs = clock.monotonicMs()
  const banned = new Set(sources.map((source) => source.id).filter((id) => reputation.isBanned(id)))
  const seen = new Set(caught)
  changes.abort(new Error('over'))
  // Nobody can stop a hash that is being made, so those may end first; what they say is of no use to anybody.
  await clock.advance(plan.hashMs + 1)
  await settle()
  const leftOver = clock.sleeping + sources.reduce((sum, source) => sum + source.running, 0)
  return {
    artifact,
    bytes,
    sources,
    stored,
    reports: accounts.reports(),
    banned,
    caught: seen,
    askedInVain,
    askedGone,
    kept,
    error,
    elapsedMs,
    leftOver,
  }
}

function moments(plan: NetworkPlan): readonly number[] {
  return [...new Set(plan.sources.flatMap(({ joinsAtMs, leavesAtMs }) => [joinsAtMs, leavesAtMs ?? 0]))].filter((atMs) => atMs > 0)
}

/** Takes its time, and tells by the spoiled byte whose piece it looked at. */
function watchedHasher(
  { artifact, bytes, sources }: Pick<Story, 'artifact' | 'bytes' | 'sources'>,
  { caught, hashMs, clock }: { readonly caught: Set<SourceId>; readonly hashMs: number; readonly clock: Clock },
): Hasher {
  const truth = Array.from({ length: artifact.pieces.count }, (_, at) => pieceBytes(artifact, bytes, toPieceIndex(at)))
  const isFrom = (order: number, piece: Uint8Array): boolean =>
    truth.some(
      (right) =>
        right.length === piece.length &&
        spoil(right[0] ?? 0, order) === piece[0] &&
        right.every((byte, at) => at === 0 || byte === piece[at]),
    )
  return {
    ...instantHasher,
    digest: async (piece) => {
      if (hashMs > 0) await clock.sleep(hashMs, never)
      for (const [order, source] of sources.entries()) if (isFrom(order, piece)) caught.add(source.id)
      return await instantHasher.digest(piece)
    },
  }
}

/** Plays random networks and holds every story to `law`. */
async function always(law: (story: Story) => void | Promise<void>, plans: fc.Arbitrary<NetworkPlan> = network): Promise<void> {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => await law(await play(plan))),
    { numRuns: RUNS },
  )
}

test('whatever the network does, only bytes that the piece list names are kept', async () => {
  await always(async ({ artifact, bytes, stored }) => {
    for (let at = 0; at < artifact.pieces.count; at++) {
      const piece = toPieceIndex(at)
      if (stored.stored.has(piece)) expect(await stored.read(piece, never)).toEqual(pieceBytes(artifact, bytes, piece))
    }
  })
})

test('whatever the network does, a delivery ends well only with every piece kept', async () => {
  await always(({ error, stored }) => {
    expect(error === undefined).toBe(stored.stored.isFull())
  })
})

test('whatever the network does, those whose wrong pieces were seen are banned, and nobody else', async () => {
  await always(({ banned, caught, kept, sources }) => {
    expect([...banned].toSorted()).toEqual([...caught].toSorted())
    const liars = new Set(sources.filter(({ plan }) => plan.behaviour.kind === 'lies').map((source) => source.id))
    expect([...banned].filter((id) => !liars.has(id))).toEqual([])
    expect(kept.every(({ index, source }) => !isSpoiledBy(sources, source, index))).toBe(true)
  })
})

test('whatever the network does, a kept piece is never asked for again', async () => {
  await always(({ askedInVain, kept }) => {
    expect(askedInVain).toEqual([])
    expect(new Set(kept.map((piece) => piece.index)).size).toBe(kept.length)
  })
})

test('whatever the network does, a source that left is not asked any more', async () => {
  await always(({ askedGone }) => {
    expect(askedGone).toEqual([])
  })
})

test('whatever the network does, a delivery settles in time, as delivered or as exhausted, and leaves nothing running', async () => {
  await always(({ error, elapsedMs, leftOver, artifact }) => {
    if (error !== undefined && !(error instanceof DeliveryError && error.code === 'sources-exhausted')) throw error
    expect(elapsedMs).toBeLessThan(70_000 * (artifact.pieces.count + 1))
    expect(leftOver).toBe(0)
  })
})

test('whatever the network does, the reports add up: each kept piece once, under the source that sent it', async () => {
  await always(({ artifact, reports, stored, kept }) => {
    const origins = stored.origins()
    expect(kept.map(({ index, source }): Share => [index, source]).toSorted(byIndex)).toEqual([...origins].toSorted(byIndex))
    expect(new Set(reports.map((report) => report.source)).size).toBe(reports.length)
    for (const report of reports) {
      const pieces = [...origins].filter(([, source]) => source === report.source).map(([piece]) => piece)
      expect(report.verifiedBytes).toBe(pieces.reduce((sum, piece) => sum + lengthOf(artifact, piece), 0))
      expect(report.receivedBytes).toBeGreaterThanOrEqual(report.verifiedBytes)
    }
    expect(reports.reduce((sum, report) => sum + report.verifiedBytes, 0)).toBe(kept.reduce((sum, piece) => sum + piece.bytes, 0))
  })
})

test('one good source that stays is enough, whatever the others do', async () => {
  const plans = fc.tuple(network, good, fc.nat(6)).map(([plan, one, at]) => ({ ...plan, sources: plan.sources.toSpliced(at, 0, one) }))
  await always(({ error, elapsedMs, artifact }) => {
    expect(error).toBeUndefined()
    expect(elapsedMs).toBeLessThan(20_000 * (artifact.pieces.count + 1))
  }, plans)
})

test('whatever the network does, a cancelled delivery ends with the reason itself and lets go of every source', async () => {
  await fc.assert(
    fc.asyncProperty(network, fc.constantFrom(0, 1, 60, 410, 1300, 5000), async (plan, atMs) => {
      const reason = { why: 'the user left' }
      const { error, elapsedMs, leftOver } = await play(plan, { atMs, reason })
      if (elapsedMs > atMs) throw new Error(`it went on for ${elapsedMs - atMs} ms`)
      if (error !== undefined && !(error instanceof DeliveryError)) expect(error).toBe(reason)
      expect(leftOver).toBe(0)
    }),
    { numRuns: RUNS },
  )
})

function isSpoiledBy(sources: readonly PlannedSource[], id: SourceId, piece: PieceIndex): boolean {
  const how = sources.find((source) => source.id === id)?.plan.behaviour
  return how?.kind === 'lies' && (how.pieces[piece % how.pieces.length] ?? true)
}

function lengthOf(artifact: Artifact, piece: PieceIndex): number {
  const { start, end } = pieceRange(artifact, piece)
  return end - start
}

/** A piece and who sent it. */
type Share = readonly [PieceIndex, SourceId]

function byIndex(a: Share, b: Share): number {
  return a[0] - b[0]
}
