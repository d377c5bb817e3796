import type { CatalogueEntry } from '../core/manifest/catalogue.ts'
import { isEntryDenied } from '../core/manifest/choose.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import { createReputation } from '../core/plan/reputation.ts'
import type { Clock, Hasher, SignatureVerifier, WindowSources } from '../core/ports.ts'
import type { ListedArtifact, Seedable } from '../core/wire/bridge-message.ts'
import type { ArtifactRequest, CatalogueFacts, DeliveryEvent } from '../core/wire/delivery-event.ts'
import type { SeedNews } from '../core/wire/seed-news.ts'
import { runPeers } from '../scheduler/peers.ts'
import { createRoster } from '../scheduler/roster.ts'
import type { StoreView } from '../stores/store-view.ts'
import type { Memory } from '../stores/volatile-index.ts'
import { createSigstoreVerifier, VERIFIER_RULES } from '../trust/sigstore-verifier.ts'
import { catalogueFacts, createCatalogueDesk, type CatalogueDesk } from './catalogue-desk.ts'
import { deliverArtifact, type Delivered } from './deliver.ts'
import { createLiveArtifacts } from './live-artifacts.ts'
import { artifactLock, type EngineParts, type OtherTabs, type WithLock } from './parts.ts'
import { purgeDenied } from './purge.ts'
import type { TrustGrowth } from './trust-growth.ts'
import { createWithdrawals } from './withdrawals.ts'
import { createSeeds } from './seeds.ts'
import { createSourceHub } from './source-hub.ts'
import { createSourceMemory } from './source-memory.ts'
import { createVerdictMemory, type VerdictMemory } from './verdict-memory.ts'
import { createTrustDesk } from './trust-desk.ts'

