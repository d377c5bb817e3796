import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { parseEnvelope, TRUST_UPDATE } from '../../core/manifest/parse-envelope.ts'
import { parseTrustUpdate } from '../../core/manifest/trust-update.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { vouchForArtifact, type VouchedCatalogue } from '../../core/verify/vouch.ts'
import { errorCode } from '../durable-file.ts'
import { inParallel } from '../in-parallel.ts'
import { cannotRead } from '../input-file.ts'
import { checkPublished } from '../publish/self-check.ts'
import { sha256OfFile } from '../signing/content.ts'
import { readPublished } from '../site/published-artifact.ts'
import { blobPath, trustPath, type SiteReader } from '../site/site-reader.ts'
import { HEALTH, writeSite } from '../site/site-writer.ts'
import { findCatalogue } from '../verify/find-catalogue.ts'
import { digestOf } from './fill-target.ts'
import { outgoingBytes, outgoingFrom } from './outgoing-file.ts'
import type { OutgoingFile, PushTarget } from './push-target.ts'
import { retried, type Retries } from './retries.ts'

/** Whose word counts, as in a client. */
export interface ReleaseTrust {
  readonly trust: SiteTrust
  /** Undefined: of any repository. */
  readonly repository: string | undefined
  readonly minimumVersion: number
  readonly maxGraceSeconds: number
  /** By trust updates; what the catalogue itself denies comes on top. */
  readonly denied: readonly Sha256[]
  /** Number of the newest trust update that is accepted, and of the one pinned before any; undefined where trust does not come from a site. */
  readonly updates: { readonly pinned: number; readonly newest: number } | undefined
  readonly verifier: SignatureVerifier
  readonly clock: Clock
}

/** Where a release is read from. */
export interface ReleasePlace {
  readonly files: PushTarget
  readonly reader: SiteReader
  /** Its folder, where every artifact can be cut and compared with its manifest before anything leaves. */
  readonly folder: string | undefined
  readonly retries: Retries
}

/** All that a mirror has to hold. */
export interface Release {
  readonly vouched: VouchedCatalogue
  /** The one file that changes; it goes last. */
  readonly catalogueFile: OutgoingFile
  /**
   * Trust updates by number. Clients obey one as soon as they see it, and may then refuse the catalogue before: so they go where that one is
   * replaced, and just before it is.
   */
  readonly updates: readonly OutgoingFile[]
  /** The rest, in the order in which it goes: what names something comes after it. */
  readonly stages: readonly (readonly OutgoingFile[])[]
}

const READS_AT_ONCE = 4

/**
 * Verifies a release as a client would, and lists its files. Artifacts of a place that is not a folder are judged by their digests, while
 * they are copied.
 * @throws {DeliveryError} what a client would refuse it for; `input-invalid` when there is no catalogue
 */
export async function readRelease(place: ReleasePlace, by: ReleaseTrust, signal: AbortSignal): Promise<Release> {
  const { reader } = place
  const file = await reader.readCatalogue(signal)
  if (file === undefined) throw new DeliveryError({ code: 'input-invalid', path: reader.place, detail: 'has no catalogue.json' })
  const vouched = await findCatalogue(
    {
      sites: [{ ...reader, readCatalogue: () => Promise.resolve(file) }],
      policy: by.trust.catalogue,
      verifier: by.verifier,
      repository: by.repository,
      minimumVersion: by.minimumVersion,
      maxGraceSeconds: by.maxGraceSeconds,
      nowSeconds: nowSeconds(by.clock),
    },
    signal,
  )
  const listed = offeredEntries(vouched.catalogue, by.denied)
  const entries = await inParallel(listed, READS_AT_ONCE, (entry) => readEntry(entry, place, by, signal))
  const ofCatalogue = [file, vouched.payload].map((bytes) => {
    const { sha256 } = outgoingBytes('', bytes)
    return outgoingBytes(blobPath(sha256), bytes)
  })
  const stages = [
    // First, since it is small: a mirror that takes nothing says so before gigabytes are on their way.
    [outgoingBytes('healthz', Buffer.from(HEALTH))],
    entries.flatMap(({ artifact, lists }) => [artifact, ...lists]),
    entries.flatMap(({ bundles }) => bundles),
    [...entries.map(({ manifest }) => manifest), ...ofCatalogue],
    [...(await aliasesOf(entries, place, signal)), ...(await exportsOf(place, signal))],
  ]
  const updates = await trustUpdatesOf(reader, by, signal)
  return { vouched, catalogueFile: outgoingBytes('catalogue.json', file), updates, stages: withoutTwins(stages) }
}

/** The bytes of what was withdrawn may be gone: no client asks for them. */
function offeredEntries({ artifacts, denied }: Catalogue, deniedByUpdates: readonly Sha256[]): readonly CatalogueEntry[] {
  const withdrawn = new Set([...denied, ...deniedByUpdates])
  return artifacts.filter(({ artifact, manifest }) => !withdrawn.has(artifact.sha256) && !withdrawn.has(manifest.sha256))
}

