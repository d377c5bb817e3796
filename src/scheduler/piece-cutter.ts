import { toPieceIndex, type PieceIndex } from '../core/model/ids.ts'
import type { PieceRun } from '../core/pieces/picker.ts'
import type { PieceBuffers } from './piece-buffers.ts'

/** Whole bytes of one piece, unverified. */
export interface CutPiece {
  readonly index: PieceIndex
  readonly bytes: Uint8Array
}

/** What became of a chunk. */
export interface Cut {
  /** Whole now. */
  readonly piece: CutPiece | undefined
  /** Of the chunk, behind the border of that piece. */
  readonly rest: Uint8Array
}

/** Cuts a stream of chunks at piece borders. Takes memory for one piece at a time, of the size the manifest says. */
export interface PieceCutter {
  /** All of the run was cut. What comes yet is an error of the source. */
  isDone(): boolean
  /** Takes what belongs to the piece that comes next, and memory for it where it is the first of it. */
  push(chunk: Uint8Array): Cut
  /** Gives back memory that is not full. */
  drop(): void
}

/** @param run asked anew each time, since it may be extended */
export function createPieceCutter(buffers: PieceBuffers, run: () => PieceRun): PieceCutter {
  let index = run().start
  let buffer: Uint8Array | undefined
  let filled = 0
  return {
    isDone: () => index >= run().end,
    push(chunk) {
      const bytes = (buffer ??= buffers.take(index))
      const taken = chunk.subarray(0, bytes.length - filled)
      bytes.set(taken, filled)
      filled += taken.length
      const rest = chunk.subarray(taken.length)
      if (filled < bytes.length) return { piece: undefined, rest }
      const piece = { index, bytes }
      index = toPieceIndex(index + 1)
      buffer = undefined
      filled = 0
      return { piece, rest }
    },
    drop() {
      if (buffer !== undefined) buffers.giveBack(buffer)
      buffer = undefined
    },
  }
}
