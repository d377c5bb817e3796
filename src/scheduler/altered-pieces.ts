import { DeliveryError } from '../core/errors.ts'
import type { Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type Sha256 } from '../core/model/ids.ts'
import type { Hasher, StoredArtifact } from '../core/ports.ts'
import { pieceHash } from '../core/verify/piece.ts'

export interface KeptWhole {
  readonly artifact: Artifact
  readonly stored: StoredArtifact
  readonly hasher: Hasher
}

/**
 * Every piece passed the door, and the whole has another digest: finds out why.
 * @param actual the digest of the whole
 * @param read a piece as it is kept now; undefined when it can no longer be read
 * @throws {DeliveryError} always: `store-tampered` for a piece that changed on disk (already forgotten, fetch it again), `artifact-digest` when
 * every piece is right and the whole is not: the piece list was forged
 */
export async function refuseWhole(
  { artifact, stored, hasher }: KeptWhole,
  { actual, read }: { readonly actual: Sha256; readonly read: (piece: PieceIndex) => Promise<Uint8Array<ArrayBuffer> | undefined> },
  signal: AbortSignal,
): Promise<never> {
  const altered: PieceIndex[] = []
  for (let at = 0; at < artifact.pieces.count; at++) {
    signal.throwIfAborted()
    const piece = toPieceIndex(at)
    const bytes = await read(piece)
    if (bytes === undefined || (await hasher.digest(bytes)) !== pieceHash(artifact, piece)) altered.push(piece)
  }
  const [first] = altered
  if (first === undefined) throw new DeliveryError({ code: 'artifact-digest', expected: artifact.sha256, actual })
  await stored.forget(altered, signal)
  throw new DeliveryError({ code: 'store-tampered', sha256: artifact.sha256, piece: first })
}
