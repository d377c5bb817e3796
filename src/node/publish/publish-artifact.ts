import { DeliveryError, failureOf } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import type { Manifest, ManifestPieces } from '../../core/manifest/manifest.ts'
import { encodeManifest, parseManifest } from '../../core/manifest/parse-manifest.ts'
import { compareVersions } from '../../core/manifest/version-order.ts'
import type { BlobRef, BundleRef, PieceLayout } from '../../core/model/artifact.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import type { SiteReader } from '../site/site-reader.ts'
import type { SiteWriter } from '../site/site-writer.ts'
import { contentOfFile } from '../signing/content.ts'
import { vouchForArtifact } from '../../core/verify/vouch.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { bundlesOfDigest } from './beside.ts'
import { cutFile, type CutFile } from './cut.ts'
import { readGivenBundles, type KindedBundle } from './given-bundles.ts'
import type { PublishFile } from './publish-file.ts'
import type { PublishSigner } from './publish-signer.ts'

/** What the files of one run have in common. */
export interface PublishRun {
  readonly writer: SiteWriter
  readonly reader: SiteReader
  readonly signer: PublishSigner | undefined
  readonly trust: SiteTrust
  readonly verifier: SignatureVerifier
  /** What the site's catalogue lists so far. */
  readonly earlier: readonly CatalogueEntry[]
  readonly mayReplace: boolean
  readonly pieceLengthBytes: number | undefined
  readonly nowSeconds: number
}

export interface PublishedArtifact {
  readonly entry: CatalogueEntry
  readonly manifest: Manifest
  /** False when the site had it already, with these very properties. */
  readonly isNew: boolean
}

/**
 * Cuts, copies and signs one file, and writes its manifest. Nobody sees it before a catalogue names it.
 * @throws {DeliveryError} `publish-conflict` when this version is published with other bytes, `signature-missing`
 * when nobody signs it, or why a given bundle is refused
 */
export async function publishArtifact(file: PublishFile, run: PublishRun, signal: AbortSignal): Promise<PublishedArtifact> {
  const cut = await cutFile(file.path, { pieceLengthBytes: run.pieceLengthBytes }, signal)
  const given = await readGivenBundles([...file.bundlePaths, ...bundlesOfDigest(file.path, cut.sha256)])
  const known = run.earlier.find((entry) => isSameRelease(entry, file))
  if (known !== undefined && known.artifact.sha256 !== cut.sha256 && !run.mayReplace) {
    const detail = `${file.version} is published already, with other bytes (SHA-256 ${known.artifact.sha256})`
    throw new DeliveryError({ code: 'publish-conflict', name: file.name, detail })
  }
  await run.writer.putFile(file.path, cut, signal)
  const before = known?.artifact.sha256 === cut.sha256 ? known : undefined
  const kept = before === undefined ? undefined : await keptManifest(before, { file, cut, given }, run, signal)
  if (before !== undefined && kept !== undefined) {
    const entry = toEntry(file, { artifact: cut, manifest: before.manifest, yanked: before.yanked })
    return { entry, manifest: kept, isNew: false }
  }
  const manifest: Manifest = {
    schema: 1,
    sha256: cut.sha256,
    sizeBytes: cut.sizeBytes,
    name: file.name,
    version: file.version,
    platform: file.platform,
    filename: file.filename,
    mediaType: file.mediaType,
    priority: file.priority,
    pieces: await putPieces(cut.pieces, run.writer),
    bundles: await putBundles(await signArtifact(file, { cut, given }, run, signal), run.writer),
    createdAtSeconds: run.nowSeconds,
    previous: previousOf(file, run.earlier),
  }
  const stored = await run.writer.putBytes(encodeManifest(manifest))
  return {
    entry: toEntry(file, { artifact: cut, manifest: stored, yanked: before?.yanked ?? false }),
    manifest,
    isNew: true,
  }
}

/** True for entries that stand for one name, version and platform. */
export function isSameRelease(a: ReleaseKey, b: ReleaseKey): boolean {
  return a.name === b.name && a.version === b.version && a.platform === b.platform
}

export interface ReleaseKey {
  readonly name: string
  readonly version: string
  readonly platform: string | undefined
}

interface Prepared {
  readonly file: PublishFile
  readonly cut: CutFile
  readonly given: readonly KindedBundle[]
}