/** Finds, fetches, verifies and keeps artifacts. The same in a page's worker and, over HTTP alone, in a service worker. */
export interface Engine {
  deliver(request: ArtifactRequest, emit: (event: DeliveryEvent) => void, signal: AbortSignal): Promise<Delivered>
  list(signal: AbortSignal): Promise<{ readonly catalogue: CatalogueFacts; readonly artifacts: readonly ListedArtifact[] }>
  /** Forgets one kept artifact, or all of them. */
  forget(sha256: Sha256 | undefined, signal: AbortSignal): Promise<void>
  /** Every audit record as one line of JSON, oldest first. */
  audit(signal: AbortSignal): Promise<readonly string[]>
  /** What is kept, wholly or in part, of the artifacts that the catalogue lets peers have, with the documents that go with them. */
  seedable(signal: AbortSignal): Promise<readonly Seedable[]>
  readSeed(sha256: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** What changes of it, as this engine brings it about. Returns what stops it. */
  onSeedNews(listener: (news: SeedNews) => void): () => void
  /** Of these pieces, those that are kept now, whoever fetched them. */
  keptAmong(sha256: Sha256, pieces: readonly PieceIndex[], signal: AbortSignal): Promise<readonly PieceIndex[]>
  /** Takes up again what the newest accepted catalogue says: what it withdrew is deleted, in the background. */
  recall(signal: AbortSignal): Promise<void>
  /** The newest accepted catalogue, as served. */
  catalogueFile(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** An accepted trust update, as served. */
  trustFile(version: number, signal: AbortSignal): Promise<Uint8Array | undefined>
}

export interface EngineOptions {
  readonly config: SiteConfig
  readonly stores: StoreView
  readonly memory: Memory
  readonly clock: Clock
  readonly withLock: WithLock
  readonly otherTabs: OtherTabs
  /** Calls back whenever the network is there again. None in a service worker, which lives for seconds. */
  readonly onOnline?: (listener: () => void) => void
  readonly isSecurePage: boolean
  readonly hasher: Hasher
  readonly windowSources: WindowSources | undefined
  /** None in a service worker: what it would have to load, it may not. */
  readonly growth?: TrustGrowth | undefined
}

/** Finds, fetches, verifies and keeps: all that a service worker needs. */
type Deliverer = Pick<Engine, 'deliver'>

interface Wired extends Deliverer {
  readonly parts: EngineParts
  readonly desk: CatalogueDesk
}

/** The one place that wires adapters to the ports of core. Without `runPeers` HTTP sources alone are asked. */
export function createDeliverer(options: EngineOptions, runPeers?: EngineParts['runPeers']): Wired {
  const { stores, memory, clock, withLock, otherTabs, growth } = options
  const config = growth?.config ?? options.config
  const remembering = createVerdictMemory(createSigstoreVerifier(), { records: memory.records, clock, rules: VERIFIER_RULES })
  // Around the memory, not inside: what passes under the grown roots must not be remembered under the pinned ones.
  const patient = (one: SignatureVerifier): SignatureVerifier => growth?.patient(one) ?? one
  const verifier: VerdictMemory = { ...patient(remembering), under: (denied) => patient(remembering.under(denied)) }
  const withdrawals = createWithdrawals()
  const live = createLiveArtifacts()
  const withdraw = (digests: readonly Sha256[], entries: readonly CatalogueEntry[]): void => {
    const denied = new Set(digests)
    withdrawals.deny(denied)
    // Peers are told at once, before anything is deleted.
    live.noteChange()
    // In the background: it waits for whoever holds a withdrawn artifact, and nobody else shall wait for that.
    void purgeDenied({ stores, memory, withLock }, denied, entries)
  }
  const roster = createRoster(clock)
  options.onOnline?.(() => roster.noteOnline())
  const sourceMemory = createSourceMemory(roster, memory.records, clock)
  void sourceMemory.recall()
  const parts: EngineParts = {
    config,
    stores,
    memory,
    clock,
    withLock,
    otherTabs,
    live,
    hub: createSourceHub(config, options),
    verifier,
    trust: createTrustDesk({ config, memory, verifier, withLock, otherTabs }, (denied) => withdraw(denied, [])),
    hasher: options.hasher,
    reputation: createReputation(),
    roster,
    runPeers,
    random: () => crypto.getRandomValues(new Uint32Array(1)).reduce((_, drawn) => drawn / 2 ** 32, 0),
  }
  const desk = createCatalogueDesk(parts, ({ catalogue }) => withdraw(catalogue.denied, catalogue.artifacts))
  // Another tab has accepted a newer one. Whoever cannot read it now sees it before the next download.
  otherTabs.addEventListener('message', () => void desk.recall(new AbortController().signal).catch(() => undefined))
  return {
    parts,
    desk,
    async deliver(request, emit, signal) {
      const delivered = await deliverArtifact({ parts, desk, emit, withdrawals }, request, signal)
      void sourceMemory.keep()
      return delivered
    },
  }
}

/** What a page's worker needs besides: lists, seeds, audit. */
export function createEngine(options: EngineOptions): Engine {
  const { stores, memory, withLock } = options
  const { parts, desk, deliver } = createDeliverer(options, runPeers)
  const seeds = createSeeds(parts, (signal) => desk.recall(signal))
  return {
    deliver,
    async list(signal) {
      const answer = await desk.current({ isPinned: false, tell: () => undefined }, signal)
      const { catalogue } = answer
      const artifacts = catalogue.artifacts.map((entry): ListedArtifact => ({
        name: entry.name,
        version: entry.version,
        platform: entry.platform,
        channel: entry.channel,
        sizeBytes: entry.artifact.sizeBytes,
        sha256: entry.artifact.sha256,
        isYanked: entry.yanked,
        isDenied: isEntryDenied(catalogue, entry),
        aliases: entry.aliases,
      }))
      return { catalogue: catalogueFacts(answer), artifacts }
    },
    async forget(sha256, signal) {
      const kept = sha256 === undefined ? ((await stores.index?.artifacts.list(signal)) ?? []).map((row) => row.sha256) : [sha256]
      for (const digest of kept) await withLock(artifactLock(digest), () => stores.store.remove(digest, signal), signal)
      parts.live.noteChange()
    },
    audit: async (signal) => (await memory.audit.all(signal)).map((bytes) => new TextDecoder().decode(bytes)),
    seedable: (signal) => seeds.list(signal),
    readSeed: (sha256, piece, signal) => seeds.read({ sha256, piece }, signal),
    onSeedNews: (listener) => parts.live.onNews(listener),
    keptAmong: (sha256, pieces, signal) => stores.lookups.keptAmong(sha256, pieces, signal),
    trustFile: (version, signal) => parts.trust.file(version, signal),
    recall: async (signal) => void (await desk.recall(signal)),
    catalogueFile: async (signal) => (await desk.recall(signal))?.file,
  }
}
