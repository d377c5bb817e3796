import type { ArtifactName, PieceIndex, Sha256 } from './ids.ts'

/** Content-addressed bytes: what to ask a source for, and how to know that the answer is right. */
export interface BlobRef {
  readonly sha256: Sha256
  readonly sizeBytes: number
}

/** Half-open, in bytes of one blob: `0 <= start < end <= sizeBytes`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** How an artifact is cut. Every piece is `lengthBytes` long but the last, which may be shorter. */
export interface PieceLayout {
  /** Power of two, 64 KiB to 4 MiB. */
  readonly lengthBytes: number
  readonly count: number
  /** SHA-256 of every piece, 32 bytes each, in order: `count * 32` bytes. */
  readonly hashes: Uint8Array
}

/** A Sigstore bundle that speaks for the artifact, stored by its own digest. */
export interface BundleRef extends BlobRef {
  readonly kind: 'signature' | 'attestation'
}

export type Priority = 'critical' | 'normal'

/**
 * What is published under one name, version and platform: THE model of a thing to download.
 * Made only from a manifest whose digest a verified catalogue names; nothing in it is a location.
 */
export interface Artifact extends BlobRef {
  readonly name: ArtifactName
  readonly version: string
  /** `os/arch`, or undefined where one file serves all. */
  readonly platform: string | undefined
  readonly filename: string
  readonly mediaType: string
  readonly priority: Priority
  readonly pieces: PieceLayout
  readonly bundles: readonly BundleRef[]
  readonly manifest: BlobRef
  /** True when the publisher allows peers to pass it on. */
  readonly isMeshAllowed: boolean
  readonly createdAtSeconds: number
}

/** The size of an artifact and how it is cut: all that one needs to find a piece. */
export interface PieceSpace extends BlobRef {
  readonly pieces: Pick<PieceLayout, 'lengthBytes' | 'count'>
}

/** Where piece `index` lies in the artifact. */
export function pieceRange(artifact: Pick<PieceSpace, 'sizeBytes' | 'pieces'>, index: PieceIndex): ByteRange {
  const start = index * artifact.pieces.lengthBytes
  if (index >= artifact.pieces.count) throw new RangeError(`expected a piece below ${artifact.pieces.count}, got ${index}`)
  return { start, end: Math.min(start + artifact.pieces.lengthBytes, artifact.sizeBytes) }
}

/** How many pieces a blob of this size has. An empty artifact has none. */
export function pieceCount(sizeBytes: number, lengthBytes: number): number {
  return Math.ceil(sizeBytes / lengthBytes)
}
