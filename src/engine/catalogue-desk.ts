import { nowSeconds } from '../core/clock.ts'
import { DeliveryError, failureOf, HANDLING, type Failure } from '../core/errors.ts'
import type { Catalogue } from '../core/manifest/catalogue.ts'
import { acceptCatalogue, isFromFuture, isRefreshDue, judgeFreshness, type CatalogueFloor } from '../core/manifest/freshness.ts'
import { toSourceId, type Sha256, type SourceId } from '../core/model/ids.ts'
import { deliveryPolicy } from '../core/plan/policy.ts'
import type { CatalogueSource } from '../core/ports.ts'
import type { SignatureVerdict } from '../core/verify/identity-policy.ts'
import type { TrustState } from '../core/verify/trust-chain.ts'
import { vouchForCatalogue } from '../core/verify/vouch.ts'
import type { CatalogueFacts } from '../core/wire/delivery-event.ts'
import { collectCatalogues } from '../scheduler/fetch-catalogue.ts'
import { catalogueKey, floorKey, isKeptReset, isOutrun, isReset, loadFloor, mendFloor, readFloor, readKeptFile } from './catalogue-floor.ts'
import type { EngineParts } from './parts.ts'
import { openTask } from './task.ts'
import type { TrustRound } from './trust-desk.ts'

/** A catalogue whose signature was verified here, and which did not go back in time. */
export interface AcceptedCatalogue {
  readonly catalogue: Catalogue
  /** The file as served: what a peer is given. */
  readonly file: Uint8Array
  readonly payloadSha256: Sha256
  readonly verdict: SignatureVerdict
  readonly source: SourceId
  /** Whom we trusted when it was accepted. */
  readonly under: TrustState
}

export interface CatalogueAnswer extends AcceptedCatalogue {
  /** `expired`: only a digest that the page pinned may still be asked for. `pinned`: ahead of the clock, and not accepted: for that digest alone. */
  readonly freshness: 'fresh' | 'stale' | 'expired' | 'pinned'
  /** By this machine, when it was judged. */
  readonly nowSeconds: number
  /** The signed version is a time that this machine's clock has yet to see. */
  readonly isClockSuspect: boolean
}

export interface CatalogueQuestion {
  /** A digest is asked for: it is looked up in a catalogue that is ahead of the clock too, since the page and not the catalogue vouches for it. */
  readonly isPinned: boolean
  /** Hears of each source whose catalogue was refused, or lags behind another's. */
  readonly tell: (source: SourceId, failure: Failure) => void
}

export interface CatalogueDesk {
  /** @throws {DeliveryError} `catalogue-unavailable`, or the refusal of the catalogue that was offered */
  current(question: CatalogueQuestion, signal: AbortSignal): Promise<CatalogueAnswer>
  /** The newest accepted one of this or an earlier visit, without asking anybody. */
  recall(signal: AbortSignal): Promise<AcceptedCatalogue | undefined>
}

/** Plain URLs that stand for artifacts, where a service worker can read them before any catalogue is verified: it only asks, it does not believe. One record for each repository. */
export const ALIASES_KEY = 'aliases'
const KEPT = toSourceId('kept')
/** Floor and catalogue are written together, by one tab at a time. */
const CATALOGUE_LOCK = 'sealift-catalogue'

