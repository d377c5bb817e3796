import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { AuditRecord } from '../../core/audit/record.ts'
import { parseAuditRecord } from '../../core/audit/parse-audit-record.ts'
import { nowSeconds } from '../../core/clock.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import type { Clock } from '../../core/ports.ts'
import type { ArtifactFacts, ArtifactRequest, DeliveredArtifact, DeliveryEvent } from '../../core/wire/delivery-event.ts'
import { catalogueKey, floorKey } from '../../engine/catalogue-floor.ts'
import { createDeliverer } from '../../engine/compose.ts'
import type { WithLock } from '../../engine/parts.ts'
import { growTrust, type LoadTrustRefresher } from '../../engine/trust-growth.ts'
import type { AuditLog, Records } from '../../stores/index-values.ts'
import type { StoreView } from '../../stores/store-view.ts'
import { createVolatileMemory, type Memory } from '../../stores/volatile-index.ts'
import { follow } from '../../tuf/follow.ts'
import { recallTrustedRoot, updateTrustedRoot } from '../../tuf/refresh.ts'
import { isWebUrl } from '../site/document.ts'
import { systemClock } from '../system-clock.ts'
import { askFirst } from './ask-first.ts'
import { openAuditFile } from './audit-file.ts'
import { createKeptRecords, type KeptRecords } from './kept-records.ts'
import { nodeHasher } from './node-hasher.ts'
import { configForDownload, loadSiteConfig, type AddedPlaces } from './site-config.ts'
import { readOutput } from './target.ts'
import { createTargetStore, type TargetStore } from './target-store.ts'
import { inTurn } from './turns.ts'

export interface GetOptions {
  readonly request: ArtifactRequest
  /** `sealift.json`: a file or a URL. */
  readonly config: string
  /** Places to ask besides those of the configuration, and before them. */
  readonly added: AddedPlaces
  /** A folder or a file. Default: this folder. */
  readonly out: string | undefined
  /** Replaces what else stands under the name. */
  readonly force: boolean
  /** Folder for what outlives a run: the newest catalogue, above all. */
  readonly stateDir: string
  /** File that the audit record is added to. */
  readonly audit: string | undefined
  readonly onEvent: (event: DeliveryEvent) => void
  readonly clock?: Clock | undefined
}

export interface GetReport {
  readonly artifact: ArtifactFacts
  /** Absolute path. */
  readonly file: string
  /** It stood there before, with these very bytes. */
  readonly isAlreadyThere: boolean
  /** The portal gave no usable answer, and a copy of its configuration was used. */
  readonly isConfigCopy: boolean
  readonly record: AuditRecord
}

/**
 * Does what a page does for a download, on a machine without a browser, by the same engine: over HTTP alone, since peers are browsers.
 * @throws {DeliveryError} any. What was verified by then stays beside the file for the next run, unless it was refused
 */
export async function getArtifact(options: GetOptions, signal: AbortSignal): Promise<GetReport> {
  const { clock = systemClock, force, stateDir } = options
  const output = await readOutput(options.out)
  const audit = options.audit === undefined ? undefined : await openAuditFile(options.audit)
  const site = join(stateDir, await siteName(options.config))
  const records = createKeptRecords(site, clock)
  const target = createTargetStore({ output, force, clock })
  const life = new AbortController()
  try {
    const loaded = await loadSiteConfig({ place: options.config, records, clock }, signal)
    const config = configForDownload(loaded.config, options.config, options.added)
    const room: Room = { config, target, records, audit, locks: createLocks({ site, audit: options.audit, clock }), clock }
    const { artifact, record } = await deliver({ ...room, life: life.signal }, options, signal)
    signal.throwIfAborted()
    const file = await target.finish()
    return { artifact, file, isAlreadyThere: target.isAlreadyThere, isConfigCopy: loaded.isCopy, record }
  } finally {
    life.abort(new DOMException('The download is over.', 'AbortError'))
    await records.idle()
    await target.release()
  }
}

