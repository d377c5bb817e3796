import { DeliveryError, failureOf, HANDLING, type Failure } from '../core/errors.ts'
import type { Catalogue } from '../core/manifest/catalogue.ts'
import { acceptCatalogue, isFromFuture, isRefreshDue, judgeFreshness, type CatalogueFloor } from '../core/manifest/freshness.ts'
import { isSha256, toSourceId, type Sha256, type SourceId } from '../core/model/ids.ts'
import { deliveryPolicy } from '../core/plan/policy.ts'
import type { SignatureVerdict } from '../core/verify/identity-policy.ts'
import { siteTrust } from '../core/verify/site-trust.ts'
import { vouchForCatalogue } from '../core/verify/vouch.ts'
import { collectCatalogues } from '../scheduler/fetch-catalogue.ts'
import { nowSeconds, type EngineParts } from './parts.ts'
import { openTask } from './task.ts'

/** A catalogue whose signature was verified here, and which did not go back in time. */
export interface AcceptedCatalogue {
  readonly catalogue: Catalogue
  /** The file as served: what a peer is given. */
  readonly file: Uint8Array
  readonly payloadSha256: Sha256
  readonly verdict: SignatureVerdict
  readonly source: SourceId
}

export interface CatalogueAnswer extends AcceptedCatalogue {
  /** `expired`: only a digest that the page pinned may still be asked for. */
  readonly freshness: 'fresh' | 'stale' | 'expired'
}

export interface CatalogueDesk {
  /** @throws {DeliveryError} `catalogue-unavailable`, or the refusal of the catalogue that was offered */
  current(signal: AbortSignal): Promise<CatalogueAnswer>
  /** The newest accepted one of this or an earlier visit, without asking anybody. */
  recall(signal: AbortSignal): Promise<AcceptedCatalogue | undefined>
}

/** Plain URLs that stand for artifacts, where a service worker can read them before any catalogue is verified: it only asks, it does not believe. One record for each repository. */
export const ALIASES_KEY = 'aliases'
const CATALOGUE_KEY = 'catalogue'
const FLOOR_KEY = 'catalogue-floor'
const KEPT = toSourceId('kept')
/** Floor and catalogue are written together, by one tab at a time. */
const CATALOGUE_LOCK = 'sealift-catalogue'

export function createCatalogueDesk(parts: EngineParts, onAccepted: (accepted: AcceptedCatalogue) => void): CatalogueDesk {
  let newest: AcceptedCatalogue | undefined
  const recall = async (signal: AbortSignal): Promise<AcceptedCatalogue | undefined> => {
    if (newest === undefined || isOutrun(newest, await loadFloor(parts, signal))) {
      newest = await parts.withLock(CATALOGUE_LOCK, () => loadKept(parts, signal), signal)
      // What it denies may have been kept since, or the browser died before all of it was deleted.
      if (newest !== undefined) onAccepted(newest)
    }
    if (newest !== undefined) parts.hub.setOrigins(newest.catalogue.origins)
    return newest
  }
  const take = async (accepted: AcceptedCatalogue, signal: AbortSignal): Promise<void> => {
    newest = await parts.withLock(CATALOGUE_LOCK, () => keepNewest(parts, accepted, signal), signal)
    if (newest === undefined) return
    parts.hub.setOrigins(newest.catalogue.origins)
    onAccepted(newest)
    parts.otherTabs.postMessage('catalogue')
  }
  return {
    recall,
    async current(signal) {
      await recall(signal)
      if (newest !== undefined && !isRefreshDue(newest.catalogue, nowSeconds(parts.clock))) return answer(parts, newest)
      const { best, failures } = await askAll(parts, newest, signal)
      if (best !== undefined && best !== newest) await take(best, signal)
      if (newest === undefined) throw refusal(failures)
      return answer(parts, newest)
    },
  }
}

function answer(parts: EngineParts, accepted: AcceptedCatalogue): CatalogueAnswer {
  // A version is a time in the past. A clock that says less was set back, and must not make an expired catalogue fresh again.
  const now = Math.max(nowSeconds(parts.clock), accepted.catalogue.version)
  const question = { nowSeconds: now, maxGraceSeconds: parts.config.maxGraceSeconds }
  try {
    return { ...accepted, freshness: judgeFreshness(accepted.catalogue, question) }
  } catch (error) {
    if (failureOf(error)?.code !== 'catalogue-expired') throw error
    return { ...accepted, freshness: 'expired' }
  }
}

async function askAll(
  parts: EngineParts,
  newest: AcceptedCatalogue | undefined,
  signal: AbortSignal,
): Promise<{ best: AcceptedCatalogue | undefined; failures: readonly Failure[] }> {
  const floor = await loadFloor(parts, signal)
  const policy = deliveryPolicy(parts.config.preset, parts.config.tiers, newest?.catalogue.delivery.tiers)
  const task = openTask(parts, { policy, artifact: undefined })
  const job = {
    accept: (file: Uint8Array, source: SourceId) => accept(parts, { file, source, floor }),
    isNeeded: newest === undefined || answer(parts, newest).freshness !== 'fresh',
  }
  const haul = await collectCatalogues(job, task.tools, signal).finally(() => task.close())
  const candidates = [...(newest === undefined ? [] : [newest]), ...haul.accepted.map((one) => one.value)]
  const best = candidates.reduce<AcceptedCatalogue | undefined>(
    (high, one) => (high === undefined || one.catalogue.version > high.catalogue.version ? one : high),
    undefined,
  )
  const twin = candidates.find((one) => one.catalogue.version === best?.catalogue.version && one.payloadSha256 !== best.payloadSha256)
  if (best !== undefined && twin !== undefined) {
    throw new DeliveryError({
      code: 'catalogue-equivocation',
      version: best.catalogue.version,
      known: best.payloadSha256,
      offered: twin.payloadSha256,
    })
  }
  return { best, failures: haul.failures }
}

