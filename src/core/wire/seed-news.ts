import { LIMITS } from '../limits.ts'
import { isSha256, toPieceIndex, type PieceIndex, type Sha256 } from '../model/ids.ts'
import { openMessage } from './message-field.ts'

/** What engines of one origin tell each other about what can be given to peers. It proves nothing: who hears it looks for itself. */
export type SeedNews =
  /** These pieces were verified and stored just now. */
  | { readonly type: 'kept'; readonly sha256: Sha256; readonly pieces: readonly PieceIndex[] }
  /** Something is whole now, is forgotten, was refused, or its documents came. */
  | { readonly type: 'changed' }

/** Pieces that one message may name. */
export const PIECES_PER_NEWS = 4096

/** @throws {DeliveryError} `format-invalid` for anything else */
export function parseSeedNews(value: unknown): SeedNews {
  const get = openMessage(value).object(['type', 'sha256', 'pieces'])
  const type = get('type').oneOf(['kept', 'changed'])
  if (type === 'changed') return { type }
  const pieces = get('pieces').list(PIECES_PER_NEWS)
  return {
    type,
    sha256: get('sha256').checked(isSha256, '64 lower-case hex digits'),
    pieces: pieces.map((piece) => toPieceIndex(piece.integer(0, LIMITS.pieceListBytes / 32 - 1))),
  }
}
