import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Catalogue, CatalogueEntry, Origin } from '../../core/manifest/catalogue.ts'
import { parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import type { Clock, SignatureVerifier, Tier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { contentOfBytes } from '../signing/content.ts'
import type { SiteReader } from '../site/site-reader.ts'
import { draftCatalogue } from './draft-catalogue.ts'
import { readEarlierCatalogue, type EarlierCatalogue, type EarlierFile } from './earlier-catalogue.ts'
import { finishDraft, type FinishedDraft } from './finish-draft.ts'
import { isSameRelease } from './publish-artifact.ts'
import type { PublishSigner } from './publish-signer.ts'
import { openRoom, type Room } from './room.ts'
import { withSiteLock } from './site-lock.ts'
import { writeCatalogue } from './write-catalogue.ts'
import type { ListedVersion } from './yank.ts'

/** A version's share of clients. */
export interface Rollout extends ListedVersion {
  /** 0 to 100. */
  readonly percent: number
}

/** What is to be different in the next catalogue. All that is not named stays. */
export interface PromoteOptions {
  /** Folder of the published layout. */
  readonly site: string
  readonly signer?: PublishSigner | undefined
  /** What must accept it. Default: the signer's own policy. */
  readonly trust?: SiteTrust | undefined
  /** Refused when the catalogue is of another. Default: whatever it is of. */
  readonly repository?: string | undefined
  /** Origins that clients shall ask before the others of their tier, by id, in this order. */
  readonly first?: readonly string[] | undefined
  /** Order of tiers; clients whose site says one keep theirs. */
  readonly tiers?: readonly Tier[] | undefined
  readonly rollouts?: readonly Rollout[] | undefined
  /** Begin with what an earlier catalogue said: the one before, or the one of this version. What is denied or yanked since stays so. */
  readonly rollback?: 'previous' | number | undefined
  /** How long clients accept it, from now. Default: as long as the one before was made for, and no new one for that alone. */
  readonly lifetimeSeconds?: number | undefined
  /** How long an outage may stretch its life. Default: as in the one before. */
  readonly graceSeconds?: number | undefined
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
}

/**
 * Signs the catalogue anew with other words about delivery, or with what an earlier one said, under a higher version. No artifact is touched.
 * Written in one step, checked as `publish` checks it.
 * @throws {DeliveryError} `input-invalid` for what is not listed, `publish-conflict`, or why its signatures are refused
 * @example
 * const signer = keySigner(await readSigningKey('keys/signing-key.pem'))
 * const { isNew } = await promote({ site: 'site', signer, first: ['eu'] }, AbortSignal.timeout(60_000))
 * console.log(isNew)
 */
export async function promote(options: PromoteOptions & { readonly signer: PublishSigner }, signal: AbortSignal): Promise<FinishedDraft> {
  const room = openRoom(options)
  return withSiteLock(options.site, async (lock) => {
    const { draft, earlier } = await stage(options, room, signal)
    if (!draft.isNew) return draft
    const bundle = await options.signer.signContent(contentOfBytes(draft.payload), signal)
    await writeCatalogue({ payload: draft.payload, bundles: [bundle], replaces: earlier }, { room, lock }, signal)
    return draft
  })
}

/**
 * As `promote`, to be signed elsewhere and then put in place by `attachCatalogue`.
 * @throws {DeliveryError} as `promote`
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const trust = siteTrust((await readConfig('public/sealift.json', signal)).trust)
 * const { payload } = await preparePromotion({ site: 'site', trust, rollback: 'previous' }, signal)
 * console.log(payload) // to be signed elsewhere, and attached then
 */
export async function preparePromotion(options: PromoteOptions, signal: AbortSignal): Promise<FinishedDraft> {
  return (await stage(options, openRoom(options), signal)).draft
}

interface Staged {
  readonly draft: FinishedDraft
  readonly earlier: EarlierFile
}

async function stage(options: PromoteOptions, room: Room, signal: AbortSignal): Promise<Staged> {
  const { site, repository, first = [], tiers, rollouts = [] } = options
  const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace: false }, signal)
  const { accepted } = earlier
  if (accepted === undefined) throw invalid(site, 'has no catalogue yet: publish first')
  const { catalogue: current } = accepted
  const base = options.rollback === undefined ? current : await earlierContent(accepted, options.rollback, room.reader, signal)
  const startedAtSeconds = nowSeconds(room.clock)
  const next = draftCatalogue({
    earlier: accepted,
    listed: withRollouts(keepYanked(base.artifacts, current.artifacts), rollouts),
    artifacts: [],
    terms: {
      repository: current.repository,
      origins: withFirst(base.origins, first),
      delivery: tiers === undefined ? base.delivery : { ...base.delivery, tiers },
      denied: undefined,
      lifetimeSeconds: options.lifetimeSeconds ?? current.expiresAtSeconds - current.createdAtSeconds,
      refreshSeconds: current.refreshAfterSeconds - current.createdAtSeconds,
      graceSeconds: options.graceSeconds ?? base.graceSeconds,
    },
    isReplacing: false,
    nowSeconds: startedAtSeconds,
  })
  const isRenewal = options.lifetimeSeconds !== undefined
  const draft = await finishDraft(next, { earlier: accepted, published: [], room, nowSeconds: startedAtSeconds, isRenewal }, signal)
  return { draft, earlier }
}