async function deliver(
  room: Room & { readonly life: AbortSignal },
  { request, onEvent }: GetOptions,
  signal: AbortSignal,
): Promise<DeliveredArtifact> {
  const { config, records, clock } = room
  const keys = { catalogue: catalogueKey({ config }), floor: floorKey({ config }) }
  return await askFirst(
    { records, keys, nowSeconds: nowSeconds(clock) },
    (seen) => composeEngine(room, seen, room.life).deliver(request, onEvent, signal),
    signal,
  )
}

/** What one site keeps is apart from what another does, even if both give themselves the same name. */
async function siteName(config: string): Promise<string> {
  const place = isWebUrl(config) ? config : await realpath(config).catch(() => config)
  return createHash('sha256').update(place).digest('hex').slice(0, 16)
}

interface Room {
  readonly config: SiteConfig
  readonly target: TargetStore
  readonly records: KeptRecords
  readonly audit: AuditLog | undefined
  readonly locks: WithLock
  readonly clock: Clock
}

function composeEngine(
  { config, target, audit, locks, clock }: Room,
  records: Records,
  signal: AbortSignal,
): ReturnType<typeof createDeliverer> {
  const volatile = createVolatileMemory()
  const memory: Memory = { ...volatile, records, audit: audit === undefined ? volatile.audit : withoutFound(audit, target) }
  return createDeliverer({
    config,
    stores: storeViewOf(target, memory),
    memory,
    clock,
    withLock: locks,
    // Other processes leave their word in the records, which are read anew each time.
    otherTabs: { postMessage: () => undefined, addEventListener: () => undefined },
    isSecurePage: false,
    windowSources: undefined,
    hasher: nodeHasher,
    growth: growTrust({ config, records, clock, load: async () => trustRefresher(locks, clock) }, signal),
  })
}

function storeViewOf(target: TargetStore, memory: Memory): StoreView {
  return {
    capabilities: { opfs: 'write', indexedDb: false },
    store: target,
    lookups: {
      findVerified: async () => undefined,
      listVerified: async () => [],
      listAll: async () => [],
      listKept: async () => new Map(),
      keptAmong: async () => [],
      readPiece: async () => {
        throw new RangeError('expected no peer to ask for a piece')
      },
    },
    index: undefined,
    memory,
    close: () => undefined,
  }
}

/** A file that stood there already was looked at, and not delivered: who served it once, nobody knows. */
function withoutFound(audit: AuditLog, target: TargetStore): AuditLog {
  return {
    ...audit,
    append: async (bytes, signal) => {
      if (target.isAlreadyThere && parseAuditRecord(bytes).outcome.kind === 'delivered') return
      await audit.append(bytes, signal)
    },
  }
}

/** The engine's locks hold over all processes that share what they guard. The artifact's own is that of its target, and held by then. */
function createLocks({
  site,
  audit,
  clock,
}: {
  readonly site: string
  readonly audit: string | undefined
  readonly clock: Clock
}): WithLock {
  return async (name, work, signal) => {
    if (name.startsWith('sealift-artifact:')) return await work()
    if (name !== 'sealift-audit') return await inTurn({ path: join(site, `.${name}.lock`), clock }, work, signal)
    if (audit === undefined) return await work()
    return await inTurn({ path: join(dirname(audit), '.sealift-audit.lock'), clock }, work, signal)
  }
}

function trustRefresher(locks: WithLock, clock: Clock): Awaited<ReturnType<LoadTrustRefresher>> {
  return {
    async followTrustedRoot(options, onRoot, signal) {
      const now = (): number => nowSeconds(clock)
      const refresh = () => locks('sealift-trust-refresh', () => updateTrustedRoot(options, now, signal), signal)
      await follow({ recall: () => recallTrustedRoot(options, signal), refresh, nowSeconds: now }, onRoot)
    },
  }
}
