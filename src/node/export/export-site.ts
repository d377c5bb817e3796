import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry, Origin } from '../../core/manifest/catalogue.ts'
import { withdrawnArtifacts } from '../../core/manifest/choose.ts'
import { DEFAULT_MAX_GRACE_SECONDS } from '../../core/manifest/parse-site-config.ts'
import type { Artifact } from '../../core/model/artifact.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import { deliveryPolicy } from '../../core/plan/policy.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { vouchForArtifact } from '../../core/verify/vouch.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { writeFileDurably } from '../durable-file.ts'
import { createCutter } from '../publish/cut.ts'
import { cutPublished, readPublished, requireBytes } from '../site/published-artifact.ts'
import { blobPath, readSiteIn, type SiteReader } from '../site/site-reader.ts'
import { systemClock } from '../system-clock.ts'
import { findCatalogue, type FoundCatalogue } from '../verify/find-catalogue.ts'
import { chooseExports, requireExports, type ExportWish, type NamedEntry } from './choose-exports.ts'
import { renderMetalink } from './metalink.ts'
import { renderTorrent } from './torrent.ts'
import { MODE, removeExports, SUMS_FILE, writeSums } from './withdraw.ts'

/** A place that serves the published layout. */
export type ExportPlace = Pick<Origin, 'tier' | 'url'>

export interface ExportOptions {
  /** Folder of the published layout. Every byte of what is exported is read there. */
  readonly site: string
  /** Folder for the files; made when it is missing. */
  readonly out: string
  readonly trust: SiteTrust
  /** Default: all that is listed. */
  readonly wish?: ExportWish | undefined
  /** Named before those of the same tier that the catalogue names. */
  readonly places?: readonly ExportPlace[] | undefined
  /** Announce URL of a private tracker. Undefined: torrents have web seeds only. */
  readonly tracker?: string | undefined
  readonly repository?: string | undefined
  /** What trust updates deny. Default: nothing. */
  readonly denied?: readonly Sha256[] | undefined
  /** Lowest catalogue version that is accepted. Default 0. */
  readonly minimumVersion?: number | undefined
  readonly maxGraceSeconds?: number | undefined
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
  /** Told as the bytes of an artifact are read. */
  readonly onProgress?: ((progress: ExportProgress) => void) | undefined
}

export interface ExportProgress {
  readonly entry: CatalogueEntry
  readonly readBytes: number
}

export interface ExportedArtifact {
  readonly entry: CatalogueEntry
  readonly filename: string
  /** Names in the folder. */
  readonly files: readonly string[]
  /** Undefined when there is no torrent: `torrentRefusal` says why. */
  readonly infoHash: string | undefined
  /** `mesh-forbidden`: its publisher does not let peers pass it on. `empty`: it has no piece. */
  readonly torrentRefusal: 'mesh-forbidden' | 'empty' | undefined
}

export interface ExportReport {
  readonly catalogue: Catalogue
  readonly freshness: FoundCatalogue['freshness']
  /** Whole base URLs, best first. */
  readonly places: readonly string[]
  readonly exported: readonly ExportedArtifact[]
  /** Nothing was written of these; files of denied ones that an earlier run wrote are gone. */
  readonly yanked: readonly CatalogueEntry[]
  readonly denied: readonly CatalogueEntry[]
  /** File names that stand for several artifacts of this export: `SHA256SUMS` leaves them out, each `.sha256` has its own. */
  readonly ambiguousFilenames: readonly string[]
}

/**
 * Writes what other download tools read: a Metalink, a torrent and a checksum for each artifact, and all checksums in one file. The catalogue,
 * each manifest, each signature and each byte is verified before the first file of an artifact is written; each file appears whole or not at all.
 * @throws {DeliveryError} `input-invalid` when no place is known that serves the files; what a client would refuse an artifact for
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const { trust } = await readConfig('public/sealift.json', signal)
 * const { exported } = await exportSite({ site: 'site', out: 'export', trust: siteTrust(trust) }, signal)
 * console.log(exported.map(({ filename }) => filename))
 */
export async function exportSite(options: ExportOptions, signal: AbortSignal): Promise<ExportReport> {
  const verifier = options.verifier ?? createSigstoreVerifier()
  const reader = readSiteIn(options.site)
  const found = await acceptCatalogue(options, { reader, verifier }, signal)
  const catalogue = { ...found.catalogue, denied: [...found.catalogue.denied, ...(options.denied ?? [])] }
  const choice = chooseExports(catalogue, options.wish ?? {})
  const { chosen, yanked, denied } = choice
  const kept = new Set(chosen.map(({ stem }) => stem))
  await removeExports(options.out, {
    stems: denied.map(({ stem }) => stem).filter((stem) => !kept.has(stem)),
    digests: withdrawnArtifacts(new Set(catalogue.denied), catalogue.artifacts),
  })
  requireExports(choice)
  const places = orderPlaces(catalogue, options.places ?? [])
  const exported: ExportedArtifact[] = []
  for (const named of chosen) {
    const checked = await checkBytes(named.entry, { options, reader, verifier }, signal)
    signal.throwIfAborted()
    exported.push(await writeFiles(named, checked, { options, catalogue, places }))
  }
  const ambiguousFilenames = await writeAllSums(options.out, exported)
  return {
    catalogue,
    freshness: found.freshness,
    places,
    exported,
    yanked: yanked.map(({ entry }) => entry),
    denied: denied.map(({ entry }) => entry),
    ambiguousFilenames,
  }
}