/** Each catalogue names the one before by its digest, so that the signature over the newest vouches for all of them. */
async function earlierContent(
  { catalogue: newest }: EarlierCatalogue,
  wanted: 'previous' | number,
  reader: SiteReader,
  signal: AbortSignal,
): Promise<Catalogue> {
  let at = newest
  for (;;) {
    const { previous } = at
    if (previous === undefined) throw invalid('--rollback', `there is nothing before version ${at.version}`)
    at = parseCatalogue(await readPayload(previous, reader, signal))
    if (wanted === 'previous' || at.version === wanted) return at
    if (at.version < wanted) throw invalid('--rollback', `there is no version ${wanted}; the one before it is ${at.version}`)
  }
}

async function readPayload(
  { version, sha256 }: NonNullable<Catalogue['previous']>,
  reader: SiteReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await reader.readBlob({ sha256, sizeBytes: LIMITS.catalogueBytes }, 'catalogue', signal)
  } catch (error) {
    if (failureOf(error)?.code !== 'blob-unavailable') throw error
    const detail = `catalogue ${version} is not in ${reader.place} any more; look for by-hash/sha256/${sha256} on a mirror`
    throw new DeliveryError({ code: 'input-invalid', path: '--rollback', detail }, { cause: error })
  }
}

/** Nobody is offered again what was taken back since. */
function keepYanked(entries: readonly CatalogueEntry[], current: readonly CatalogueEntry[]): readonly CatalogueEntry[] {
  const isYanked = (entry: CatalogueEntry): boolean => current.some((other) => other.yanked && isSameRelease(other, entry))
  return entries.map((entry) => (isYanked(entry) ? { ...entry, yanked: true } : entry))
}

function withFirst(origins: readonly Origin[], first: readonly string[]): readonly Origin[] {
  const unknown = first.find((id) => !origins.some((origin) => origin.id === id))
  if (unknown !== undefined) {
    const known = origins.map(({ id }) => id).join(', ')
    throw invalid(unknown, `is no origin of the catalogue, which lists ${known === '' ? 'none' : known}`)
  }
  const named = first.flatMap((id) => origins.filter((origin) => origin.id === id))
  return [...new Set([...named, ...origins])]
}

function withRollouts(entries: readonly CatalogueEntry[], rollouts: readonly Rollout[]): readonly CatalogueEntry[] {
  for (const { name, version } of rollouts) {
    if (entries.some((entry) => entry.name === name && entry.version === version)) continue
    const versions = new Set(entries.filter((entry) => entry.name === name).map((entry) => entry.version))
    const known = versions.size === 0 ? 'nothing of that name' : `${name} ${[...versions].slice(-5).join(', ')}`
    throw invalid(`${name}@${version}`, `is not listed; the catalogue has ${known}`)
  }
  return entries.map((entry) => {
    const said = rollouts.findLast(({ name, version }) => entry.name === name && entry.version === version)
    return said === undefined ? entry : { ...entry, rollout: said.percent }
  })
}

function invalid(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