interface OfferedFile {
  readonly file: Uint8Array
  readonly source: SourceId
  readonly floor: CatalogueFloor | undefined
}

/** From untrusted bytes to an accepted catalogue: signature first, then its content, then its place in time. */
async function accept(parts: EngineParts, { file, source, floor }: OfferedFile): Promise<AcceptedCatalogue> {
  const { repository, trust } = parts.config
  const { catalogue, payloadSha256, verdict } = await vouchForCatalogue(file, siteTrust(parts.config.trust).catalogue, parts.verifier)
  const { minimumVersion } = trust
  acceptCatalogue({
    offered: catalogue,
    offeredSha256: payloadSha256,
    floor,
    minimumVersion,
    repository,
    nowSeconds: nowSeconds(parts.clock),
  })
  return { catalogue, file, payloadSha256, verdict, source }
}

/** Re-verified at each start: any script of the origin could have written it. */
async function loadKept(parts: EngineParts, signal: AbortSignal): Promise<AcceptedCatalogue | undefined> {
  const file = await parts.memory.records.get(`${CATALOGUE_KEY}:${parts.config.repository}`, signal)
  if (!(file instanceof Uint8Array)) return undefined
  try {
    return await accept(parts, { file, source: KEPT, floor: await loadFloor(parts, signal) })
  } catch (error) {
    // The site changed its signers, or the copy was altered: it counts for nothing, and a new one is asked for.
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

/** Any script of the origin could have written it: a number that is no time would put every check of a version out of force. */
async function loadFloor(parts: EngineParts, signal: AbortSignal): Promise<CatalogueFloor | undefined> {
  const floor = parseFloor(await parts.memory.records.get(`${FLOOR_KEY}:${parts.config.repository}`, signal))
  if (floor === undefined || !isFromFuture(floor.version, nowSeconds(parts.clock))) return floor
  return (await isSignedInKept(parts, floor, signal)) ? floor : undefined
}

function parseFloor(record: unknown): CatalogueFloor | undefined {
  if (typeof record !== 'object' || record === null || !('version' in record) || !('sha256' in record)) return undefined
  const { version, sha256 } = record
  return typeof version === 'number' && Number.isSafeInteger(version) && version > 0 && isSha256(sha256) ? { version, sha256 } : undefined
}

/** A floor ahead of the clock is nonsense, unless the publisher's signature says that version: then the clock was set back. */
async function isSignedInKept(parts: EngineParts, floor: CatalogueFloor, signal: AbortSignal): Promise<boolean> {
  const file = await parts.memory.records.get(`${CATALOGUE_KEY}:${parts.config.repository}`, signal)
  if (!(file instanceof Uint8Array)) return false
  try {
    const { catalogue, payloadSha256 } = await vouchForCatalogue(file, siteTrust(parts.config.trust).catalogue, parts.verifier)
    return catalogue.version === floor.version && payloadSha256 === floor.sha256
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return false
  }
}

/** Another tab has accepted a newer one. */
function isOutrun({ catalogue }: AcceptedCatalogue, floor: CatalogueFloor | undefined): boolean {
  return floor !== undefined && floor.version > catalogue.version
}

/**
 * Keeps it, unless another tab was faster with a newer one: then that one.
 * @throws {DeliveryError} `catalogue-equivocation`, when the other tab's has this version and other bytes
 */
async function keepNewest(parts: EngineParts, accepted: AcceptedCatalogue, signal: AbortSignal): Promise<AcceptedCatalogue | undefined> {
  const floor = await loadFloor(parts, signal)
  if (isOutrun(accepted, floor)) return await loadKept(parts, signal)
  const { catalogue, payloadSha256 } = accepted
  if (floor?.version === catalogue.version && floor.sha256 !== payloadSha256)
    throw new DeliveryError({ code: 'catalogue-equivocation', version: floor.version, known: floor.sha256, offered: payloadSha256 })
  await keep(parts, accepted, signal)
  return accepted
}

/** In one step: a floor without its catalogue would leave a machine with nothing to go on with in an outage. */
async function keep(parts: EngineParts, { catalogue, file, payloadSha256 }: AcceptedCatalogue, signal: AbortSignal): Promise<void> {
  const { repository } = parts.config
  const floor: CatalogueFloor = { version: catalogue.version, sha256: payloadSha256 }
  const entries = new Map<string, unknown>([
    [`${FLOOR_KEY}:${repository}`, floor],
    [`${CATALOGUE_KEY}:${repository}`, file],
    [`${ALIASES_KEY}:${repository}`, catalogue.artifacts.flatMap((entry) => entry.aliases)],
  ])
  await parts.memory.records.putAll(entries, signal)
}

/** A catalogue that was there and was refused says more than the sources that were not. */
function refusal(reasons: readonly Failure[]): DeliveryError {
  const told = reasons.find((reason) => HANDLING[reason.code].isRefusal)
  return new DeliveryError(told ?? { code: 'catalogue-unavailable', reasons })
}
