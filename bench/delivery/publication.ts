import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LIMITS } from '../../src/core/limits.ts'
import type { Catalogue, CatalogueEntry } from '../../src/core/manifest/catalogue.ts'
import type { Manifest, ManifestPieces } from '../../src/core/manifest/manifest.ts'
import { encodeCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { encodeManifest } from '../../src/core/manifest/parse-manifest.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { toArtifactName, toSha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { authoritySigner, type PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { CLAIMS } from '../trust/jobs.ts'
import { contentChunks, cutContent, type ContentSpec } from './content.ts'

export interface ArtifactSpec extends ContentSpec {
  readonly name: string
  readonly pieceLengthBytes: number
  /** Whether browsers may pass it on. Default false. */
  readonly mesh?: boolean
}

export interface PublishedArtifact extends ArtifactSpec {
  readonly sha256: string
  /** 32 bytes for each piece, in order. */
  readonly hashes: Uint8Array
}

/** Signed artifacts that lie nowhere: what describes them is in memory, and they are made while they are sent. */
export interface Publication {
  readonly artifacts: readonly PublishedArtifact[]
  /** Every published file but the artifacts, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** The site's configuration for these origins, as JSON. */
  siteConfig(originUrls: readonly string[]): string
}

const REPOSITORY = 'acme'
const DAY_SECONDS = 86_400
const never = new AbortController().signal

/** Each artifact with the signature of a workflow, by an offline authority of our own; the catalogue with another. */
export async function publishContents(specs: readonly ArtifactSpec[]): Promise<Publication> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-bench-'))
  try {
    const authority = await openAuthority(dir, { clock: systemClock })
    const signer = authoritySigner(authority, { claims: CLAIMS, clock: systemClock })
    const files = new Map<string, Uint8Array>()
    const put = (bytes: Uint8Array): BlobRef => {
      const ref = { sha256: sha256Of(bytes), sizeBytes: bytes.length }
      files.set(`/by-hash/sha256/${ref.sha256}`, bytes)
      return ref
    }
    const artifacts: PublishedArtifact[] = []
    const entries: CatalogueEntry[] = []
    for (const spec of specs) {
      const artifact = { ...spec, ...cutContent(spec, spec.pieceLengthBytes) }
      artifacts.push(artifact)
      entries.push(await publishOne(artifact, { signer, put }))
    }
    const payload = encodeCatalogue(catalogueOf(entries))
    const content = { sha256: sha256Of(payload), chunks: () => chunksOf(payload) }
    files.set('/catalogue.json', encodeCatalogueEnvelope({ payload, bundles: [await signer.signContent(content, never)] }))
    const signers = [{ ...CLAIMS }]
    const trust = { catalogueSigners: signers, artifactSigners: signers, trustedRoot: authority.trustedRoot }
    return {
      artifacts,
      files,
      siteConfig: (urls) =>
        JSON.stringify({ schema: 1, repository: REPOSITORY, origins: urls.map((url, at) => ({ id: `cdn-${at}`, url })), trust }),
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes)
}

interface Press {
  readonly signer: PublishSigner
  readonly put: (bytes: Uint8Array) => BlobRef
}

async function publishOne(artifact: PublishedArtifact, { signer, put }: Press): Promise<CatalogueEntry> {
  const { name, sizeBytes, pieceLengthBytes: lengthBytes, hashes, mesh = false } = artifact
  const sha256 = toSha256(artifact.sha256)
  const bundle = await signer.signContent({ sha256, chunks: (signal) => contentChunks(artifact, signal) }, never)
  const count = hashes.length / 32
  const pieces: ManifestPieces =
    count <= LIMITS.inlinePieces
      ? { kind: 'inline', lengthBytes, count, hashes }
      : { kind: 'listed', lengthBytes, count, list: put(hashes) }
  const manifest: Manifest = {
    schema: 1,
    name: toArtifactName(name),
    version: '1.0.0',
    platform: undefined,
    filename: `${name}-1.0.0.bin`,
    mediaType: 'application/octet-stream',
    priority: 'normal',
    sha256,
    sizeBytes,
    pieces,
    bundles: [{ ...put(bundle), kind: 'signature' }],
    createdAtSeconds: nowSeconds(),
    previous: undefined,
  }
  return {
    name: manifest.name,
    version: manifest.version,
    platform: undefined,
    channel: undefined,
    aliases: [],
    manifest: put(encodeManifest(manifest)),
    artifact: { sha256, sizeBytes },
    mesh,
    rollout: 100,
    yanked: false,
  }
}

function catalogueOf(artifacts: readonly CatalogueEntry[]): Catalogue {
  const now = nowSeconds()
  return {
    schema: 1,
    repository: REPOSITORY,
    version: now,
    createdAtSeconds: now,
    refreshAfterSeconds: now + DAY_SECONDS,
    expiresAtSeconds: now + 14 * DAY_SECONDS,
    graceSeconds: 0,
    previous: undefined,
    origins: [],
    delivery: { tiers: undefined },
    denied: [],
    artifacts,
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
