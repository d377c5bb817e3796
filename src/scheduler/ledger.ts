import { pieceRange, type Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../core/model/ids.ts'
import type { HeldRun, PieceView } from '../core/pieces/picker.ts'
import type { StoredArtifact } from '../core/ports.ts'
import type { SourceState } from './source-state.ts'
import { transferEtaMs, type Transfer } from './transfer.ts'

/** Which pieces are kept, who fetches which, and what that means for the next choice. */
export interface Ledger extends PieceView {
  /** Bits of the pieces that are neither kept nor fetched by anybody in good standing, most significant first. Changes as those do. */
  readonly free: Uint8Array
  claim(transfer: Transfer): void
  /** The transfer goes on to the end of the artifact. */
  extend(transfer: Transfer): void
  /** The transfer is through with its next piece. */
  advance(transfer: Transfer): void
  unclaim(transfer: Transfer): void
  /** Its pieces may be taken by others. */
  release(transfer: Transfer): void
  /** Transfers on this piece. */
  holdersOf(piece: PieceIndex): readonly Transfer[]
  /** This piece is verified and on its way into the store: nobody else need fetch it. False when it is there, or on its way, already. */
  beginKeeping(piece: PieceIndex): boolean
  endKeeping(piece: PieceIndex): void
  /** True when some piece of the transfer is still wanted. */
  isNeeded(transfer: Transfer): boolean
  isComplete(): boolean
  running(): ReadonlySet<Transfer>
}

export interface LedgerQuestions {
  readonly nowMs: () => number
  readonly source: (id: SourceId) => SourceState | undefined
}

const NOBODY: readonly Transfer[] = []

/**
 * Who holds which piece. By piece: every lane asks for one each time that it wakes, and an artifact may have 65,536 of them.
 * @param onChange called for each piece whose holders changed
 */
function createHolders(onChange: (piece: PieceIndex) => void) {
  const holding = new Map<PieceIndex, readonly Transfer[]>()
  const of = (piece: PieceIndex): readonly Transfer[] => holding.get(piece) ?? NOBODY
  return {
    of,
    hold(transfer: Transfer, from: number, end: number): void {
      for (let at = from; at < end; at++) {
        const piece = toPieceIndex(at)
        holding.set(piece, [...of(piece), transfer])
        onChange(piece)
      }
    },
    letGo(transfer: Transfer, from: number, end: number): void {
      for (let at = from; at < end; at++) {
        const piece = toPieceIndex(at)
        const rest = of(piece).filter((one) => one !== transfer)
        if (rest.length === 0) holding.delete(piece)
        else holding.set(piece, rest)
        onChange(piece)
      }
    },
  }
}

/** Pieces for which `isFree` was true when they were last looked at. */
function createFreeSet(pieceCount: number, isFree: (piece: PieceIndex) => boolean) {
  const bits = new Uint8Array(Math.ceil(pieceCount / 8))
  let count = 0
  return {
    bits,
    count: () => count,
    look(piece: PieceIndex): void {
      const byte = piece >> 3
      const bit = 0x80 >> (piece & 7)
      const before = bits[byte] ?? 0
      if (((before & bit) !== 0) === isFree(piece)) return
      bits[byte] = before ^ bit
      count += (before & bit) === 0 ? 1 : -1
    },
  }
}

export function createLedger(artifact: Artifact, stored: StoredArtifact, ask: LedgerQuestions): Ledger {
  const keeping = new Set<PieceIndex>()
  const isStored = (piece: PieceIndex): boolean => keeping.has(piece) || stored.stored.has(piece)
  const isInFlight = (piece: PieceIndex): boolean => holders.of(piece).some((transfer) => !transfer.isReleased)
  const free = createFreeSet(artifact.pieces.count, (piece) => !isStored(piece) && !isInFlight(piece))
  const holders = createHolders(free.look)
  const transfers = new Set<Transfer>()
  for (let at = 0; at < artifact.pieces.count; at++) free.look(toPieceIndex(at))
  let firstMissing = 0
  return {
    ...createClaims(artifact, { transfers, holders, look: free.look }),
    pieceCount: artifact.pieces.count,
    get firstMissing() {
      while (firstMissing < artifact.pieces.count && stored.stored.has(toPieceIndex(firstMissing))) firstMissing++
      return firstMissing
    },
    free: free.bits,
    get freeCount() {
      return free.count()
    },
    isStored,
    isInFlight,
    isOffered: (piece, by) => ask.source(by)?.source.isOffered(artifact, piece) ?? false,
    holdersOf: (piece) => holders.of(piece),
    holders: (piece) => holders.of(piece).length,
    isHeldBy: (piece, by) => holders.of(piece).some((transfer) => transfer.by.source.id === by),
    etaMs(piece) {
      const pieceBytes = artifact.pieces.lengthBytes
      return Math.min(...holders.of(piece).map((transfer) => transferEtaMs(transfer, piece, pieceBytes, ask.nowMs())))
    },
    beginKeeping(piece) {
      if (isStored(piece)) return false
      keeping.add(piece)
      free.look(piece)
      return true
    },
    endKeeping(piece) {
      keeping.delete(piece)
      free.look(piece)
    },
    isNeeded(transfer) {
      for (let at = transfer.nextPiece; at < transfer.run.end; at++) if (!stored.stored.has(toPieceIndex(at))) return true
      return false
    },
    isComplete: () => stored.stored.isFull(),
    missing: () => artifact.pieces.count - stored.stored.size,
  }
}

interface ClaimTools {
  readonly transfers: Set<Transfer>
  readonly holders: ReturnType<typeof createHolders>
  readonly look: (piece: PieceIndex) => void
}

type Claims = Pick<Ledger, 'claim' | 'extend' | 'advance' | 'unclaim' | 'release' | 'running' | 'runs'>

function createClaims(artifact: Artifact, { transfers, holders, look }: ClaimTools): Claims {
  return {
    running: () => transfers,
    *runs() {
      for (const { by, nextPiece, run } of transfers)
        yield { by: by.source.id, start: toPieceIndex(nextPiece), end: run.end } satisfies HeldRun
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
    release(transfer) {
      transfer.isReleased = true
      for (let at = transfer.nextPiece; at < transfer.run.end; at++) look(toPieceIndex(at))
    },
  }
}

/** Bytes of a run, half-open. */
export function runBytes(artifact: Artifact, run: { readonly start: PieceIndex; readonly end: number }): { start: number; end: number } {
  return {
    start: pieceRange(artifact, run.start).start,
    end: pieceRange(artifact, toPieceIndex(run.end - 1)).end,
  }
}
