import { pieceRange, type Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../core/model/ids.ts'
import type { PieceView } from '../core/pieces/picker.ts'
import type { StoredArtifact } from '../core/ports.ts'
import type { SourceState } from './source-state.ts'
import { transferEtaMs, type Transfer } from './transfer.ts'

/** Which pieces are kept, who fetches which, and what that means for the next choice. */
export interface Ledger extends PieceView {
  claim(transfer: Transfer): void
  unclaim(transfer: Transfer): void
  /** True when some piece of the transfer is still wanted. */
  isNeeded(transfer: Transfer): boolean
  isComplete(): boolean
  missing(): number
  running(): readonly Transfer[]
}

export interface LedgerQuestions {
  readonly nowMs: () => number
  /** Those that may still be asked. */
  readonly sources: () => readonly SourceState[]
  readonly source: (id: SourceId) => SourceState | undefined
}

export function createLedger(artifact: Artifact, stored: StoredArtifact, ask: LedgerQuestions): Ledger {
  const transfers = new Set<Transfer>()
  const covers = (transfer: Transfer, piece: PieceIndex): boolean => piece >= transfer.nextPiece && piece < transfer.run.end
  const holding = (piece: PieceIndex): Transfer[] => [...transfers].filter((transfer) => covers(transfer, piece))
  const isOffered = (piece: PieceIndex, by: SourceId): boolean => ask.source(by)?.source.isOffered(artifact, piece) ?? false

  return {
    pieceCount: artifact.pieces.count,
    isStored: (piece) => stored.stored.has(piece),
    isInFlight: (piece) => holding(piece).some((transfer) => !transfer.isReleased),
    isOffered,
    replicas: (piece) => ask.sources().filter((state) => state.source.isOffered(artifact, piece)).length,
    holders: (piece) => holding(piece).length,
    isHeldBy: (piece, by) => holding(piece).some((transfer) => transfer.by.source.id === by),
    etaMs(piece) {
      const pieceBytes = artifact.pieces.lengthBytes
      return Math.min(...holding(piece).map((transfer) => transferEtaMs(transfer, piece, pieceBytes, ask.nowMs())))
    },
    claim: (transfer) => void transfers.add(transfer),
    unclaim: (transfer) => void transfers.delete(transfer),
    isNeeded(transfer) {
      for (let at = transfer.nextPiece; at < transfer.run.end; at++) if (!stored.stored.has(toPieceIndex(at))) return true
      return false
    },
    isComplete: () => stored.stored.isFull(),
    missing: () => artifact.pieces.count - stored.stored.size,
    running: () => [...transfers],
  }
}

/** Bytes of a run, half-open. */
export function runBytes(artifact: Artifact, run: { readonly start: PieceIndex; readonly end: number }): { start: number; end: number } {
  return {
    start: pieceRange(artifact, run.start).start,
    end: pieceRange(artifact, toPieceIndex(run.end - 1)).end,
  }
}
