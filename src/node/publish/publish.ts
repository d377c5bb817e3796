import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue, DeliveryHints, Origin } from '../../core/manifest/catalogue.ts'
import { encodeCatalogue, parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../core/manifest/parse-envelope.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readSiteIn, type SiteReader } from '../site/site-reader.ts'
import { writeSite, type SiteWriter } from '../site/site-writer.ts'
import { contentOfBytes } from '../signing/content.ts'
import { systemClock } from '../system-clock.ts'
import { checkCatalogue } from '../verify/check-signatures.ts'
import { trustOfPolicy, type SiteTrust } from '../verify/site-trust.ts'
import { requirePieceLength } from './cut.ts'
import { draftCatalogue, isStillGood } from './draft-catalogue.ts'
import { readEarlierCatalogue, type EarlierCatalogue, type EarlierFile } from './earlier-catalogue.ts'
import { findFiles } from './find-files.ts'
import { isSameRelease, publishArtifact, type PublishedArtifact } from './publish-artifact.ts'
import type { FileSettings, PublishFile } from './publish-file.ts'
import type { PublishSigner } from './publish-signer.ts'
import { checkPublished } from './self-check.ts'

/** What to publish, where, and on which terms. */
export interface PublishOptions {
  /** Folder whose files are published; `sealift.publish.json` in it may describe them. */
  readonly dir: string
  /** Folder of the published layout, made when missing. */
  readonly site: string
  readonly repository: string
  /** Signs catalogue and artifacts. Undefined: every file has its bundles beside it, and the catalogue is prepared only. */
  readonly signer?: PublishSigner | undefined
  /** What must accept all of it before anything is visible. Default: the signer's own policy. */
  readonly trust?: SiteTrust | undefined
  /** Default: those of the catalogue that is there. */
  readonly origins?: readonly Origin[] | undefined
  readonly delivery?: DeliveryHints | undefined
  /** Added to those denied already. */
  readonly denied?: readonly Sha256[] | undefined
  /** For every file; wins over file names and sealift.publish.json. */
  readonly settings?: FileSettings | undefined
  /** Power of two, 64 KiB to 4 MiB. Default by size. */
  readonly pieceLengthBytes?: number | undefined
  /** How long clients accept the catalogue. Default 14 days. */
  readonly lifetimeSeconds?: number | undefined
  /** After how long clients ask for a newer one. Default an hour. */
  readonly refreshSeconds?: number | undefined
  /** How long an outage may stretch its life. Default 0, or as before. */
  readonly graceSeconds?: number | undefined
  /** List only this folder's files, and allow other bytes under a published version. Default false. */
  readonly replace?: boolean | undefined
  /** Also give each artifact a readable name, below `by-name/`. Default false. */
  readonly byName?: boolean | undefined
  readonly onArtifact?: ((artifact: PublishedArtifact) => void) | undefined
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
}

export interface PublishReport {
  readonly catalogue: Catalogue
  /** SHA-256 of the payload, which is what the signature is over. */
  readonly payloadSha256: Sha256
  /** False when nothing had changed and the catalogue that is there stays. */
  readonly isNew: boolean
  readonly artifacts: readonly PublishedArtifact[]
}

/** A catalogue that waits for its signature; the blobs it names are in place. */
export interface PreparedCatalogue extends PublishReport {
  /** What to sign, byte for byte: `cosign sign-blob --bundle BUNDLE FILE`. */
  readonly payload: Uint8Array
}

/**
 * Publishes a folder. The catalogue is written last and in one step: whatever goes wrong before, a site stays as it was.
 * Run again with the same files it changes nothing.
 *
 * @throws {DeliveryError} `input-invalid`, `publish-conflict`, `signature-missing`, `policy-missing`, or why the own
 * signatures were refused
 */
export async function publish(options: PublishOptions & { readonly signer: PublishSigner }, signal: AbortSignal): Promise<PublishReport> {
  const room = openRoom(options)
  const { earlier, ...prepared } = await stage(options, room, signal)
  if (!prepared.isNew) return toReport(prepared)
  const bundle = await options.signer.signContent(contentOfBytes(prepared.payload), signal)
  await writeCatalogue({ payload: prepared.payload, bundle, replaces: earlier.file }, room, signal)
  return toReport(prepared)
}

/**
 * As `publish`, but for the catalogue: its payload is handed back, to be signed elsewhere and then attached.
 * @throws {DeliveryError} as `publish`
 */
export async function preparePublish(options: PublishOptions, signal: AbortSignal): Promise<PreparedCatalogue> {
  const { earlier: _, ...prepared } = await stage(options, openRoom(options), signal)
  return prepared
}

export interface AttachOptions {
  readonly site: string
  /** What `preparePublish` handed back. */
  readonly payload: Uint8Array
  /** Sigstore bundle over it. */
  readonly bundle: Uint8Array
  readonly trust: SiteTrust
  readonly verifier?: SignatureVerifier | undefined
}

/**
 * Publishes a prepared catalogue under a signature made elsewhere.
 * @throws {DeliveryError} `publish-conflict` when the site has moved on since, or why the bundle was refused
 */
