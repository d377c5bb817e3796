import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { chooseByDigest } from '../../core/manifest/choose.ts'
import type { Manifest } from '../../core/manifest/manifest.ts'
import { checkManifest, parseManifest } from '../../core/manifest/parse-manifest.ts'
import { DEFAULT_MAX_GRACE_SECONDS } from '../../core/manifest/parse-site-config.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import { readInput } from '../input-file.ts'
import { bundlesBeside, bundlesOfDigest } from '../publish/beside.ts'
import { readGivenBundles } from '../publish/given-bundles.ts'
import { factsOfFilename } from '../publish/filename-facts.ts'
import { sha256OfFile } from '../signing/content.ts'
import { readSite } from '../site/site-reader.ts'
import { systemClock } from '../system-clock.ts'
import { vouchForArtifact, type BundleVerdict } from '../../core/verify/vouch.ts'
import { findCatalogue, type FoundCatalogue } from './find-catalogue.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'

export interface VerifyOptions {
  readonly file: string
  readonly trust: SiteTrust
  /** Folders or URLs of the published layout. Empty: the bundles alone decide. */
  readonly sites: readonly string[]
  /** Bundle files over the file. With `sites`, the published bundles count instead. Default: those that lie beside it. */
  readonly bundlePaths?: readonly string[] | undefined
  readonly repository?: string | undefined
  /** What trust updates deny. Default: nothing. */
  readonly denied?: readonly Sha256[] | undefined
  /** Lowest catalogue version that is accepted. Default 0. */
  readonly minimumVersion?: number | undefined
  readonly maxGraceSeconds?: number | undefined
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
}

/** What is known of a verified file. */
export interface VerifyReport {
  readonly file: BlobRef
  /** Where it is listed; undefined when bundles alone were asked. */
  readonly listed: ListedFile | undefined
  readonly verdicts: readonly BundleVerdict[]
}

export interface ListedFile {
  readonly entry: CatalogueEntry
  readonly manifest: Manifest
  readonly found: FoundCatalogue
}

/**
 * Does for a file on this machine what a page does for a download: digest, catalogue, manifest, signatures, policy.
 * @throws {DeliveryError} why it is not to be used, or could not be judged
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const { trust } = await readConfig('https://portal.example/sealift.json', signal)
 * const { file, verdicts } = await verifyFile({ file: 'agent.tgz', trust: siteTrust(trust), sites: ['https://cdn.example/'] }, signal)
 * console.log(file.sha256, verdicts.length)
 */
export async function verifyFile(options: VerifyOptions, signal: AbortSignal): Promise<VerifyReport> {
  const file = await digestOf(options.file, signal)
  requireNotDenied(options, file.sha256)
  const verifier = options.verifier ?? createSigstoreVerifier()
  if (options.sites.length === 0) {
    const paths = options.bundlePaths ?? [...bundlesBeside(options.file), ...bundlesOfDigest(options.file, file.sha256)]
    if (paths.length === 0) {
      const detail = 'has no bundle beside it; give --site, --bundle, or a --config with origins'
      throw new DeliveryError({ code: 'input-invalid', path: options.file, detail })
    }
    const bundles = (await readGivenBundles(paths)).map(({ bytes }) => bytes)
    return { file, listed: undefined, verdicts: await vouchForArtifact(bundles, { artifact: file.sha256, trust: options.trust }, verifier) }
  }
  const found = await findCatalogue(
    {
      sites: options.sites.map(readSite),
      policy: options.trust.catalogue,
      verifier,
      repository: options.repository,
      minimumVersion: options.minimumVersion ?? 0,
      maxGraceSeconds: options.maxGraceSeconds ?? DEFAULT_MAX_GRACE_SECONDS,
      nowSeconds: nowSeconds(options.clock ?? systemClock),
    },
    signal,
  )
  requireNotDenied(options, found.payloadSha256)
  const entry = await findEntry(found, { file, filename: basename(options.file) }, signal)
  requireNotDenied(options, entry.manifest.sha256)
  const manifest = await readManifest(found, entry, signal)
  if (manifest.sizeBytes !== file.sizeBytes) {
    throw new DeliveryError({ code: 'artifact-size', expectedBytes: manifest.sizeBytes, actualBytes: file.sizeBytes })
  }
  const bundles = await Promise.all(manifest.bundles.map((bundle) => found.site.readBlob(bundle, 'bundle', signal)))
  const verdicts = await vouchForArtifact(bundles, { artifact: file.sha256, trust: options.trust }, verifier)
  return { file, listed: { entry, manifest, found }, verdicts }
}

function requireNotDenied({ denied = [] }: VerifyOptions, sha256: Sha256): void {
  if (denied.includes(sha256)) throw new DeliveryError({ code: 'artifact-denied', sha256 })
}

async function digestOf(path: string, signal: AbortSignal): Promise<BlobRef> {
  if ((await readInput(path, (file) => stat(file))).isFile()) return sha256OfFile(path, signal)
  throw new DeliveryError({ code: 'input-invalid', path, detail: 'is not a file' })
}

/** How many entries are looked at to tell an altered file from an unknown one. */
const LOOKALIKES_MAX = 64

/** @throws {DeliveryError} `artifact-digest` when a file of this name is listed with other bytes, else `artifact-unknown` */
async function findEntry(
  found: FoundCatalogue,
  { file, filename }: { readonly file: BlobRef; readonly filename: string },
  signal: AbortSignal,
): Promise<CatalogueEntry> {
  try {
    return chooseByDigest(found.catalogue, file.sha256)
  } catch (error) {
    if (failureOf(error)?.code !== 'artifact-unknown') throw error
    const { name } = factsOfFilename(filename)
    const lookalikes = found.catalogue.artifacts.filter((entry) => entry.name === name).slice(-LOOKALIKES_MAX)
    for (const entry of lookalikes) {
      if ((await readManifest(found, entry, signal)).filename !== filename) continue
      throw new DeliveryError({ code: 'artifact-digest', expected: entry.artifact.sha256, actual: file.sha256 }, { cause: error })
    }
    throw error
  }
}

async function readManifest(found: FoundCatalogue, entry: CatalogueEntry, signal: AbortSignal): Promise<Manifest> {
  const manifest = parseManifest(await found.site.readBlob(entry.manifest, 'manifest', signal))
  checkManifest(entry, manifest)
  return manifest
}
