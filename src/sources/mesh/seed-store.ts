import type { Bitfield } from '../../core/model/bitfield.ts'
import type { PieceIndex, Sha256 } from '../../core/model/ids.ts'

/** How a seedable blob is cut. A document is one piece: `pieceLengthBytes` is its size. */
export interface SeedLayout {
  readonly sizeBytes: number
  readonly pieceLengthBytes: number
  readonly count: number
}

/** What peers may be given: verified bytes of artifacts that the catalogue lets peers pass on, with their documents. Nothing else. */
export interface SeedStore {
  /** Undefined when nothing of it may be given away. */
  layout(digest: Sha256): SeedLayout | undefined
  /** Pieces that are kept and verified. Undefined as `layout` is. */
  pieces(digest: Sha256): Bitfield | undefined
  /** Undefined when the piece is gone since. */
  readPiece(digest: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** The newest catalogue that this browser has verified, as served. */
  catalogue(signal: AbortSignal): Promise<Uint8Array | undefined>
  /** An accepted trust update, as served. */
  trustUpdate(version: number, signal: AbortSignal): Promise<Uint8Array | undefined>
}

/** Has nothing: a peer that only takes. */
export const emptySeedStore: SeedStore = {
  layout: () => undefined,
  pieces: () => undefined,
  readPiece: async () => undefined,
  catalogue: async () => undefined,
  trustUpdate: async () => undefined,
}
