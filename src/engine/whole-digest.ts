import { DeliveryError } from '../core/errors.ts'
import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import { refuseWhole, type KeptWhole } from '../scheduler/altered-pieces.ts'

export interface WholeClaim extends KeptWhole {
  /** What is to be handed over. The browser makes it unreadable when the file below it changes, so it cannot change in silence. */
  readonly blob: Blob
}

/**
 * Hashes what is handed over, not what came by: a script of the same origin may have written to the store in between.
 * @throws {DeliveryError} `artifact-size`; `store-tampered` for a piece that changed on disk (already forgotten, fetch it again);
 * `artifact-digest` when every piece is right and the whole is not: the piece list was forged
 */
export async function requireWhole(claim: WholeClaim, signal: AbortSignal): Promise<void> {
  const { artifact, hasher, blob } = claim
  if (blob.size !== artifact.sizeBytes)
    throw new DeliveryError({ code: 'artifact-size', expectedBytes: artifact.sizeBytes, actualBytes: blob.size })
  const gone = new Set<PieceIndex>()
  const chunks = (): AsyncIterable<Uint8Array<ArrayBuffer>> => readPieces(claim, gone, signal)
  const actual = await hasher.digestStream({ sizeBytes: artifact.sizeBytes, chunks })
  if (gone.size === 0 && actual === artifact.sha256) return
  await refuseWhole(claim, { actual, read: async (piece) => (gone.has(piece) ? undefined : await readPiece(claim, piece)) }, signal)
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
