import { toPieceIndex, type PieceIndex, type SourceId } from '../model/ids.ts'

/** The questions that piece choice asks. Implemented by the scheduler's ledger, and by literals in tests. */
export interface PieceView {
  readonly pieceCount: number
  /** No piece before this one is missing. */
  readonly firstMissing: number
  /** Kept, or verified and about to be. */
  isStored(piece: PieceIndex): boolean
  /** Somebody is fetching it and still in good standing. */
  isInFlight(piece: PieceIndex): boolean
  isOffered(piece: PieceIndex, by: SourceId): boolean
  /** How many known sources offer it. */
  replicas(piece: PieceIndex): number
  /** Pieces that some transfer holds now, released ones included, in no order. */
  held(): Iterable<PieceIndex>
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

export interface RunSize {
  /** Pieces, at most. */
  readonly most: number
  /** A run that passes a multiple of this many pieces ends at one, so that no slice of a cache on the way is fetched for two runs. */
  readonly align: number
}

/** First run of pieces that nobody has or fetches. In order: the whole-file hash follows the prefix. */
export function pickRun(view: PieceView, by: SourceId, { most, align }: RunSize): PieceRun | undefined {
  const isFree = (at: number): boolean => {
    const piece = toPieceIndex(at)
    return !view.isStored(piece) && !view.isInFlight(piece) && !view.isHeldBy(piece, by) && view.isOffered(piece, by)
  }
  let start = view.firstMissing
  while (start < view.pieceCount && !isFree(start)) start++
  if (start >= view.pieceCount) return undefined
  let end = start + 1
  while (end < view.pieceCount && end - start < most && isFree(end)) end++
  const border = end - (end % align)
  return { start: toPieceIndex(start), end: border > start && end < view.pieceCount ? border : end }
}

/** Rarest missing piece that this source offers; lowest index on a tie; undefined when there is none. */
export function pickRarest(view: PieceView, by: SourceId): PieceIndex | undefined {
  let best: PieceIndex | undefined
  let bestReplicas = Infinity
  for (let at = view.firstMissing; at < view.pieceCount; at++) {
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
/** Transfers on one piece, at most: duplicates, never a stampede. */
const MOST_HOLDERS = 2

/** The piece in flight elsewhere that this source would finish soonest before its holder: the tail of a slow run first. Undefined: none is worth it. */
export function pickSteal(view: PieceView, by: SourceId, ownMs: number): PieceIndex | undefined {
  let best: PieceIndex | undefined
  let bestGainMs = 0
  for (const piece of view.held()) {
    if (!isToBeShared(view, piece, by, MOST_HOLDERS)) continue
    const etaMs = view.etaMs(piece)
    const gainMs = etaMs - ownMs
    if (etaMs <= ownMs * STEAL_ADVANTAGE || gainMs < bestGainMs || (gainMs === bestGainMs && best !== undefined && piece <= best)) continue
    best = piece
    bestGainMs = gainMs
  }
  return best
}

/** The first piece in flight elsewhere, whoever may be sooner: for a race, and for a source that has to prove itself at nobody's cost. */
export function pickDuplicate(view: PieceView, by: SourceId, mostHolders = MOST_HOLDERS): PieceIndex | undefined {
  let best: PieceIndex | undefined
  for (const piece of view.held()) if (isToBeShared(view, piece, by, mostHolders) && (best === undefined || piece < best)) best = piece
  return best
}

function isToBeShared(view: PieceView, piece: PieceIndex, by: SourceId, mostHolders: number): boolean {
  return !view.isStored(piece) && !view.isHeldBy(piece, by) && view.isOffered(piece, by) && view.holders(piece) < mostHolders
}
