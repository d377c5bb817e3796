import { DeliveryError } from '../errors.ts'
import { pieceRange, type Artifact } from '../model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../model/ids.ts'
import type { Hasher } from '../ports.ts'
import { toHex } from './digest.ts'

declare const verified: unique symbol

/** Bytes that hash to what the signed manifest says. `verifyPiece` is the only maker. */
export interface VerifiedPiece {
  readonly [verified]: true
  readonly artifact: Sha256
  readonly index: PieceIndex
  readonly bytes: Uint8Array
  readonly source: SourceId
}

/** SHA-256 that piece `index` must have. */
export function pieceHash(artifact: Pick<Artifact, 'pieces'>, index: PieceIndex): Sha256 {
  return toHex(artifact.pieces.hashes.subarray(index * 32, index * 32 + 32))
}

/**
 * The one door from unverified to verified bytes. The caller gives up `bytes`: nobody may write to them afterwards.
 * @throws {DeliveryError} `source-length` or `digest-mismatch`, both naming the source
 */
export async function verifyPiece(
  artifact: Artifact,
  index: PieceIndex,
  bytes: Uint8Array,
  from: { readonly source: SourceId; readonly hasher: Hasher },
): Promise<VerifiedPiece> {
  const range = pieceRange(artifact, index)
  const expectedBytes = range.end - range.start
  if (bytes.length !== expectedBytes)
    throw new DeliveryError({ code: 'source-length', source: from.source, expectedBytes, actualBytes: bytes.length })
  const expected = pieceHash(artifact, index)
  const actual = await from.hasher.digest(bytes)
  if (actual !== expected) throw new DeliveryError({ code: 'digest-mismatch', source: from.source, piece: index, expected, actual })
  return { artifact: artifact.sha256, index, bytes, source: from.source } as VerifiedPiece
}
