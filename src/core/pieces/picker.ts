import { toPieceIndex, type PieceIndex, type SourceId } from '../model/ids.ts'

/** The questions that piece choice asks. Implemented by the scheduler's ledger, and by literals in tests. */
export interface PieceView {
  readonly pieceCount: number
  isStored(piece: PieceIndex): boolean
  /** Somebody is fetching it and still in good standing. */
  isInFlight(piece: PieceIndex): boolean
  isOffered(piece: PieceIndex, by: SourceId): boolean
  /** How many known sources offer it. */
  replicas(piece: PieceIndex): number
  /** Transfers that hold it now, released ones included. */
  holders(piece: PieceIndex): number
  isHeldBy(piece: PieceIndex, by: SourceId): boolean
  /** When the best holder will be through with it, from now. Infinite when it stands still. */
  etaMs(piece: PieceIndex): number
}

/** Half-open run of pieces. */
export interface PieceRun {
  readonly start: PieceIndex
  readonly end: number
}

/** First run of pieces that nobody has or fetches, at most `most` long. In order: the whole-file hash follows the prefix. */
export function pickRun(view: PieceView, by: SourceId, most: number): PieceRun | undefined {
  const isFree = (at: number): boolean => {
    const piece = toPieceIndex(at)
    return !view.isStored(piece) && !view.isInFlight(piece) && !view.isHeldBy(piece, by) && view.isOffered(piece, by)
  }
  let start = 0
  while (start < view.pieceCount && !isFree(start)) start++
  if (start === view.pieceCount) return undefined
  let end = start + 1
  while (end < view.pieceCount && end - start < most && isFree(end)) end++
  return { start: toPieceIndex(start), end }
}

/** Rarest missing piece that this source offers; lowest index on a tie; undefined when there is none. */
export function pickRarest(view: PieceView, by: SourceId): PieceIndex | undefined {
  let best: PieceIndex | undefined
  let bestReplicas = Infinity
  for (let at = 0; at < view.pieceCount; at++) {
    const piece = toPieceIndex(at)
    if (view.isStored(piece) || view.isInFlight(piece) || view.isHeldBy(piece, by) || !view.isOffered(piece, by)) continue
    const replicas = view.replicas(piece)
    if (replicas >= bestReplicas) continue
    best = piece
    bestReplicas = replicas
  }
  return best
}

/** A duplicate must be expected this much sooner than the original, or it is waste. */
const STEAL_ADVANTAGE = 1.3
/** Transfers on one piece, at most: end-game duplicates, never a stampede. */
const MOST_HOLDERS = 2

/** End game: the piece in flight elsewhere that this source would finish soonest before its holder. Undefined: none is worth it. */
export function pickSteal(view: PieceView, by: SourceId, ownMs: number): PieceIndex | undefined {
  let best: PieceIndex | undefined
  let bestGainMs = 0
  for (let at = view.pieceCount - 1; at >= 0; at--) {
    const piece = toPieceIndex(at)
    if (view.isStored(piece) || view.isHeldBy(piece, by) || !view.isOffered(piece, by)) continue
    if (view.holders(piece) >= MOST_HOLDERS) continue
    const etaMs = view.etaMs(piece)
    const gainMs = etaMs - ownMs
    if (etaMs <= ownMs * STEAL_ADVANTAGE || gainMs <= bestGainMs) continue
    best = piece
    bestGainMs = gainMs
  }
  return best
}