/** The manifest of an earlier run, when it says all that this run would say, and its signatures still count. */
async function keptManifest(entry: CatalogueEntry, now: Prepared, run: PublishRun, signal: AbortSignal): Promise<Manifest | undefined> {
  const { file, cut, given } = now
  try {
    const manifest = parseManifest(await run.reader.readBlob(entry.manifest, 'manifest', signal))
    const isSame =
      manifest.filename === file.filename &&
      manifest.mediaType === file.mediaType &&
      manifest.priority === file.priority &&
      manifest.pieces.lengthBytes === cut.pieces.lengthBytes
    if (!isSame) return undefined
    const bundles = await Promise.all(manifest.bundles.map((ref) => run.reader.readBlob(ref, 'bundle', signal)))
    const counted = await withoutOtherStatements(given, cut, run)
    const hasGiven = counted.every(({ bytes }) => bundles.some((bundle) => Buffer.compare(bundle, bytes) === 0))
    if (!hasGiven) return undefined
    await vouchForArtifact(bundles, { artifact: cut.sha256, trust: run.trust }, run.verifier)
    if (manifest.pieces.kind === 'listed') await run.reader.readBlob(manifest.pieces.list, 'piece-list', signal)
    return manifest
  } catch (error) {
    // Whatever is wrong with the earlier manifest, a new one takes its place.
    if (error instanceof DeliveryError) return undefined
    throw error
  }
}

async function signArtifact(
  file: PublishFile,
  { cut, given }: Omit<Prepared, 'file'>,
  run: PublishRun,
  signal: AbortSignal,
): Promise<readonly KindedBundle[]> {
  const bundles = [...given]
  // The copy is signed, not the original: only the copy is known to be what was hashed.
  const content = contentOfFile(run.writer.pathOf(cut), cut.sha256)
  const has = (kind: BundleRef['kind']) => bundles.some((bundle) => bundle.kind === kind)
  if (run.signer !== undefined && !has('signature')) {
    bundles.push({ kind: 'signature', bytes: await run.signer.signContent(content, signal) })
  }
  if (run.signer !== undefined && !has('attestation')) {
    const bytes = await run.signer.attestBuild({ name: file.filename, sha256: cut.sha256 }, signal)
    if (bytes !== undefined) bundles.push({ kind: 'attestation', bytes })
  }
  return await withoutOtherStatements(bundles, cut, run)
}

/**
 * Clients take an artifact when enough of its bundles pass; a publisher hears of each that does not. Only statements that say nothing of
 * where the file was built (an SBOM, a test result) are left out without a word: `gh attestation download` fetches all there are.
 */
async function withoutOtherStatements(bundles: readonly KindedBundle[], cut: CutFile, run: PublishRun): Promise<readonly KindedBundle[]> {
  const kept: KindedBundle[] = []
  for (const bundle of bundles) {
    try {
      await run.verifier.verify(bundle.bytes, cut.sha256, run.trust.artifacts)
      kept.push(bundle)
    } catch (error) {
      const isOther = bundle.kind === 'attestation' && failureOf(error)?.code === 'provenance-refused' && bundles.length > 1
      if (!isOther) throw error
    }
  }
  return kept
}

async function putBundles(bundles: readonly KindedBundle[], writer: SiteWriter): Promise<readonly BundleRef[]> {
  return Promise.all(bundles.map(async ({ bytes, kind }) => ({ ...(await writer.putBytes(bytes)), kind })))
}

async function putPieces({ lengthBytes, count, hashes }: PieceLayout, writer: SiteWriter): Promise<ManifestPieces> {
  if (count <= LIMITS.inlinePieces) return { kind: 'inline', lengthBytes, count, hashes }
  return { kind: 'listed', lengthBytes, count, list: await writer.putBytes(hashes) }
}

function previousOf(file: PublishFile, earlier: readonly CatalogueEntry[]): Manifest['previous'] {
  const [last] = earlier
    .filter((entry) => entry.name === file.name && entry.platform === file.platform && compareVersions(entry.version, file.version) < 0)
    .toSorted((a, b) => compareVersions(b.version, a.version))
  return last === undefined ? undefined : { version: last.version, sha256: last.manifest.sha256 }
}

function toEntry(
  file: PublishFile,
  blobs: { readonly artifact: BlobRef; readonly manifest: BlobRef; readonly yanked: boolean },
): CatalogueEntry {
  return {
    name: file.name,
    version: file.version,
    platform: file.platform,
    channel: file.channel,
    aliases: file.aliases,
    manifest: { sha256: blobs.manifest.sha256, sizeBytes: blobs.manifest.sizeBytes },
    artifact: { sha256: blobs.artifact.sha256, sizeBytes: blobs.artifact.sizeBytes },
    mesh: file.mesh,
    rollout: file.rollout,
    yanked: blobs.yanked,
  }
}
