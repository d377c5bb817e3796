import { EventEmitter } from 'node:events'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { toSourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { Source, StoredArtifact, Tier } from '../../src/core/ports.ts'
import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { createArraySource } from '../fakes/array-source.ts'
import { instantHasher, makeArtifact } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createAccounts, createMovableSet } from './bench-room.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=2000 npx vitest run test/scheduler/piece-room.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 40)
const MOST_PIECES = 8
const PIECE_BYTES = 64 * 1024
const PIECES = 60

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 2000) })

// Every lane of every source waits on one signal: more than Node thinks proper, and all of them leave.
EventEmitter.defaultMaxListeners = 200

const never = new AbortController().signal
const bytes = seededBytes(1, PIECES * PIECE_BYTES)
const artifact = makeArtifact(bytes, PIECE_BYTES)

interface Plan {
  readonly seed: number
  /** What the disk takes for each piece. */
  readonly putMs: number
  readonly sources: readonly { readonly tier: Tier; readonly bytesPerSecond: number }[]
}

/** Pieces of which something came, and which are neither kept nor given up, by who sent them. */
class HeldPieces {
  readonly #arriving = new Set<string>()
  readonly #kept = new Set<string>()
  most = 0

  arrives(key: string): void {
    this.#arriving.add(key)
    this.#look()
  }

  /** Whole, or given up. */
  ends(key: string): void {
    this.#arriving.delete(key)
  }

  /** On its way into the store until what is returned is called. */
  isKept(key: string): () => void {
    this.#kept.add(key)
    this.#look()
    return () => void this.#kept.delete(key)
  }

  #look(): void {
    this.most = Math.max(this.most, new Set([...this.#arriving, ...this.#kept]).size)
  }
}

/** Counts a piece from the moment at which the reader comes back from its first chunk, having put it somewhere. */
function counted(source: Source, held: HeldPieces): Source {
  return {
    ...source,
    async *read(blob, range, signal) {
      let at = range.start
      const keyAt = (offset: number): string => `${source.id} ${Math.floor(offset / PIECE_BYTES)}`
      try {
        for await (const chunk of source.read(blob, range, signal)) {
          yield chunk
          held.ends(keyAt(at))
          at += chunk.length
          if (at % PIECE_BYTES !== 0) held.arrives(keyAt(at))
        }
      } finally {
        held.ends(keyAt(at))
      }
    },
  }
}

async function play(plan: Plan): Promise<{ readonly most: number; readonly tookMs: number }> {
  const clock = createVirtualClock()
  const held = new HeldPieces()
  const opened = await createMemoryStore().open(artifact, never)
  const stored: StoredArtifact = {
    stored: opened.stored,
    origins: () => opened.origins(),
    async put(piece, signal) {
      const isOver = held.isKept(`${piece.source} ${piece.index}`)
      await clock.sleep(plan.putMs, signal)
      await opened.put(piece, signal)
      isOver()
    },
    read: (piece, signal) => opened.read(piece, signal),
    forget: (pieces, signal) => opened.forget(pieces, signal),
    close: () => opened.close(),
  }
  const sources = plan.sources.map(({ tier, bytesPerSecond }, at) => {
    const id = toSourceId(tier === 'mesh' ? `peer:${at}` : `${tier}:${at}`)
    const maxRunPieces = tier === 'mesh' ? 1 : 16
    return counted(createArraySource({ id, tier, clock, blobs: [bytes], bytesPerSecond, maxRunPieces, latencyMs: 5 }), held)
  })
  const tools = {
    sources: createMovableSet(sources),
    policy: deliveryPolicy('cdn-first', undefined, undefined),
    reputation: createReputation(),
    roster: createRoster(clock),
    clock,
    random: createSeededRandom(plan.seed),
    runPeers,
    hasher: instantHasher,
    mostPieces: MOST_PIECES,
  }
  await clock.drive(deliverPieces({ artifact, stored, observer: createAccounts().observer }, tools, never))
  return { most: held.most, tookMs: clock.monotonicMs() }
}

const source = fc.record({
  tier: fc.constantFrom<Tier>('cdn', 'gateway', 'mesh'),
  bytesPerSecond: fc.constantFrom(70_000, 300_000, 4_000_000),
})
const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(1000),
  putMs: fc.constantFrom(0, 20, 200),
  sources: fc.oneof(
    fc.array(source, { minLength: 1, maxLength: 16 }),
    fc.array(
      source.map((one) => ({ ...one, tier: 'mesh' as const })),
      { minLength: 8, maxLength: 16 },
    ),
  ),
})

test('I07: whoever sends, and however slow they and the disk are, no more than eight pieces are in memory', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      expect((await play(plan)).most).toBeLessThanOrEqual(MOST_PIECES)
    }),
    { numRuns: RUNS },
  )
})

test('I07: an origin that is faster than the disk is held up', async () => {
  const { most } = await play({ seed: 1, putMs: 200, sources: [{ tier: 'cdn', bytesPerSecond: 4_000_000 }] })
  expect(most).toBe(MOST_PIECES)
})
