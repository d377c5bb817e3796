import { isPeerSourceId, toPieceIndex, type PieceIndex, type SourceId } from '../model/ids.ts'

/** The questions that piece choice asks. Implemented by the scheduler's ledger, and by literals in tests. */
export interface PieceView {
  readonly pieceCount: number
  /** No piece before this one is missing. */
  readonly firstMissing: number
  /** Pieces that are not kept yet. */
  missing(): number
  /** Of those, pieces that nobody fetches. */
  readonly freeCount: number
  /** Kept, or verified and about to be. */
  isStored(piece: PieceIndex): boolean
  /** Somebody is fetching it and still in good standing. */
  isInFlight(piece: PieceIndex): boolean
  isOffered(piece: PieceIndex, by: SourceId): boolean
  /** What each transfer still has to bring, released ones included, in the order in which they began. */
  runs(): Iterable<HeldRun>
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

export interface HeldRun extends PieceRun {
  readonly by: SourceId
}

export interface RunSize {
  /** Pieces, at most. */
  readonly most: number
  /** A run that passes a multiple of this many pieces ends at one, so that no slice of a cache on the way is fetched for two runs. */
  readonly align: number
  /** Where to begin, when that piece is free. */
  readonly from?: PieceIndex | undefined
}

/** First run of pieces that nobody has or fetches. In order: the whole-file hash follows the prefix. */
export function pickRun(view: PieceView, by: SourceId, { most, align, from }: RunSize): PieceRun | undefined {
  const isFree = (at: number): boolean => {
    const piece = toPieceIndex(at)
    return !view.isStored(piece) && !view.isInFlight(piece) && !view.isHeldBy(piece, by) && view.isOffered(piece, by)
  }
  let start: number = from !== undefined && isFree(from) ? from : view.firstMissing
  while (start < view.pieceCount && !isFree(start)) start++
  if (start >= view.pieceCount) return undefined
  let end = start + 1
  while (end < view.pieceCount && end - start < most && isFree(end)) end++
  const border = end - (end % align)
  return { start: toPieceIndex(start), end: border > start && end < view.pieceCount ? border : end }
}

/** A duplicate must be expected this much sooner than the original, or it is waste. */
const STEAL_ADVANTAGE = 1.3
/** Transfers on one piece, at most: duplicates, never a stampede. */
const MOST_HOLDERS = 2
/** Pieces of one run that are looked at. A run may be a whole artifact of 65,536. */
const LOOKED_AT = 64

/**
 * The piece in flight elsewhere that this source would finish soonest before its holder: the tail of a slow run first. Undefined: none is worth it.
 * A peer takes none from another peer: before the end, what both send once is worth more to the swarm.
 */
export function pickSteal(view: PieceView, by: SourceId, ownMs: number): PieceIndex | undefined {
  const isPeer = isPeerSourceId(by)
  let best: PieceIndex | undefined
  let bestGainMs = 0
  for (const run of view.runs()) {
    if (isPeer && isPeerSourceId(run.by)) continue
    // Within a run, what comes last is due last.
    const piece = findShared(view, by, { run, mostHolders: MOST_HOLDERS, from: 'end' })
    if (piece === undefined) continue
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
  for (const run of view.runs()) {
    const piece = findShared(view, by, { run, mostHolders, from: 'start' })
    if (piece !== undefined && (best === undefined || piece < best)) best = piece
  }
  return best
}

/** The end game: so many pieces are missing, or so large a share. */
const END_PIECES = 4
const END_SHARE = 0.02
/** Transfers on one piece then, the first one included. */
const END_HOLDERS = 3

/** What a peer with nothing else to do fetches beside others when the last pieces are all on their way: the one that was asked for first. */
export function pickLast(view: PieceView, by: SourceId): PieceIndex | undefined {
  if (view.freeCount > 0 || view.missing() > Math.max(END_PIECES, view.pieceCount * END_SHARE)) return undefined
  for (const run of view.runs()) {
    const piece = findShared(view, by, { run, mostHolders: END_HOLDERS, from: 'start' })
    if (piece !== undefined) return piece
  }
  return undefined
}

interface Search {
  readonly run: PieceRun
  readonly mostHolders: number
  readonly from: 'start' | 'end'
}

function findShared(view: PieceView, by: SourceId, { run, mostHolders, from }: Search): PieceIndex | undefined {
  for (let step = 0; step < Math.min(run.end - run.start, LOOKED_AT); step++) {
    const piece = toPieceIndex(from === 'start' ? run.start + step : run.end - 1 - step)
    if (!view.isStored(piece) && !view.isHeldBy(piece, by) && view.isOffered(piece, by) && view.holders(piece) < mostHolders) return piece
  }
  return undefined
}