export async function attachCatalogue(options: AttachOptions, signal: AbortSignal): Promise<Catalogue> {
  const room = openRoom(options)
  const catalogue = parseCatalogue(options.payload)
  const { repository } = catalogue
  const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace: catalogue.previous === undefined }, signal)
  const isNext = catalogue.previous?.sha256 === earlier.accepted?.fileSha256
  if (!isNext || catalogue.version <= (earlier.accepted?.catalogue.version ?? 0)) throw overtaken(options.site)
  for (const entry of catalogue.artifacts) await checkPublished(entry, room, signal)
  await writeCatalogue({ payload: options.payload, bundle: options.bundle, replaces: earlier.file }, room, signal)
  return catalogue
}

interface Room {
  readonly reader: SiteReader
  readonly writer: SiteWriter
  readonly trust: SiteTrust
  readonly verifier: SignatureVerifier
}

function openRoom(options: Pick<PublishOptions, 'site' | 'signer' | 'trust' | 'verifier'>): Room {
  const trust = options.trust ?? (options.signer === undefined ? undefined : trustOfPolicy(options.signer.policy))
  if (trust === undefined)
    throw new DeliveryError({
      code: 'policy-missing',
      detail: 'without a signer, say whose signatures count',
    })
  return {
    reader: readSiteIn(options.site),
    writer: writeSite(options.site),
    trust,
    verifier: options.verifier ?? createSigstoreVerifier(),
  }
}

type Staged = PreparedCatalogue & { readonly earlier: EarlierFile }

async function stage(options: PublishOptions, room: Room, signal: AbortSignal): Promise<Staged> {
  const nowSeconds = Math.floor((options.clock ?? systemClock).nowMs() / 1000)
  const mayReplace = options.replace ?? false
  const { repository } = options
  if (options.pieceLengthBytes !== undefined) requirePieceLength(options.pieceLengthBytes)
  const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace }, signal)
  const files = await findFiles(options.dir, options.settings ?? {}, signal)
  requireDistinct(files)
  const run = {
    ...room,
    signer: options.signer,
    earlier: earlier.accepted?.catalogue.artifacts ?? [],
    mayReplace,
    pieceLengthBytes: options.pieceLengthBytes,
    nowSeconds,
  }
  const artifacts: PublishedArtifact[] = []
  for (const file of files) {
    const artifact = await publishArtifact(file, run, signal)
    await checkPublished(artifact.entry, room, signal)
    if (options.byName === true) await room.writer.linkByName(artifact.entry.artifact, artifact.manifest)
    artifacts.push(artifact)
    options.onArtifact?.(artifact)
  }
  const { accepted } = earlier
  const catalogue = draft({ options, artifacts, earlier: accepted, nowSeconds })
  if (accepted !== undefined && isStillGood(accepted.catalogue, catalogue)) {
    const { payload } = accepted
    return { catalogue: accepted.catalogue, payload, payloadSha256: sha256Of(payload), isNew: false, artifacts, earlier }
  }
  const payload = encodeCatalogue(catalogue)
  return { catalogue, payload, payloadSha256: sha256Of(payload), isNew: true, artifacts, earlier }
}

interface DraftFrom {
  readonly options: PublishOptions
  readonly artifacts: readonly PublishedArtifact[]
  readonly earlier: EarlierCatalogue | undefined
  readonly nowSeconds: number
}

function draft({ options, artifacts, earlier, nowSeconds }: DraftFrom): Catalogue {
  const { repository, origins, delivery, denied, lifetimeSeconds, refreshSeconds, graceSeconds } = options
  return draftCatalogue({
    earlier,
    artifacts: artifacts.map(({ entry }) => entry),
    terms: { repository, origins, delivery, denied, lifetimeSeconds, refreshSeconds, graceSeconds },
    isReplacing: options.replace ?? false,
    nowSeconds,
  })
}

interface SignedCatalogue {
  readonly payload: Uint8Array
  readonly bundle: Uint8Array
  /** The catalogue file that this one was made from; another one there means that somebody published meanwhile. */
  readonly replaces: Uint8Array | undefined
}

async function writeCatalogue(signed: SignedCatalogue, room: Room, signal: AbortSignal): Promise<void> {
  const file = encodeCatalogueEnvelope({ payload: signed.payload, bundles: [signed.bundle] })
  await checkCatalogue(file, room.trust.catalogue, room.verifier)
  await room.writer.writeHealth()
  // Kept under its digest too, so that the `previous` of the next one can be followed.
  await room.writer.putBytes(file)
  const found = (await room.reader.readCatalogue(signal)) ?? new Uint8Array()
  if (Buffer.compare(found, signed.replaces ?? new Uint8Array()) !== 0) throw overtaken(room.writer.root)
  signal.throwIfAborted()
  await room.writer.writeCatalogue(file)
  const written = await room.reader.readCatalogue(signal)
  await checkCatalogue(written ?? new Uint8Array(), room.trust.catalogue, room.verifier)
}

function requireDistinct(files: readonly PublishFile[]): void {
  for (const [i, file] of files.entries()) {
    const twin = files.slice(0, i).find((other) => isSameRelease(other, file))
    if (twin === undefined) continue
    const detail = `stands for ${file.name} ${file.version} ${file.platform ?? 'for all platforms'}, and so does ${twin.path}`
    throw new DeliveryError({ code: 'input-invalid', path: file.path, detail })
  }
}

function overtaken(site: string): DeliveryError {
  return new DeliveryError({
    code: 'publish-conflict',
    name: 'catalogue.json',
    detail: `${site} was published to meanwhile; publish again`,
  })
}

function toReport({ catalogue, payloadSha256, isNew, artifacts }: PreparedCatalogue): PublishReport {
  return { catalogue, payloadSha256, isNew, artifacts }
}