export function createCatalogueDesk(parts: EngineParts, onAccepted: (accepted: AcceptedCatalogue) => void): CatalogueDesk {
  let newest: AcceptedCatalogue | undefined
  /** The highest floor that this tab has met: all that it kept may be cleared under it. */
  let seen: CatalogueFloor | undefined
  const learn = (floor: CatalogueFloor | undefined): void => {
    if (isOutrun(seen, floor)) seen = floor
  }
  /** Where another tab had gone on before the index was cleared, only the second copy of the floor tells. */
  const meetFloor = async (signal: AbortSignal): Promise<void> => {
    learn(newest && floorOf(newest))
    learn(await loadFloor(parts, signal))
    if (isReset(seen, await parts.trust.current(signal))) seen = undefined
    if (isOutrun(newest?.catalogue, seen)) newest = undefined
  }
  const recall = async (signal: AbortSignal): Promise<AcceptedCatalogue | undefined> => {
    const under = await parts.trust.current(signal)
    if (newest === undefined || newest.under !== under || isOutrun(newest.catalogue, await readFloor(parts, signal))) {
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
    async current(question, signal) {
      await meetFloor(signal)
      await recall(signal)
      if (newest !== undefined && !isRefreshDue(newest.catalogue, nowSeconds(parts.clock))) return answer(parts, newest)
      const { best, ahead, failures } = await askAll(parts, { recall, floor: seen, question }, signal)
      if (best !== undefined && best !== newest) await take(best, signal)
      if (question.isPinned && ahead !== undefined && isOutrun(newest?.catalogue, ahead.catalogue))
        return { ...answer(parts, ahead), freshness: 'pinned' }
      if (newest === undefined) throw refusal(failures)
      return answer(parts, newest)
    },
  }
}

function answer(parts: EngineParts, accepted: AcceptedCatalogue): CatalogueAnswer {
  const { catalogue } = accepted
  const now = nowSeconds(parts.clock)
  const judged = { ...accepted, nowSeconds: now, isClockSuspect: isFromFuture(catalogue.version, now) }
  try {
    return { ...judged, freshness: judgeFreshness(catalogue, { nowSeconds: now, maxGraceSeconds: parts.config.maxGraceSeconds }) }
  } catch (error) {
    if (failureOf(error)?.code !== 'catalogue-expired') throw error
    return { ...judged, freshness: 'expired' }
  }
}

/** As a page hears of it. */
export function catalogueFacts({ catalogue, verdict, freshness, source, nowSeconds, isClockSuspect }: CatalogueAnswer): CatalogueFacts {
  const { version, expiresAtSeconds } = catalogue
  return { version, freshness, source, signedBy: verdict, expiresAtSeconds, nowSeconds, isClockSuspect }
}

interface Inquiry {
  readonly recall: CatalogueDesk['recall']
  readonly floor: CatalogueFloor | undefined
  readonly question: CatalogueQuestion
}

interface Findings {
  readonly best: AcceptedCatalogue | undefined
  /** The newest that is good but for being ahead of the clock. It raises no floor, and nothing of it is kept. */
  readonly ahead: AcceptedCatalogue | undefined
  readonly failures: readonly Failure[]
}

async function askAll(parts: EngineParts, { recall, floor, question }: Inquiry, signal: AbortSignal): Promise<Findings> {
  const known = await recall(signal)
  const under = await parts.trust.current(signal)
  const policy = deliveryPolicy(parts.config.preset, parts.config.tiers, known?.catalogue.delivery.tiers)
  const task = openTask(parts, { policy, artifact: undefined })
  const ahead: AcceptedCatalogue[] = []
  const offers: OfferedFile[] = []
  const round: TrustRound = {}
  const job = {
    accept: (file: Uint8Array, source: SourceId) => {
      const offer = { file, source, floor, ahead }
      offers.push(offer)
      return accept(parts, offer, signal)
    },
    beside: (source: CatalogueSource, own: AbortSignal) => parts.trust.follow(source, round, own),
    isNeeded: known === undefined || answer(parts, known).freshness !== 'fresh',
  }
  const haul = await collectCatalogues(job, task.tools, signal).finally(() => task.close())
  for (const [source, failures] of task.troubles)
    for (const failure of failures) if (HANDLING[failure.code].isRefusal) question.tell(source, failure)
  const isChanged = (await parts.trust.current(signal)) !== under
  if (isChanged) ahead.length = 0
  const { offered, failures: refused } = isChanged
    ? await judgeAgain(parts, offers, signal)
    : { offered: haul.accepted.map(({ value }) => value), failures: haul.failures }
  const newest = await recall(signal)
  const best = highest(newest === undefined ? offered : [newest, ...offered])
  const twin = best && compareWith(best, offered, question.tell)
  // Of the one that was accepted before, the other is the lie; of two strangers nobody knows.
  if (twin !== undefined && best !== newest) throw new DeliveryError(twin)
  return { best, ahead: highest(ahead), failures: refused }
}

/** The first of the highest version. */
function highest(catalogues: readonly AcceptedCatalogue[]): AcceptedCatalogue | undefined {
  return catalogues.reduce<AcceptedCatalogue | undefined>(
    (high, one) => (high === undefined || isOutrun(high.catalogue, one.catalogue) ? one : high),
    undefined,
  )
}

/** Names every source that lags behind the best, which harms nobody, or has other bytes under its version: that is handed back. */
function compareWith(
  { catalogue: { version }, payloadSha256: known }: AcceptedCatalogue,
  offered: readonly AcceptedCatalogue[],
  tell: CatalogueQuestion['tell'],
): Failure | undefined {
  let twin: Failure | undefined
  for (const { catalogue, payloadSha256, source } of offered) {
    if (catalogue.version < version) tell(source, { code: 'catalogue-rollback', floor: version, offered: catalogue.version })
    else if (payloadSha256 !== known) {
      twin = { code: 'catalogue-equivocation', version, known, offered: payloadSha256 }
      tell(source, twin)
    }
  }
  return twin
}

interface OfferedFile {
  readonly file: Uint8Array
  readonly source: SourceId
  readonly floor: CatalogueFloor | undefined
  /** Takes what is ahead of the clock, and good but for that. */
  readonly ahead?: AcceptedCatalogue[]
}

/** Trust changed meanwhile: what one source told may speak for or against the catalogue of another. */
async function judgeAgain(
  parts: EngineParts,
  offers: readonly OfferedFile[],
  signal: AbortSignal,
): Promise<{ readonly offered: readonly AcceptedCatalogue[]; readonly failures: readonly Failure[] }> {
  const offered: AcceptedCatalogue[] = []
  const failures: Failure[] = []
  for (const offer of offers) {
    try {
      offered.push(await accept(parts, offer, signal))
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined) throw error
      failures.push(failure)
    }
  }
  return { offered, failures }
}

