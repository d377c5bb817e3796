import { DeliveryError } from '../errors.ts'
import type { Sha256 } from '../model/ids.ts'
import { sha256Of } from '../verify/digest.ts'
import type { Catalogue, CatalogueEntry } from './catalogue.ts'
import { compareVersions } from './version-order.ts'

/** What a page asks for by name. */
export interface ArtifactWish {
  readonly name: string
  /** An exact version. It is given even when yanked, outside its roll-out or of any channel, but never when denied. */
  readonly version?: string | undefined
  readonly platform?: string | undefined
  /** Default: `stable`, and what has no channel. */
  readonly channel?: string | undefined
  /** 0 to 99, of this installation for each release: below an entry's `rollout`, this client is offered it. See `bucketOf`. */
  readonly clientBucket: (entry: CatalogueEntry) => number
}

/**
 * The newest entry that this client may have.
 * A platform that is not asked for must not matter: one file for all, or a single platform.
 * @throws {DeliveryError} `artifact-unknown`, `artifact-denied`, `artifact-ambiguous`
 */
export function chooseEntry(catalogue: Catalogue, wish: ArtifactWish): CatalogueEntry {
  const listed = catalogue.artifacts.filter((entry) => entry.name === wish.name && isWished(entry, wish))
  return chooseAllowed(catalogue, { listed, name: wish.name, version: wish.version, platform: wish.platform })
}

/**
 * The entry whose artifact has this digest, for a page that pinned it. Roll-out and yanking say nothing about it.
 * @throws {DeliveryError} `artifact-unknown`, `artifact-denied`
 */
export function chooseByDigest(catalogue: Catalogue, sha256: Sha256): CatalogueEntry {
  if (isDenied(catalogue, sha256)) throw new DeliveryError({ code: 'artifact-denied', sha256 })
  const listed = catalogue.artifacts.filter((entry) => entry.artifact.sha256 === sha256)
  const allowed = listed.find((entry) => !isEntryDenied(catalogue, entry))
  if (allowed !== undefined) return allowed
  if (listed.length > 0) throw new DeliveryError({ code: 'artifact-denied', sha256 })
  throw new DeliveryError({ code: 'artifact-unknown', name: sha256, version: undefined })
}

/**
 * The entry that a plain URL stands for, or undefined when no entry lists it: then the URL is none of our business.
 * Several versions may list one URL (`…/latest.zip`); the newest that this client is offered counts. When it is offered none,
 * the newest of all counts: whoever has the URL has named the file.
 * @param url absolute; a fragment is ignored
 * @throws {DeliveryError} `artifact-unknown`, `artifact-denied`, `artifact-ambiguous`, when entries list it but none may be had
 */
export function chooseByAlias(
  catalogue: Catalogue,
  url: string,
  wish: Pick<ArtifactWish, 'platform' | 'clientBucket'>,
): CatalogueEntry | undefined {
  const [alias = ''] = url.split('#', 1)
  const claimed = catalogue.artifacts.filter((entry) => entry.aliases.includes(alias))
  if (claimed.length === 0) return undefined
  const fitting = claimed.filter((entry) => fitsPlatform(entry, wish.platform))
  const offered = fitting.filter((entry) => isOffered(entry, wish.clientBucket))
  return chooseAllowed(catalogue, {
    listed: offered.length > 0 ? offered : fitting,
    name: alias,
    version: undefined,
    platform: wish.platform,
  })
}

/**
 * Where an installation stands in the queue for a release, 0 to 99. Each release draws anew, since nobody shall always be the first to get what may
 * be broken; all platforms of one version draw alike, and a growing percentage takes nobody out again.
 * @param seed drawn once for each installation, 0 to below 1
 */
export function bucketOf(seed: number, { name, version }: Pick<CatalogueEntry, 'name' | 'version'>): number {
  return Number.parseInt(sha256Of(new TextEncoder().encode(`${seed} ${name} ${version}`)).slice(0, 8), 16) % 100
}

