import { pieceRange, type Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../core/model/ids.ts'
import type { PieceView } from '../core/pieces/picker.ts'
import type { StoredArtifact } from '../core/ports.ts'
import type { SourceState } from './source-state.ts'
import { transferEtaMs, type Transfer } from './transfer.ts'

/** Which pieces are kept, who fetches which, and what that means for the next choice. */
export interface Ledger extends PieceView {
  claim(transfer: Transfer): void
  /** The transfer goes on to the end of the artifact. */
  extend(transfer: Transfer): void
  /** The transfer is through with its next piece. */
  advance(transfer: Transfer): void
  unclaim(transfer: Transfer): void
  /** This piece is verified and on its way into the store: nobody else need fetch it. False when it is there, or on its way, already. */
  beginKeeping(piece: PieceIndex): boolean
  endKeeping(piece: PieceIndex): void
  /** True when some piece of the transfer is still wanted. */
  isNeeded(transfer: Transfer): boolean
  isComplete(): boolean
  missing(): number
  running(): ReadonlySet<Transfer>
}

export interface LedgerQuestions {
  readonly nowMs: () => number
  /** Those that may still be asked. */
  readonly sources: () => readonly SourceState[]
  readonly source: (id: SourceId) => SourceState | undefined
}

const NOBODY: readonly Transfer[] = []

/** Who holds which piece. By piece: choosing is asked for at every chunk border of every lane, and an artifact may have 65,536 pieces. */
function createHolders() {
  const holding = new Map<PieceIndex, readonly Transfer[]>()
  const of = (piece: PieceIndex): readonly Transfer[] => holding.get(piece) ?? NOBODY
  return {
    of,
    pieces: () => holding.keys(),
    hold(transfer: Transfer, from: number, end: number): void {
      for (let at = from; at < end; at++) holding.set(toPieceIndex(at), [...of(toPieceIndex(at)), transfer])
    },
    letGo(transfer: Transfer, from: number, end: number): void {
      for (let at = from; at < end; at++) {
        const piece = toPieceIndex(at)
        const rest = of(piece).filter((one) => one !== transfer)
        if (rest.length === 0) holding.delete(piece)
        else holding.set(piece, rest)
      }
    },
  }
}

export function createLedger(artifact: Artifact, stored: StoredArtifact, ask: LedgerQuestions): Ledger {
  const transfers = new Set<Transfer>()
  const holders = createHolders()
  const keeping = new Set<PieceIndex>()
  let firstMissing = 0
  return {
    pieceCount: artifact.pieces.count,
    get firstMissing() {
      while (firstMissing < artifact.pieces.count && stored.stored.has(toPieceIndex(firstMissing))) firstMissing++
      return firstMissing
    },
    isStored: (piece) => keeping.has(piece) || stored.stored.has(piece),
    isInFlight: (piece) => holders.of(piece).some((transfer) => !transfer.isReleased),
    isOffered: (piece, by) => ask.source(by)?.source.isOffered(artifact, piece) ?? false,
    replicas: (piece) => ask.sources().filter((state) => state.source.isOffered(artifact, piece)).length,
    held: () => holders.pieces(),
    holders: (piece) => holders.of(piece).length,
    isHeldBy: (piece, by) => holders.of(piece).some((transfer) => transfer.by.source.id === by),
    etaMs(piece) {
      const pieceBytes = artifact.pieces.lengthBytes
      return Math.min(...holders.of(piece).map((transfer) => transferEtaMs(transfer, piece, pieceBytes, ask.nowMs())))
    },
    claim(transfer) {
      transfers.add(transfer)
      holders.hold(transfer, transfer.run.start, transfer.run.end)
    },
    extend(transfer) {
      const before = transfer.run.end
      transfer.run = { start: transfer.run.start, end: artifact.pieces.count }
      holders.hold(transfer, before, transfer.run.end)
    },
    advance(transfer) {
      holders.letGo(transfer, transfer.nextPiece, transfer.nextPiece + 1)
      transfer.nextPiece++
    },
    unclaim(transfer) {
      transfers.delete(transfer)
      holders.letGo(transfer, transfer.nextPiece, transfer.run.end)
    },
    beginKeeping(piece) {
      if (keeping.has(piece) || stored.stored.has(piece)) return false
      keeping.add(piece)
      return true
    },
    endKeeping: (piece) => void keeping.delete(piece),
    isNeeded(transfer) {
      for (let at = transfer.nextPiece; at < transfer.run.end; at++) if (!stored.stored.has(toPieceIndex(at))) return true
      return false
    },
    isComplete: () => stored.stored.isFull(),
    missing: () => artifact.pieces.count - stored.stored.size,
    running: () => transfers,
  }
}

/** Bytes of a run, half-open. */
export function runBytes(artifact: Artifact, run: { readonly start: PieceIndex; readonly end: number }): { start: number; end: number } {
  return {
    start: pieceRange(artifact, run.start).start,
    end: pieceRange(artifact, toPieceIndex(run.end - 1)).end,
  }
}
