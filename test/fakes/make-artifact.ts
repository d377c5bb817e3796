import { pieceCount, pieceRange, type Artifact } from '../../src/core/model/artifact.ts'
import { toArtifactName, toPieceIndex, toSourceId, type PieceIndex, type SourceId } from '../../src/core/model/ids.ts'
import type { Hasher } from '../../src/core/ports.ts'
import { fromHex, sha256Of } from '../../src/core/verify/digest.ts'
import { verifyPiece, type VerifiedPiece } from '../../src/core/verify/piece.ts'
import { digestByScript } from '../../src/engine/script-hasher.ts'

/** An artifact that is really these bytes, cut into pieces of `lengthBytes`. */
export function makeArtifact(bytes: Uint8Array, lengthBytes = 1024): Artifact {
  const count = pieceCount(bytes.length, lengthBytes)
  const hashes = new Uint8Array(count * 32)
  for (let i = 0; i < count; i++) hashes.set(fromHex(sha256Of(bytes.subarray(i * lengthBytes, (i + 1) * lengthBytes))), i * 32)
  return {
    sha256: sha256Of(bytes),
    sizeBytes: bytes.length,
    name: toArtifactName('edge-agent'),
    version: '1.2.3',
    platform: 'linux/amd64',
    filename: 'edge-agent.tar.gz',
    mediaType: 'application/gzip',
    priority: 'normal',
    pieces: { lengthBytes, count, hashes },
    bundles: [],
    manifest: { sha256: sha256Of(hashes), sizeBytes: hashes.length },
    isMeshAllowed: true,
    createdAtSeconds: 1_700_000_000,
  }
}

/** SHA-256 in place, so that a test under a virtual clock never waits for a real thread. */
export const instantHasher: Hasher = {
  digest: async (bytes) => sha256Of(bytes),
  digestStream: digestByScript,
}

/** Piece `index` through the one door, as if `source` had sent it. */
export async function makePiece(
  artifact: Artifact,
  bytes: Uint8Array,
  index: number,
  source: SourceId = toSourceId('cdn-1'),
): Promise<VerifiedPiece> {
  const piece = toPieceIndex(index)
  return await verifyPiece(artifact, piece, pieceBytes(artifact, bytes, piece), { source, hasher: instantHasher })
}

export function pieceBytes(artifact: Artifact, bytes: Uint8Array, piece: PieceIndex): Uint8Array<ArrayBuffer> {
  const { start, end } = pieceRange(artifact, piece)
  return bytes.slice(start, end)
}
