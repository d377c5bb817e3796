import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry, DeliveryHints, Origin } from '../../core/manifest/catalogue.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import { contentOfBytes } from '../signing/content.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { requirePieceLength } from './cut.ts'
import { draftCatalogue } from './draft-catalogue.ts'
import { readEarlierCatalogue, type EarlierCatalogue, type EarlierFile } from './earlier-catalogue.ts'
import { findFiles } from './find-files.ts'
import { finishDraft } from './finish-draft.ts'
import { isSameRelease, publishArtifact, type PublishedArtifact } from './publish-artifact.ts'
import type { FileSettings, PublishFile } from './publish-file.ts'
import type { PublishSigner } from './publish-signer.ts'
import { openRoom, type Room } from './room.ts'
import { checkPublished } from './self-check.ts'
import { withSiteLock } from './site-lock.ts'
import { writeCatalogue } from './write-catalogue.ts'
import { yankEntries, type ListedVersion } from './yank.ts'

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
  /** Versions of the catalogue that is there, to be offered to nobody any more. Added to those yanked already. Not together with `replace`. */
  readonly yanked?: readonly ListedVersion[] | undefined
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
 * Run again with the same files it changes nothing. One publisher at a time: a second one is told so.
 *
 * @throws {DeliveryError} `input-invalid`, `publish-conflict`, `signature-missing`, `policy-missing`, or why the own
 * signatures were refused
 * @example
 * const signer = keySigner(await readSigningKey('keys/signing-key.pem'))
 * const { artifacts, isNew } = await publish({ dir: 'releases', site: 'site', repository: 'acme', signer }, AbortSignal.timeout(600_000))
 * console.log(isNew, artifacts.length)
 */
export async function publish(options: PublishOptions & { readonly signer: PublishSigner }, signal: AbortSignal): Promise<PublishReport> {
  const room = openRoom(options)
  return withSiteLock(options.site, async (lock) => {
    const { earlier, ...prepared } = await stage(options, room, signal)
    if (!prepared.isNew) return toReport(prepared)
    const bundle = await options.signer.signContent(contentOfBytes(prepared.payload), signal)
    await writeCatalogue({ payload: prepared.payload, bundles: [bundle], replaces: earlier }, { room, lock }, signal)
    return toReport(prepared)
  })
}

/**
 * As `publish`, but for the catalogue: its payload is handed back, to be signed elsewhere and then attached.
 * @throws {DeliveryError} as `publish`
 * @example
 * const prepared = await preparePublish({ dir: 'releases', site: 'site', repository: 'acme' }, AbortSignal.timeout(600_000))
 * console.log(prepared.payload) // to be signed elsewhere, and attached then
 */
export async function preparePublish(options: PublishOptions, signal: AbortSignal): Promise<PreparedCatalogue> {
  const { earlier: _, ...prepared } = await stage(options, openRoom(options), signal)
  return prepared
}

type Staged = PreparedCatalogue & { readonly earlier: EarlierFile }

async function stage(options: PublishOptions, room: Room, signal: AbortSignal): Promise<Staged> {
  const startedAtSeconds = nowSeconds(room.clock)
  const mayReplace = options.replace ?? false
  const { repository } = options
  if (options.pieceLengthBytes !== undefined) requirePieceLength(options.pieceLengthBytes)
  const earlier = await readEarlierCatalogue(room.reader, { ...room, repository, mayReplace }, signal)
  const listed = yankEntries(earlier.accepted?.catalogue.artifacts, options)
  const files = await findFiles(options.dir, options.settings ?? {}, signal)
  requireDistinct(files)
  const run = {
    ...room,
    signer: options.signer,
    earlier: listed,
    mayReplace,
    pieceLengthBytes: options.pieceLengthBytes,
    nowSeconds: startedAtSeconds,
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
  const catalogue = draft({ options, artifacts, earlier: accepted, listed, nowSeconds: startedAtSeconds })
  const published = artifacts.map(({ entry }) => entry)
  const drafted = await finishDraft(catalogue, { earlier: accepted, published, room, nowSeconds: startedAtSeconds }, signal)
  return { ...drafted, artifacts, earlier }
}

interface DraftFrom {
  readonly options: PublishOptions
  readonly artifacts: readonly PublishedArtifact[]
  readonly earlier: EarlierCatalogue | undefined
  readonly listed: readonly CatalogueEntry[]
  readonly nowSeconds: number
}

function draft({ options, artifacts, earlier, listed, nowSeconds }: DraftFrom): Catalogue {
  const { repository, origins, delivery, denied, lifetimeSeconds, refreshSeconds, graceSeconds } = options
  return draftCatalogue({
    earlier,
    listed,
    artifacts: artifacts.map(({ entry }) => entry),
    terms: { repository, origins, delivery, denied, lifetimeSeconds, refreshSeconds, graceSeconds },
    isReplacing: options.replace ?? false,
    nowSeconds,
  })
}

function requireDistinct(files: readonly PublishFile[]): void {
  for (const [i, file] of files.entries()) {
    const twin = files.slice(0, i).find((other) => isSameRelease(other, file))
    if (twin === undefined) continue
    const detail = `stands for ${file.name} ${file.version} ${file.platform ?? 'for all platforms'}, and so does ${twin.path}`
    throw new DeliveryError({ code: 'input-invalid', path: file.path, detail })
  }
}

function toReport({ catalogue, payloadSha256, isNew, artifacts }: PreparedCatalogue): PublishReport {
  return { catalogue, payloadSha256, isNew, artifacts }
}
