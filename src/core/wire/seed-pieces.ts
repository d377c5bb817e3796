import { pieceCount } from '../model/artifact.ts'
import { createBitfield, parseBitfield, type Bitfield } from '../model/bitfield.ts'
import { toPieceIndex } from '../model/ids.ts'
import type { Seedable } from './bridge-message.ts'

/** The pieces that a seed names. None where the bits do not fit its size. */
export function seedPieces({ sizeBytes, pieceLengthBytes, pieces }: Seedable): Bitfield {
  const count = pieceCount(sizeBytes, pieceLengthBytes)
  if (pieces !== 'all') return parseBitfield(count, pieces) ?? createBitfield(count)
  const all = createBitfield(count)
  for (let at = 0; at < count; at++) all.add(toPieceIndex(at))
  return all
}
