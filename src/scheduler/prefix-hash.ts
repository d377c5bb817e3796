import { toPieceIndex } from '../core/model/ids.ts'
import { refuseWhole, type KeptWhole } from './altered-pieces.ts'
import { createGate } from './gate.ts'

/** Hashes the whole artifact behind the download: over the bytes that are kept, not those that came by. */
export interface PrefixHash {
  /** A piece was kept: the contiguous prefix may have grown. */
  advance(): void
  /**
   * Resolves when every byte was read back and the digest is the artifact's.
   * @throws {DeliveryError} `store-tampered` for a piece that changed on disk (already forgotten, fetch it again), `artifact-digest` when
   * every piece is right and the whole is not: the piece list was forged
   */
  finish(): Promise<void>
}

/** Starts at once. `signal` ends it. */
export function createPrefixHash(job: KeptWhole, signal: AbortSignal): PrefixHash {
  const gate = createGate()
  const done = follow({ ...job, waitForMore: () => gate.wait(signal) }, signal)
  // Looked at in finish(); a failure before that must not count as unhandled.
  done.catch(() => undefined)
  return { advance: () => gate.open(), finish: () => done }
}

interface Following extends KeptWhole {
  readonly waitForMore: () => Promise<void>
}

async function follow(job: Following, signal: AbortSignal): Promise<void> {
  const { artifact, stored, hasher } = job
  const actual = await hasher.digestStream({ sizeBytes: artifact.sizeBytes, chunks: (spare) => keptPieces(job, spare, signal) })
  if (actual === artifact.sha256) return
  await refuseWhole(job, { actual, read: (piece) => stored.read(piece, signal) }, signal)
}

/** In order, each as soon as it is kept. */
async function* keptPieces(
  { artifact, stored, waitForMore }: Following,
  spare: () => ArrayBuffer | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < artifact.pieces.count; at++) {
    const piece = toPieceIndex(at)
    while (!stored.stored.has(piece)) await waitForMore()
    yield await stored.read(piece, signal, spare())
  }
}