/** True when the publisher withdrew it: by the digest of the artifact or of its manifest. */
export function isEntryDenied(catalogue: Catalogue, entry: CatalogueEntry): boolean {
  return isDenied(catalogue, entry.artifact.sha256) || isDenied(catalogue, entry.manifest.sha256)
}

/**
 * The artifacts that these digests withdraw, each of an artifact or of a manifest. Bytes that are listed under another manifest too stay,
 * unless their own digest is denied.
 */
export function withdrawnArtifacts(
  denied: ReadonlySet<Sha256>,
  entries: readonly { readonly artifact: { readonly sha256: Sha256 }; readonly manifest: { readonly sha256: Sha256 } }[],
): ReadonlySet<Sha256> {
  const gone = new Set(denied)
  const stay = new Set<Sha256>()
  for (const { artifact, manifest } of entries) (denied.has(manifest.sha256) ? gone : stay).add(artifact.sha256)
  for (const sha256 of stay) if (!denied.has(sha256)) gone.delete(sha256)
  return gone
}

interface Choice {
  readonly listed: readonly CatalogueEntry[]
  readonly name: string
  readonly version: string | undefined
  readonly platform: string | undefined
}

function chooseAllowed(catalogue: Catalogue, choice: Choice): CatalogueEntry {
  const { name, version } = choice
  const [best, ...others] = choice.listed.filter((entry) => !isEntryDenied(catalogue, entry)).sort(newestFirst)
  if (best === undefined) {
    const [withdrawn] = [...choice.listed].sort(newestFirst)
    if (withdrawn !== undefined) throw new DeliveryError({ code: 'artifact-denied', sha256: withdrawn.artifact.sha256 })
    throw new DeliveryError({ code: 'artifact-unknown', name, version })
  }
  requireOneMeaning(choice, [best, ...others])
  return best
}

/**
 * A wish without a platform is ambiguous when another platform's newest version could have been meant, even an older one:
 * a release in the making must not hand one system's file to another.
 */
function requireOneMeaning(choice: Choice, allowed: readonly [CatalogueEntry, ...CatalogueEntry[]]): void {
  const [best] = allowed
  const names = new Set(allowed.map((entry) => entry.name))
  const platforms = new Set(allowed.map((entry) => entry.platform))
  const isPlatformOpen = choice.platform === undefined && best.platform !== undefined && platforms.size > 1
  if (names.size === 1 && !isPlatformOpen) return
  const named = [...platforms].filter((platform) => platform !== undefined).sort()
  throw new DeliveryError({ code: 'artifact-ambiguous', name: choice.name, platforms: named })
}

/** Of one version, the file made for a platform comes before the one that serves all. */
function newestFirst(a: CatalogueEntry, b: CatalogueEntry): number {
  return compareVersions(b.version, a.version) || Number(a.platform === undefined) - Number(b.platform === undefined)
}

function isWished(entry: CatalogueEntry, wish: ArtifactWish): boolean {
  if (!fitsPlatform(entry, wish.platform)) return false
  if (wish.channel !== undefined && entry.channel !== wish.channel) return false
  if (wish.version !== undefined) return entry.version === wish.version
  const isOfChannel = wish.channel !== undefined || entry.channel === undefined || entry.channel === 'stable'
  return isOfChannel && isOffered(entry, wish.clientBucket)
}

function isOffered(entry: CatalogueEntry, clientBucket: ArtifactWish['clientBucket']): boolean {
  return !entry.yanked && (entry.rollout === 100 || clientBucket(entry) < entry.rollout)
}

function fitsPlatform(entry: CatalogueEntry, platform: string | undefined): boolean {
  return platform === undefined || entry.platform === undefined || entry.platform === platform
}

function isDenied(catalogue: Catalogue, sha256: Sha256): boolean {
  return catalogue.denied.includes(sha256)
}
