import type { Artifact } from '../../src/core/model/artifact.ts'
import { createBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, type PieceIndex } from '../../src/core/model/ids.ts'
import type { Offered } from '../../src/core/ports.ts'

/** What a source that says it of each piece offers in all. */
export function offeredBy(artifact: Artifact, isOffered: (piece: PieceIndex) => boolean): Offered {
  const bits = createBitfield(artifact.pieces.count)
  for (let at = 0; at < artifact.pieces.count; at++) if (isOffered(toPieceIndex(at))) bits.add(toPieceIndex(at))
  return bits.isFull() ? 'all' : bits.toBytes()
}
