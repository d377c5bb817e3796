import type { Artifact, BlobRef, BundleRef, Priority } from '../model/artifact.ts'
import type { ArtifactName, Sha256 } from '../model/ids.ts'

/** What a manifest says of its pieces: the hashes themselves, or the blob that holds them. */
export type ManifestPieces =
  | { readonly kind: 'inline'; readonly lengthBytes: number; readonly count: number; readonly hashes: Uint8Array }
  | { readonly kind: 'listed'; readonly lengthBytes: number; readonly count: number; readonly list: BlobRef }

/** A manifest as published under its digest. With its piece hashes it becomes an `Artifact`. */
export interface Manifest extends BlobRef {
  readonly schema: 1
  readonly name: ArtifactName
  readonly version: string
  readonly platform: string | undefined
  readonly filename: string
  readonly mediaType: string
  readonly priority: Priority
  readonly pieces: ManifestPieces
  readonly bundles: readonly BundleRef[]
  readonly createdAtSeconds: number
  /** Manifest of the version before this one. */
  readonly previous: { readonly version: string; readonly sha256: Sha256 } | undefined
}

/**
 * The artifact that a manifest describes.
 * @param from.hashes of `parsePieceList`, or the manifest's own when it carries them
 * @throws {RangeError} when `hashes` are not 32 bytes for each piece
 */
export function toArtifact(
  manifest: Manifest,
  from: { readonly manifestRef: BlobRef; readonly hashes: Uint8Array; readonly isMeshAllowed: boolean },
): Artifact {
  const { lengthBytes, count } = manifest.pieces
  if (from.hashes.length !== count * 32) throw new RangeError(`expected ${count * 32} bytes of hashes, got ${from.hashes.length}`)
  return {
    sha256: manifest.sha256,
    sizeBytes: manifest.sizeBytes,
    name: manifest.name,
    version: manifest.version,
    platform: manifest.platform,
    filename: manifest.filename,
    mediaType: manifest.mediaType,
    priority: manifest.priority,
    pieces: { lengthBytes, count, hashes: from.hashes },
    bundles: manifest.bundles,
    manifest: from.manifestRef,
    isMeshAllowed: from.isMeshAllowed,
    createdAtSeconds: manifest.createdAtSeconds,
  }
}