/** From untrusted bytes to an accepted catalogue: signature first, then its content, then its place in time. */
async function accept(parts: EngineParts, { file, source, floor, ahead }: OfferedFile, signal: AbortSignal): Promise<AcceptedCatalogue> {
  const under = await parts.trust.current(signal)
  const { catalogue, payloadSha256, verdict } = await vouchForCatalogue(file, under.site.catalogue, parts.verifier)
  if (under.denied.includes(payloadSha256)) throw new DeliveryError({ code: 'artifact-denied', sha256: payloadSha256 })
  const denied = [...new Set([...catalogue.denied, ...under.denied])]
  const vouched = { catalogue: { ...catalogue, denied }, file, payloadSha256, verdict, source, under }
  try {
    acceptCatalogue({
      offered: catalogue,
      offeredSha256: payloadSha256,
      floor: isReset(floor, under) ? undefined : floor,
      minimumVersion: Math.max(under.config.minimumVersion, under.reset?.floor ?? 0),
      repository: parts.config.repository,
      nowSeconds: nowSeconds(parts.clock),
    })
  } catch (error) {
    if (failureOf(error)?.code === 'catalogue-future') ahead?.push(vouched)
    throw error
  }
  return vouched
}

/** Given to the verifier at each start, which may remember it: any script of the origin could have written it. */
async function loadKept(parts: EngineParts, signal: AbortSignal): Promise<AcceptedCatalogue | undefined> {
  const file = await readKeptFile(parts, signal)
  if (file === undefined || (await isKeptReset(parts, signal))) return undefined
  try {
    const kept = await accept(parts, { file, source: KEPT, floor: await loadFloor(parts, signal) }, signal)
    await mendFloor(parts, floorOf(kept), signal)
    return kept
  } catch (error) {
    // The site changed its signers, or the copy was altered: it counts for nothing, and a new one is asked for.
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

/**
 * Keeps it, unless another tab was faster with a newer one: then that one.
 * @throws {DeliveryError} `catalogue-equivocation`, when the other tab's has this version and other bytes
 */
async function keepNewest(parts: EngineParts, accepted: AcceptedCatalogue, signal: AbortSignal): Promise<AcceptedCatalogue | undefined> {
  const floor = await loadFloor(parts, signal)
  if (isOutrun(accepted.catalogue, floor)) return await loadKept(parts, signal)
  const { catalogue, payloadSha256 } = accepted
  if (floor?.version === catalogue.version && floor.sha256 !== payloadSha256)
    throw new DeliveryError({ code: 'catalogue-equivocation', version: floor.version, known: floor.sha256, offered: payloadSha256 })
  await keep(parts, accepted, signal)
  return accepted
}

/** In one step: a floor without its catalogue would leave a machine with nothing to go on with in an outage. */
async function keep(parts: EngineParts, accepted: AcceptedCatalogue, signal: AbortSignal): Promise<void> {
  const { catalogue, file } = accepted
  const { repository } = parts.config
  const entries = new Map<string, unknown>([
    [floorKey(parts), floorOf(accepted)],
    [catalogueKey(parts), file],
    [`${ALIASES_KEY}:${repository}`, catalogue.artifacts.flatMap((entry) => entry.aliases)],
  ])
  await parts.memory.records.putAll(entries, signal)
}

function floorOf({ catalogue, payloadSha256, under }: AcceptedCatalogue): CatalogueFloor {
  return { version: catalogue.version, sha256: payloadSha256, trust: under.config.version }
}

/** A catalogue that was there and was refused says more than the sources that were not. */
function refusal(reasons: readonly Failure[]): DeliveryError {
  const told = reasons.find((reason) => HANDLING[reason.code].isRefusal)
  return new DeliveryError(told ?? { code: 'catalogue-unavailable', reasons })
}