interface Room {
  readonly options: ExportOptions
  readonly reader: SiteReader
  readonly verifier: SignatureVerifier
}

async function acceptCatalogue(
  options: ExportOptions,
  { reader, verifier }: Omit<Room, 'options'>,
  signal: AbortSignal,
): Promise<FoundCatalogue> {
  const search = {
    sites: [reader],
    policy: options.trust.catalogue,
    verifier,
    repository: options.repository,
    minimumVersion: options.minimumVersion ?? 0,
    maxGraceSeconds: options.maxGraceSeconds ?? DEFAULT_MAX_GRACE_SECONDS,
    nowSeconds: nowSeconds(options.clock ?? systemClock),
  }
  try {
    const found = await findCatalogue(search, signal)
    if (options.denied?.includes(found.payloadSha256) === true)
      throw new DeliveryError({ code: 'artifact-denied', sha256: found.payloadSha256 })
    return found
  } catch (error) {
    const failure = failureOf(error)
    if (failure?.code !== 'catalogue-unavailable' || failure.reasons.length > 0) throw error
    const detail = 'holds no catalogue.json: give the folder that `sealift publish` wrote, or a copy of it'
    throw new DeliveryError({ code: 'input-invalid', path: options.site, detail }, { cause: error })
  }
}

/** Base URLs in the order in which the publisher wants them used. */
function orderPlaces(catalogue: Catalogue, given: readonly ExportPlace[]): readonly string[] {
  const known = [...given, ...catalogue.origins]
  const { tiers } = deliveryPolicy('cdn-first', undefined, catalogue.delivery.tiers)
  const ordered = [...new Set(tiers.flatMap((tier) => known.filter((place) => place.tier === tier).map(({ url }) => url)))]
  if (ordered.length > 0) return ordered
  const detail = 'is needed: the catalogue names no place that serves its files'
  throw new DeliveryError({ code: 'input-invalid', path: '--origin', detail })
}

interface CheckedArtifact {
  readonly artifact: Artifact
  /** SHA-1 of its pieces, of the very bytes that were verified. */
  readonly sha1: Uint8Array
}

async function checkBytes(entry: CatalogueEntry, { options, reader, verifier }: Room, signal: AbortSignal): Promise<CheckedArtifact> {
  const { artifact, bundles } = await readPublished(entry, reader, signal)
  await vouchForArtifact(bundles, { artifact: artifact.sha256, trust: options.trust }, verifier)
  const cutter = createCutter('sha1', artifact.pieces)
  const path = join(options.site, blobPath(artifact.sha256))
  let readBytes = 0
  const onChunk = (chunk: Uint8Array): void => {
    cutter.add(chunk)
    readBytes += chunk.length
    options.onProgress?.({ entry, readBytes })
  }
  requireBytes(artifact, await cutPublished(artifact, { path, onChunk }, signal))
  return { artifact, sha1: cutter.end() }
}

async function writeFiles(
  { entry, stem }: NamedEntry,
  { artifact, sha1 }: CheckedArtifact,
  { options, catalogue, places }: { readonly options: ExportOptions; readonly catalogue: Catalogue; readonly places: readonly string[] },
): Promise<ExportedArtifact> {
  const urls = places.map((place) => new URL(blobPath(artifact.sha256), place).href)
  const { repository, createdAtSeconds } = catalogue
  const torrentRefusal = artifact.pieces.count === 0 ? 'empty' : artifact.isMeshAllowed ? undefined : 'mesh-forbidden'
  const torrent = torrentRefusal === undefined ? renderTorrent(artifact, { hashes: sha1, urls, tracker: options.tracker }) : undefined
  const contents = new Map<string, string | Uint8Array | undefined>([
    [`${stem}.meta4`, renderMetalink(artifact, { repository, updatedAtSeconds: createdAtSeconds, urls })],
    [`${stem}.torrent`, torrent?.bytes],
    [`${stem}.sha256`, sumLine(artifact)],
  ])
  for (const [name, content] of contents) {
    const path = join(options.out, name)
    // One of an earlier run, from when it was allowed.
    if (content === undefined) await rm(path, { force: true })
    else await writeFileDurably(path, content, { mode: MODE })
  }
  const files = [...contents].flatMap(([name, content]) => (content === undefined ? [] : [name]))
  return { entry, filename: artifact.filename, files, infoHash: torrent?.infoHash, torrentRefusal }
}

/** A line for `sha256sum -c`. A file name has neither backslash nor line break, the two that would have to be escaped. */
function sumLine({ sha256, filename }: Pick<Artifact, 'sha256' | 'filename'>): string {
  return `${sha256}  ${filename}\n`
}

/** All checksums in one file. One file name cannot have two: what stands for several artifacts is left out, and returned. */
async function writeAllSums(out: string, exported: readonly ExportedArtifact[]): Promise<readonly string[]> {
  const sums = new Map<string, Set<Sha256>>()
  for (const { filename, entry } of exported) sums.set(filename, (sums.get(filename) ?? new Set()).add(entry.artifact.sha256))
  const lines = [...sums].flatMap(([filename, [sha256, ...others]]) =>
    sha256 === undefined || others.length > 0 ? [] : [sumLine({ sha256, filename })],
  )
  await writeSums(join(out, SUMS_FILE), lines)
  return [...sums].flatMap(([filename, digests]) => (digests.size > 1 ? [filename] : []))
}
