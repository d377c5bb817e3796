import { pieceRange, type PieceSpace } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import type { Backing, OpenBacking } from './backing.ts'
import { withDeadline } from './deadline.ts'
import type { PieceBlobs, PieceFlags } from './index-pieces.ts'
import { ownBytes } from './own-bytes.ts'
import { storeFailed } from './store-failure.ts'

export interface BlobBackingParts {
  readonly flags: PieceFlags
  readonly blobs: PieceBlobs
  readonly clock: Clock
}

/** Keeps each piece as a blob in the index, in one transaction with its flag. Works in service workers and private windows. */
export function createBlobBacking(parts: BlobBackingParts): Backing {
  const open: Backing['open'] = async (artifact, signal) => {
    const flags = await parts.flags.list(artifact.sha256, 'blobs', signal)
    return openBlobs(artifact, new Map(flags.map((flag) => [flag.index, flag.source])), parts)
  }
  return {
    kind: 'blobs',
    open,
    view: open,
    readPiece: (artifact, piece, signal) => openBlobs(artifact, new Map(), parts).read(piece, signal),
    // The index dropped the blobs together with the flags.
    remove: async () => undefined,
  }
}

function openBlobs(artifact: PieceSpace, kept: OpenBacking['kept'], { flags, blobs, clock }: BlobBackingParts): OpenBacking {
  const blobOf = async (piece: PieceIndex, signal: AbortSignal): Promise<Blob> => {
    const blob = await blobs.get(artifact.sha256, piece, signal)
    const range = pieceRange(artifact, piece)
    if (blob?.size !== range.end - range.start) throw storeFailed(`piece ${piece} is not as long as it was`)
    return blob
  }
  return {
    kind: 'blobs',
    isWritable: true,
    kept,
    prepare: async () => undefined,
    isGone: async () => false,
    keep: async (pieces, signal) => {
      const entries = pieces.map(({ index, source, bytes }) => ({
        flag: { index, source, backing: 'blobs' as const, atMs: clock.nowMs() },
        blob: new Blob([ownBytes(bytes)]),
      }))
      await blobs.add(artifact.sha256, entries, signal)
    },
    read: async (piece, signal) => {
      const blob = await blobOf(piece, signal)
      return new Uint8Array(await withDeadline(blob.arrayBuffer(), 'reading a piece', signal))
    },
    parts: async (first, count, signal) =>
      await Promise.all(Array.from({ length: count }, (_, i) => blobOf(toPieceIndex(first + i), signal))),
    forget: (pieces, signal) => flags.remove(artifact.sha256, pieces, signal),
    close: async () => undefined,
    release: () => undefined,
  }
}
