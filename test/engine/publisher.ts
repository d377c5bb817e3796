import { CATALOGUE_MEDIA_TYPE, type Catalogue, type CatalogueEntry } from '../../src/core/manifest/catalogue.ts'
import type { Manifest } from '../../src/core/manifest/manifest.ts'
import { encodeCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { encodeManifest } from '../../src/core/manifest/parse-manifest.ts'
import { DEFAULT_THRESHOLDS } from '../../src/core/verify/identity-policy.ts'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { toArtifactName } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { createOfflineSigstore, IDENTITY, ISSUER, provenanceAbout, type BundleJson, type SignOptions } from '../trust/offline-sigstore.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

export const PIECE_BYTES = 64 * 1024
export const REPOSITORY_NAME = 'acme'

/** One artifact with everything that is published for it. */
export interface Release {
  readonly bytes: Uint8Array
  readonly entry: CatalogueEntry
  /** Artifact, manifest, bundles: what a source serves by digest. */
  readonly blobs: readonly Uint8Array[]
}

export interface ReleaseOptions {
  readonly version?: string
  readonly mesh?: boolean
  /** Default: a signature over the bytes and a provenance about them. */
  readonly bundles?: readonly BundleJson[]
  /** Leaves the bundles out of what is served. */
  readonly withoutBundles?: boolean
  /** Changes the manifest after it was made, keeping what the catalogue says. */
  readonly editManifest?: (manifest: Manifest) => Manifest
}

/** Makes signed sites, honest and not, with a Sigstore of its own. */
export interface Publisher {
  /** When everything is signed. */
  readonly nowSeconds: number
  readonly trust: TrustConfig
  sign(bytes: Uint8Array, options?: SignOptions): Promise<BundleJson>
  /** A provenance about the bytes, or what `changed` makes of it. */
  attest(bytes: Uint8Array, options?: SignOptions, changed?: object): Promise<BundleJson>
  release(bytes: Uint8Array, options?: ReleaseOptions): Promise<Release>
  /** The file as served. `sign` undefined: without a signature. */
  catalogue(releases: readonly Release[], over?: Partial<Catalogue>, sign?: SignOptions | 'unsigned'): Promise<Uint8Array>
}

/** A publisher with one release, and the catalogue that names it. */
export async function publishOne(bytes: Uint8Array): Promise<PublishedOne> {
  const publisher = await createPublisher()
  const release = await publisher.release(bytes)
  return { publisher, release, catalogue: await publisher.catalogue([release]) }
}

export interface PublishedOne {
  readonly publisher: Publisher
  readonly release: Release
  readonly catalogue: Uint8Array
}

export async function createPublisher(): Promise<Publisher> {
  const sigstore = await createOfflineSigstore()
  const nowSeconds = sigstore.signedAtSeconds
  const signers = [{ kind: 'certificate', identity: IDENTITY, issuer: ISSUER }] as const
  const sign: Publisher['sign'] = (bytes, options) => sigstore.signBlob(bytes, options)
  const attest: Publisher['attest'] = (bytes, options, changed) => sigstore.attest({ ...provenanceAbout(bytes), ...changed }, options)
  return {
    nowSeconds,
    trust: {
      catalogueSigners: signers,
      artifactSigners: signers,
      trustedRoot: sigstore.trustedRoot,
      thresholds: DEFAULT_THRESHOLDS,
      minSigners: { catalogue: 1, artifacts: 1 },
      provenance: { ...ANY_PROVENANCE, required: true },
      minimumVersion: 0,
      version: 0,
      updates: undefined,
    },
    sign,
    attest,
    async release(bytes, options = {}) {
      const bundles = (options.bundles ?? [await sign(bytes), await attest(bytes)]).map((bundle) => utf8(JSON.stringify(bundle)))
      const honest = manifestOf(bytes, { version: options.version ?? '1.2.3', bundles, nowSeconds })
      const manifest = encodeManifest(options.editManifest?.(honest) ?? honest)
      const entry: CatalogueEntry = {
        name: honest.name,
        version: honest.version,
        platform: honest.platform,
        channel: undefined,
        aliases: [],
        manifest: refOf(manifest),
        artifact: refOf(bytes),
        mesh: options.mesh ?? true,
        rollout: 100,
        yanked: false,
      }
      return { bytes, entry, blobs: [bytes, manifest, ...(options.withoutBundles === true ? [] : bundles)] }
    },
    async catalogue(releases, over = {}, signing = {}) {
      const payload = encodeCatalogue({ ...draft(releases, nowSeconds), ...over })
      if (signing === 'unsigned')
        return utf8(JSON.stringify({ mediaType: CATALOGUE_MEDIA_TYPE, payload: Buffer.from(payload).toString('base64'), signatures: [] }))
      return encodeCatalogueEnvelope({ payload, bundles: [utf8(JSON.stringify(await sign(payload, signing)))] })
    },
  }
}

const DAY_SECONDS = 86_400

function draft(releases: readonly Release[], nowSeconds: number): Catalogue {
  return {
    schema: 1,
    repository: REPOSITORY_NAME,
    version: nowSeconds,
    createdAtSeconds: nowSeconds,
    refreshAfterSeconds: nowSeconds + 3600,
    expiresAtSeconds: nowSeconds + 14 * DAY_SECONDS,
    graceSeconds: 0,
    previous: undefined,
    origins: [],
    delivery: { tiers: undefined },
    denied: [],
    artifacts: releases.map((release) => release.entry),
  }
}

function manifestOf(
  bytes: Uint8Array,
  from: { readonly version: string; readonly bundles: readonly Uint8Array[]; readonly nowSeconds: number },
): Manifest {
  const { pieces, sha256, sizeBytes } = makeArtifact(bytes, PIECE_BYTES)
  return {
    schema: 1,
    name: toArtifactName('edge-agent'),
    version: from.version,
    platform: 'linux/amd64',
    previous: undefined,
    filename: 'edge-agent.tar.gz',
    mediaType: 'application/gzip',
    priority: 'normal',
    sha256,
    sizeBytes,
    pieces: {
      kind: 'inline',
      ...pieces,
    },
    bundles: from.bundles.map((bundle, at) => ({
      ...refOf(bundle),
      kind: at === 0 ? 'signature' : 'attestation',
    })),
    createdAtSeconds: from.nowSeconds,
  }
}

export function refOf(bytes: Uint8Array): BlobRef {
  return { sha256: sha256Of(bytes), sizeBytes: bytes.length }
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text))
}
