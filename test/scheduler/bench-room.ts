import { deliverPieces } from '../../src/scheduler/delivery.ts'
import { runPeers } from '../../src/scheduler/peers.ts'
import { createRoster, type Roster } from '../../src/scheduler/roster.ts'
import type { Failure } from '../../src/core/errors.ts'
import type { Artifact, Priority } from '../../src/core/model/artifact.ts'
import { toSourceId, type PieceIndex, type SourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation, type Reputation } from '../../src/core/plan/reputation.ts'
import type { Source, SourceSet, Store, StoredArtifact, Tier } from '../../src/core/ports.ts'
import type { DeliveryObserver } from '../../src/scheduler/observer.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { createArraySource, type ArraySource, type ArraySourceOptions } from '../fakes/array-source.ts'
import { instantHasher, makeArtifact } from '../fakes/make-artifact.ts'
import { createSeededRandom, seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../fakes/virtual-clock.ts'

/** Sources that come and go when a test says so. */
export interface MovableSet extends SourceSet {
  replace(sources: readonly Source[]): void
  readonly wanted: ReadonlySet<Tier>
  growing: boolean
}

export function createMovableSet(initial: readonly Source[]): MovableSet {
  let sources = initial
  const listeners = new Set<() => void>()
  const wanted = new Set<Tier>()
  return {
    wanted,
    growing: false,
    current: () => sources,
    catalogues: () => [],
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    want: (tier) => void wanted.add(tier),
    isGrowing() {
      return this.growing
    },
    replace(next) {
      sources = next
      for (const listener of listeners) listener()
    },
  }
}

/** Each piece takes the disk so long. */
function onSlowDisk(opened: StoredArtifact, clock: VirtualClock, putMs: number): StoredArtifact {
  return {
    stored: opened.stored,
    origins: () => opened.origins(),
    put: async (piece, signal) => {
      await clock.sleep(putMs, signal)
      await opened.put(piece, signal)
    },
    read: (piece, signal) => opened.read(piece, signal),
    forget: (pieces, signal) => opened.forget(pieces, signal),
    close: () => opened.close(),
  }
}

/** What each source did in a delivery. */
export interface SourceReport {
  readonly source: SourceId
  verifiedBytes: number
  receivedBytes: number
  readonly failures: Failure[]
}

/** An observer that keeps account of each source. */
export function createAccounts(onPiece: DeliveryObserver['onPiece'] = () => undefined): {
  readonly observer: DeliveryObserver
  readonly reports: () => readonly SourceReport[]
} {
  const accounts = new Map<SourceId, SourceReport>()
  const of = (source: SourceId): SourceReport => {
    const account = accounts.get(source) ?? { source, verifiedBytes: 0, receivedBytes: 0, failures: [] }
    accounts.set(source, account)
    return account
  }
  return {
    observer: {
      onPiece(piece) {
        of(piece.source).verifiedBytes += piece.bytes
        onPiece(piece)
      },
      onReceived: ({ source, bytes }) => void (of(source).receivedBytes += bytes),
      onTrouble: ({ source, failure }) => void of(source).failures.push(failure),
    },
    reports: () => [...accounts.values()],
  }
}

/** One artifact, its sources, a store and a clock: what every delivery test needs. */
export interface Room {
  readonly bytes: Uint8Array
  readonly artifact: Artifact
  readonly clock: VirtualClock
  readonly store: Store
  readonly reputation: Reputation
  readonly roster: Roster
  readonly delivered: {
    readonly index: PieceIndex
    readonly source: SourceId
    readonly atMs: number
  }[]
  readonly set: MovableSet
  source(id: string, tier: Tier, over?: Partial<ArraySourceOptions>): ArraySource
  deliver(signal?: AbortSignal): Promise<{ readonly stored: StoredArtifact; readonly reports: readonly SourceReport[] }>
}

export function createRoom(
  options: {
    readonly sizeBytes?: number
    readonly pieceBytes?: number
    readonly seed?: number
    /** What the disk takes for each piece. Default 0. */
    readonly putMs?: number
    readonly priority?: Priority
    /** Default: one of its own. */
    readonly clock?: VirtualClock
    /** Default: one of its own. */
    readonly roster?: (clock: VirtualClock) => Roster
  } = {},
): Room {
  const { sizeBytes = 16 * 64 * 1024, pieceBytes = 64 * 1024, seed = 1, putMs = 0 } = options
  const bytes = seededBytes(seed, sizeBytes)
  const artifact = { ...makeArtifact(bytes, pieceBytes), priority: options.priority ?? ('normal' as const) }
  const clock = options.clock ?? createVirtualClock()
  const store = createMemoryStore()
  const reputation = createReputation()
  const roster = options.roster?.(clock) ?? createRoster(clock)
  const set = createMovableSet([])
  const delivered: { index: PieceIndex; source: SourceId; atMs: number }[] = []
  const random = createSeededRandom(seed)
  return {
    bytes,
    artifact,
    clock,
    store,
    reputation,
    roster,
    delivered,
    set,
    source: (id, tier, over = {}) => createArraySource({ id: toSourceId(id), tier, clock, blobs: [bytes], ...over }),
    async deliver(signal = new AbortController().signal) {
      const opened = await store.open(artifact, signal)
      const stored = putMs === 0 ? opened : onSlowDisk(opened, clock, putMs)
      const accounts = createAccounts(({ index, source }) => void delivered.push({ index, source, atMs: clock.monotonicMs() }))
      const work = deliverPieces(
        { artifact, stored, observer: accounts.observer },
        {
          sources: set,
          policy: deliveryPolicy('cdn-first', undefined, undefined),
          reputation,
          roster,
          clock,
          random,
          runPeers,
          hasher: instantHasher,
        },
        signal,
      )
      await clock.drive(work)
      return { stored, reports: accounts.reports() }
    },
  }
}
