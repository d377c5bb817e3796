import { parseAuditRecord } from '../../src/core/audit/parse-audit-record.ts'
import type { AuditRecord } from '../../src/core/audit/record.ts'
import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import type { CatalogueSource, Clock, Tier, WindowSources } from '../../src/core/ports.ts'
import type { ArtifactRequest, DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import { createEngine, type Engine } from '../../src/engine/compose.ts'
import type { Delivered } from '../../src/engine/deliver.ts'
import type { OtherTabs, WithLock } from '../../src/engine/parts.ts'
import { growTrust, type LoadTrustRefresher } from '../../src/engine/trust-growth.ts'
import { createScriptHasher } from '../../src/engine/script-hasher.ts'
import type { Records } from '../../src/stores/index-values.ts'
import { composeStoreView, type StoreView } from '../../src/stores/store-view.ts'
import { createTwinRecords } from '../../src/stores/twin-records.ts'
import { createArraySource, type ArraySource, type ArraySourceOptions } from '../fakes/array-source.ts'
import { createMemoryFiles, type MemoryFiles } from '../fakes/memory-files.ts'
import { createMemoryIndex, type MemoryIndex } from '../fakes/memory-index.ts'
import { createProcessLocks, watchLocks } from '../fakes/process-lock.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { REPOSITORY_NAME, type Publisher } from './publisher.ts'

export const never = new AbortController().signal
export const LATEST: ArtifactRequest = { kind: 'name', name: 'edge-agent', version: undefined, platform: undefined, channel: undefined }

/** A place that serves a site, and what it is asked for. */
export interface Mirror extends ArraySource {
  catalogue: Uint8Array | Failure
  /** Trust updates that it has, by number, and the numbers that it was asked for. */
  readonly updates: Map<number, Uint8Array>
  readonly askedUpdates: number[]
  readonly catalogueReads: number
}

export interface MirrorOptions extends Partial<Pick<ArraySourceOptions, 'blobs' | 'bytesPerSecond' | 'maxRunPieces' | 'latencyMs'>> {
  readonly catalogue?: Uint8Array | undefined
  readonly tier?: Tier
}

export function createMirror(id: string, options: MirrorOptions): Mirror & CatalogueSource {
  const { catalogue, tier = 'cdn', blobs = [], ...rest } = options
  // Only a peer says beforehand what it has.
  const offers = tier === 'mesh' ? {} : { isOffered: () => true }
  const source = createArraySource({ id: toSourceId(id), tier, clock: systemClock, blobs, ...offers, ...rest })
  let reads = 0
  const mirror = {
    catalogue: catalogue ?? { code: 'source-missing' as const, source: source.id },
    updates: new Map<number, Uint8Array>(),
    askedUpdates: [] as number[],
    async readTrustUpdate(this: Mirror, version: number, signal: AbortSignal): Promise<Uint8Array> {
      signal.throwIfAborted()
      this.askedUpdates.push(version)
      const served = this.updates.get(version)
      if (served === undefined) throw new DeliveryError({ code: 'source-missing', source: source.id })
      return served
    },
    async readCatalogue(this: Mirror, limitBytes: number, signal: AbortSignal): Promise<Uint8Array> {
      reads++
      signal.throwIfAborted()
      const served = this.catalogue
      if (!(served instanceof Uint8Array)) throw new DeliveryError(served)
      if (served.length > limitBytes) throw new DeliveryError({ code: 'format-oversized', document: 'catalogue', limitBytes })
      return served
    },
  }
  const whole = Object.assign(source, mirror)
  return Object.defineProperty(whole, 'catalogueReads', { get: () => reads }) as typeof whole & Mirror
}

/** One browser of one person: what it keeps outlives its engines. */
export interface Machine {
  readonly index: MemoryIndex
  /** The second place of its floors. */
  readonly files: MemoryFiles
  readonly stores: StoreView
  /** The date that its owner sees, on the timers that the machine was made with. */
  readonly clock: Clock & { nowSeconds: number }
  /** The locks that its tabs share. */
  readonly withLock: WithLock
  /** Resolves when its tabs have read, kept and deleted what they were told to. */
  idle(): Promise<void>
  /** A tab: an engine of its own over what the machine keeps. */
  start(mirrors: readonly (Mirror & CatalogueSource)[], over?: Partial<SiteConfig>, load?: LoadTrustRefresher, locks?: WithLock): Engine
}

export function createMachine(publisher: Pick<Publisher, 'nowSeconds' | 'trust'>, timers: Clock = systemClock): Machine {
  const clock = {
    ...timers,
    nowSeconds: publisher.nowSeconds + 120,
    nowMs(this: { readonly nowSeconds: number }): number {
      return this.nowSeconds * 1000
    },
  }
  const index = createMemoryIndex()
  const files = createMemoryFiles()
  const stores = composeStoreView({ index, files: undefined, clock })
  const memory = { ...index, records: createTwinRecords(asItIs(index), files) }
  const { withLock, idle } = watchLocks(createProcessLocks())
  const tabs = createTabs()
  return {
    index,
    files,
    stores,
    clock,
    withLock,
    idle,
    start: (mirrors, over = {}, load, locks = withLock) => {
      const config = { ...configOf(publisher), ...over }
      return createEngine({
        config,
        growth: growTrust({ config, records: index.records, clock, load }, never),
        stores,
        memory,
        clock,
        withLock: locks,
        otherTabs: tabs.open(),
        isSecurePage: false,
        windowSources: windowOf(mirrors),
        hasher: createScriptHasher(),
      })
    },
  }
}

/** Whatever a test puts in place of one of its calls later. */
function asItIs({ records }: MemoryIndex): Records {
  return {
    get: (...given) => records.get(...given),
    put: (...given) => records.put(...given),
    putAll: (...given) => records.putAll(...given),
    remove: (...given) => records.remove(...given),
    keys: (...given) => records.keys(...given),
  }
}

export function configOf({ trust }: Pick<Publisher, 'trust'>): SiteConfig {
  return {
    schema: 1,
    repository: REPOSITORY_NAME,
    origins: [],
    gateways: [],
    preset: 'cdn-first',
    tiers: undefined,
    mesh: {
      mode: 'off',
      signaling: [],
      ticketUrl: undefined,
      iceServers: [],
    },
    trust,
    maxGraceSeconds: 7 * 86400,
  }
}

/** Tabs of one browser hear each other, and never themselves. */
function createTabs() {
  const listeners: (() => void)[] = []
  return {
    open(): OtherTabs {
      let own: (() => void) | undefined
      return {
        postMessage: () => listeners.filter((listener) => listener !== own).forEach((listener) => queueMicrotask(listener)),
        addEventListener(_type, listener) {
          own = listener
          listeners.push(listener)
        },
      }
    },
  }
}

function windowOf(mirrors: readonly (Mirror & CatalogueSource)[]): WindowSources {
  return {
    current: () => mirrors,
    catalogues: () => mirrors,
    onChange: () => () => undefined,
    setNeeds: () => undefined,
    ban: () => undefined,
    isGrowing: () => false,
  }
}

/** A download as a page sees it. */
export async function deliver(
  engine: Engine,
  request: ArtifactRequest = LATEST,
  signal = never,
): Promise<Delivered & { readonly events: readonly DeliveryEvent[] }> {
  const events: DeliveryEvent[] = []
  return { ...(await engine.deliver(request, (event) => void events.push(event), signal)), events }
}

/** Why a download was not delivered. */
export async function failureOfDelivery(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    if (error instanceof DeliveryError) return error.failure
    throw error
  }
  throw new Error('it was delivered')
}

export async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer())
}

export async function auditOf(engine: Engine): Promise<readonly AuditRecord[]> {
  return (await engine.audit(never)).map((line) => parseAuditRecord(new TextEncoder().encode(line)))
}

/** Nothing of an artifact is kept, nor a word that it was verified. */
export async function isForgotten(machine: Machine, sha256: Sha256): Promise<boolean> {
  return machine.index.keptPieces(sha256) === 0 && (await machine.stores.lookups.findVerified(sha256, never)) === undefined
}
