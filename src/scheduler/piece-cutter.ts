import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import type { PieceRun } from '../core/pieces/picker.ts'
import type { PieceBuffers } from './piece-buffers.ts'

/** Whole bytes of one piece, unverified. */
export interface CutPiece {
  readonly index: PieceIndex
  readonly bytes: Uint8Array
}

/** Cuts a stream of chunks at piece borders. Takes memory for one piece at a time, of the size the manifest says. */
export interface PieceCutter {
  /** Pieces that this chunk completes, in order. Bytes past the run are an error of the source and are dropped here; it is held to its length by the caller. */
  push(chunk: Uint8Array): readonly CutPiece[]
}

/** @param run asked anew each time, since it may be extended */
export function createPieceCutter(buffers: PieceBuffers, run: () => PieceRun): PieceCutter {
  let index = run().start
  let buffer: Uint8Array | undefined
  let filled = 0
  return {
    push(chunk) {
      const cut: CutPiece[] = []
      let rest = chunk
      while (rest.length > 0 && index < run().end) {
        buffer ??= buffers.take(index)
        const taken = rest.subarray(0, buffer.length - filled)
        buffer.set(taken, filled)
        filled += taken.length
        rest = rest.subarray(taken.length)
        if (filled < buffer.length) break
        cut.push({ index, bytes: buffer })
        index = toPieceIndex(index + 1)
        buffer = undefined
        filled = 0
      }
      return cut
    },
  }
}