interface EntryFiles {
  readonly artifact: OutgoingFile
  readonly lists: readonly OutgoingFile[]
  readonly bundles: readonly OutgoingFile[]
  readonly manifest: OutgoingFile
  /** Its readable name, which a place may have or not. */
  readonly alias: OutgoingFile
}

async function readEntry(entry: CatalogueEntry, place: ReleasePlace, by: ReleaseTrust, signal: AbortSignal): Promise<EntryFiles> {
  const { files, reader, folder } = place
  if (folder !== undefined) await checkPublished(entry, { ...by, reader, writer: writeSite(folder) }, signal)
  const { artifact, documents, bundles } = await readPublished(entry, reader, signal)
  if (folder === undefined) await vouchForArtifact(bundles, { artifact: artifact.sha256, trust: by.trust }, by.verifier)
  const signatures = new Set<string>(artifact.bundles.map(({ sha256 }) => sha256))
  const outgoing = documents.map(({ ref }) => outgoingFrom(files, blobPath(ref.sha256), ref))
  const path = blobPath(entry.artifact.sha256)
  return {
    artifact: outgoingFrom(files, path, entry.artifact),
    lists: outgoing.filter(({ sha256 }) => sha256 !== entry.manifest.sha256 && !signatures.has(sha256)),
    bundles: outgoing.filter(({ sha256 }) => signatures.has(sha256)),
    manifest: outgoingFrom(files, blobPath(entry.manifest.sha256), entry.manifest),
    alias: { ...outgoingFrom(files, path, entry.artifact), path: `by-name/${artifact.name}/${artifact.version}/${artifact.filename}` },
  }
}

/** Two platforms may have files of one name: then it is a name of the one whose bytes are there. */
async function aliasesOf(
  entries: readonly EntryFiles[],
  { files, retries }: ReleasePlace,
  signal: AbortSignal,
): Promise<readonly OutgoingFile[]> {
  const meanings = new Map<string, Set<string>>()
  for (const { alias } of entries) meanings.set(alias.path, (meanings.get(alias.path) ?? new Set()).add(alias.sha256))
  const found = await inParallel(entries, READS_AT_ONCE, async ({ alias }) => {
    // Of another size it is none: some servers answer with a page where they have nothing.
    if ((await retried(() => files.sizeOf(alias.path, signal), retries, signal)) !== alias.sizeBytes) return []
    if (meanings.get(alias.path)?.size === 1) return [alias]
    const there = await retried(() => digestOf(files, alias, signal), retries, signal)
    return there?.sha256 === alias.sha256 ? [alias] : []
  })
  return found.flat()
}

/** What `sealift export --into-site` wrote for other tools. Nothing signed names it, so only a folder can tell what there is. */
async function exportsOf({ files, folder }: ReleasePlace, signal: AbortSignal): Promise<readonly OutgoingFile[]> {
  if (folder === undefined) return []
  const entries = await readdir(join(folder, 'exports'), { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return []
    throw cannotRead(join(folder, 'exports'), error)
  })
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map(({ name }) => name)
  return await inParallel(names.toSorted(), READS_AT_ONCE, async (name) => {
    const blob = await sha256OfFile(join(folder, 'exports', name), signal)
    return outgoingFrom(files, `exports/${name}`, blob)
  })
}

/** Those that a client accepts, and those before the pinned one, for clients that pinned an earlier one. */
async function trustUpdatesOf(reader: SiteReader, { updates }: ReleaseTrust, signal: AbortSignal): Promise<readonly OutgoingFile[]> {
  const found: OutgoingFile[] = []
  const read = async (first: number, last: number): Promise<void> => {
    for (let version = first; version <= last; version++) {
      const bytes = await reader.readTrustUpdate(version, signal)
      if (bytes === undefined || !isUpdate(bytes, version)) return
      found.push(outgoingBytes(trustPath(version), bytes))
    }
  }
  await read(1, updates?.newest ?? Number.MAX_SAFE_INTEGER)
  if (found.length === 0 && updates !== undefined) await read(updates.pinned + 1, updates.newest)
  return found
}

/** Whose word it is, clients judge; what is none at all, such as a page where a server has nothing, goes nowhere. */
function isUpdate(bytes: Uint8Array, version: number): boolean {
  try {
    return parseTrustUpdate(parseEnvelope(bytes, TRUST_UPDATE).payload).version === version
  } catch (error) {
    if (error instanceof DeliveryError) return false
    throw error
  }
}

/** Artifacts may share blobs: each goes once, as early as anything needs it. */
function withoutTwins(stages: readonly (readonly OutgoingFile[])[]): readonly (readonly OutgoingFile[])[] {
  const seen = new Set<string>()
  return stages.map((files) => files.filter(({ path }) => !seen.has(path) && seen.add(path)))
}
