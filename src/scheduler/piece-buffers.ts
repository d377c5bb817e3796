import { pieceRange, type Artifact } from '../core/model/artifact.ts'
import type { PieceIndex } from '../core/model/ids.ts'

/**
 * Memory for pieces, used again: the system clears each fresh page before it hands it out, which takes twenty times as long as copying a
 * piece into one that was used before.
 */
export interface PieceBuffers {
  /** As long as the piece, with whatever was in it before. */
  take(piece: PieceIndex): Uint8Array
  /** Nobody reads these bytes any more. */
  giveBack(bytes: Uint8Array): void
}

/** As many as a delivery may hold at once: more are let go. */
export function createPieceBuffers(artifact: Artifact, most: number): PieceBuffers {
  const { lengthBytes } = artifact.pieces
  const spare: ArrayBuffer[] = []
  return {
    take(piece) {
      const { start, end } = pieceRange(artifact, piece)
      return new Uint8Array(spare.pop() ?? new ArrayBuffer(Math.min(lengthBytes, artifact.sizeBytes)), 0, end - start)
    },
    giveBack({ buffer }) {
      if (buffer instanceof ArrayBuffer && buffer.byteLength > 0 && spare.length < most) spare.push(buffer)
    },
  }
}
