import { DeliveryError } from '../core/errors.ts'
import type { Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import type { Hasher, StoredArtifact } from '../core/ports.ts'
import { pieceHash } from '../core/verify/piece.ts'

export interface WholeClaim {
  readonly artifact: Artifact
  readonly stored: StoredArtifact
  readonly hasher: Hasher
  /** What is to be handed over. The browser makes it unreadable when the file below it changes, so it cannot change in silence. */
  readonly blob: Blob
}

/**
 * Hashes what is handed over, not what came by: a script of the same origin may have written to the store in between.
 * @throws {DeliveryError} `artifact-size`; `store-tampered` for a piece that changed on disk (already forgotten, fetch it again);
 * `artifact-digest` when every piece is right and the whole is not: the piece list was forged
 */
export async function requireWhole(claim: WholeClaim, signal: AbortSignal): Promise<void> {
  const { artifact, stored, hasher, blob } = claim
  if (blob.size !== artifact.sizeBytes)
    throw new DeliveryError({ code: 'artifact-size', expectedBytes: artifact.sizeBytes, actualBytes: blob.size })
  const gone = new Set<PieceIndex>()
  const actual = await hasher.digestStream({ sizeBytes: artifact.sizeBytes, chunks: () => readPieces(claim, gone, signal) })
  if (gone.size === 0 && actual === artifact.sha256) return
  const altered = gone.size > 0 ? [...gone] : await findAltered(claim, signal)
  const [first] = altered
  if (first === undefined) throw new DeliveryError({ code: 'artifact-digest', expected: artifact.sha256, actual })
  await stored.forget(altered, signal)
  throw new DeliveryError({ code: 'store-tampered', sha256: artifact.sha256, piece: first })
}

/** False when the file below has changed since, if only its date: some systems set that when the last handle is closed. */
export async function isReadable(blob: Blob): Promise<boolean> {
  try {
    await blob.slice(0, 1).arrayBuffer()
    return true
  } catch {
    // `NotReadableError`: a new snapshot is taken, and hashed.
    return false
  }
}

/** In order. Those that the browser no longer reads are left out, and noted. */
async function* readPieces(claim: WholeClaim, gone: Set<PieceIndex>, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < claim.artifact.pieces.count; at++) {
    signal.throwIfAborted()
    const bytes = await readPiece(claim, at)
    if (bytes === undefined) gone.add(toPieceIndex(at))
    else yield bytes
  }
}

/** Undefined when the browser no longer reads it: the file below changed since the blob was made. */
async function readPiece({ artifact, blob }: WholeClaim, at: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const start = at * artifact.pieces.lengthBytes
  try {
    return new Uint8Array(await blob.slice(start, start + artifact.pieces.lengthBytes).arrayBuffer())
  } catch {
    // `NotReadableError`, whatever the cause: these bytes cannot be handed over.
    return undefined
  }
}

async function findAltered(claim: WholeClaim, signal: AbortSignal): Promise<readonly PieceIndex[]> {
  const altered: PieceIndex[] = []
  for (let at = 0; at < claim.artifact.pieces.count; at++) {
    signal.throwIfAborted()
    const piece = toPieceIndex(at)
    const bytes = await readPiece(claim, at)
    if (bytes === undefined || (await claim.hasher.digest(bytes)) !== pieceHash(claim.artifact, piece)) altered.push(piece)
  }
  return altered
}
