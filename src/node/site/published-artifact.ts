import { DeliveryError, failureOf } from '../../core/errors.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { toArtifact } from '../../core/manifest/manifest.ts'
import { checkManifest, parseManifest, parsePieceList } from '../../core/manifest/parse-manifest.ts'
import type { Artifact, BlobRef } from '../../core/model/artifact.ts'
import { toPieceIndex } from '../../core/model/ids.ts'
import { pieceHash } from '../../core/verify/piece.ts'
import { cutFile, type CutFile } from '../publish/cut.ts'
import type { SiteReader } from './site-reader.ts'

/** A document as published, under its digest. */
export interface PublishedDocument {
  readonly ref: BlobRef
  readonly bytes: Uint8Array
}

/** What a site says of an artifact, from the catalogue's entry down. Its bytes and signatures are another matter. */
export interface PublishedArtifact {
  readonly artifact: Artifact
  /** Manifest, piece list where there is one, and bundles: what a newcomer needs to believe it. */
  readonly documents: readonly PublishedDocument[]
  readonly bundles: readonly Uint8Array[]
}

/** @throws {DeliveryError} what a client would refuse a document for */
export async function readPublished(entry: CatalogueEntry, reader: SiteReader, signal: AbortSignal): Promise<PublishedArtifact> {
  const manifestBytes = await reader.readBlob(entry.manifest, 'manifest', signal)
  const manifest = parseManifest(manifestBytes)
  checkManifest(entry, manifest)
  const { pieces } = manifest
  const list = pieces.kind === 'listed' ? { ref: pieces.list, bytes: await reader.readBlob(pieces.list, 'piece-list', signal) } : undefined
  const hashes = pieces.kind === 'inline' ? pieces.hashes : parsePieceList(list?.bytes ?? new Uint8Array(), pieces.count)
  const bundles = await Promise.all(manifest.bundles.map((bundle) => reader.readBlob(bundle, 'bundle', signal)))
  const signatures = manifest.bundles.flatMap((ref, at) => {
    const bytes = bundles[at]
    return bytes === undefined ? [] : [{ ref, bytes }]
  })
  return {
    artifact: toArtifact(manifest, { manifestRef: entry.manifest, hashes, isMeshAllowed: entry.mesh }),
    documents: [{ ref: entry.manifest, bytes: manifestBytes }, ...(list === undefined ? [] : [list]), ...signatures],
    bundles,
  }
}

/**
 * Reads the file of an artifact, and cuts it as its manifest says. What it then is, `requireBytes` says.
 * @param from.onChunk see `cutFile`
 * @throws {DeliveryError} `blob-unavailable` when the site folder lacks the file
 */
export async function cutPublished(
  artifact: Artifact,
  from: { readonly path: string; readonly onChunk?: (chunk: Uint8Array) => void },
  signal: AbortSignal,
): Promise<CutFile> {
  try {
    return await cutFile(from.path, { pieceLengthBytes: artifact.pieces.lengthBytes, onChunk: from.onChunk }, signal)
  } catch (error) {
    const failure = failureOf(error)
    if (failure?.code !== 'input-invalid') throw error
    throw new DeliveryError({ code: 'blob-unavailable', sha256: artifact.sha256, reasons: [failure] }, { cause: error })
  }
}

/**
 * Holds a file, cut as the manifest says, to that manifest.
 * @throws {DeliveryError} `artifact-size`, `artifact-digest`, or `manifest-mismatch` when the manifest contradicts itself
 */
export function requireBytes(artifact: Artifact, cut: CutFile): void {
  if (cut.sizeBytes !== artifact.sizeBytes)
    throw new DeliveryError({ code: 'artifact-size', expectedBytes: artifact.sizeBytes, actualBytes: cut.sizeBytes })
  if (cut.sha256 !== artifact.sha256) throw new DeliveryError({ code: 'artifact-digest', expected: artifact.sha256, actual: cut.sha256 })
  for (let i = 0; i < artifact.pieces.count; i++) {
    const index = toPieceIndex(i)
    if (pieceHash(artifact, index) !== pieceHash(cut, index))
      throw new DeliveryError({ code: 'manifest-mismatch', name: artifact.name, field: `pieces[${i}]` })
  }
}
