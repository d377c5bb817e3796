/** What is known of a peer when one is chosen. */
export interface PeerFacts {
  /** Of what it sent lately; 0 while unknown. */
  readonly bytesPerSecond: number
  /** It is in our own network. */
  readonly isLan: boolean
  /** Failures since something of it was last verified. */
  readonly strikes: number
  /** Pieces that it is being asked for. */
  readonly underWay: number
}

/** Peers that nothing is known of are tried as if they were a tenth as fast as the best: often enough to find a better one. */
const UNPROVEN_SHARE = 0.1
/** Bytes within a network are cheaper than the rate alone says: they spare the line that everybody shares. */
const LAN_WEIGHT = 3
/** From so many on, a peer is asked only when nobody else has anything. */
const DEMOTING_STRIKES = 2
/** Of all pieces under way, that one peer may hold while others could: its going would otherwise stop everything. */
const SHARE_OF_ONE = 0.5

/**
 * The peer to ask next: by chance, in proportion to what each sent lately, shared by the requests that it has already. Always asking the best
 * would send a whole room to one peer, and never find out that another has got better.
 * @param random 0 to below 1
 */
export function choosePeer<T extends PeerFacts>(peers: readonly T[], random: () => number): T | undefined {
  const trusted = peers.filter(({ strikes }) => strikes < DEMOTING_STRIKES)
  const pool = trusted.length > 0 ? trusted : peers
  const best = pool.reduce((most, { bytesPerSecond }) => Math.max(most, bytesPerSecond), 0)
  const weights = pool.map((peer) => weightOf(peer, best))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let draw = random() * total
  for (const [at, peer] of pool.entries()) {
    draw -= weights[at] ?? 0
    if (draw < 0) return peer
  }
  return pool.at(-1)
}

/** A peer this much slower than the best leaves it room. */
const SLOW_FACTOR = 2

export interface Scarcity {
  /** Pieces that may be asked for yet. */
  readonly spare: number
  /** Of the best peer of all, whether it can be asked now or not. */
  readonly best: number
  /** Pieces that the best peer may be asked for yet. */
  readonly forBest: number
}

/** Those that may have room. A slow peer holds on to it for long, and a dozen of them to all of it, while the best one waits for some. */
export function leavingRoom<T extends PeerFacts>(peers: readonly T[], { spare, best, forBest }: Scarcity): readonly T[] {
  return spare > forBest ? peers : peers.filter(({ bytesPerSecond }) => bytesPerSecond * SLOW_FACTOR >= best)
}

function weightOf({ bytesPerSecond, isLan, underWay }: PeerFacts, best: number): number {
  const rate = bytesPerSecond > 0 ? bytesPerSecond : best > 0 ? best * UNPROVEN_SHARE : 1
  return (rate * (isLan ? LAN_WEIGHT : 1)) / (1 + underWay)
}

/**
 * Pieces that all peers together may be asked for at once. A line is full with fewer; more would only wait in the queues of others, and whoever
 * knows many peers would take the turns of those who know few.
 */
export const MOST_ASKED_FOR = 8

/** A request further is on its way to a peer for as long before the one in hand is through. */
const AHEAD_MS = 150
/** Requests of one peer at once. The protocol allows four. */
const MOST_OF_ONE = 3

export interface Depth {
  /** Pieces that may be under way in all. */
  readonly window: number
  /** Other peers could be asked. */
  readonly hasOthers: boolean
  readonly bytesPerSecond: number
  readonly pieceBytes: number
}

/**
 * Pieces that one peer may be asked for at once: as many as keep its line full. A piece that waits there behind another is kept from whoever
 * could send it now, and in a crowd that begins nearly everybody could.
 */
export function mostOfOne({ window, hasOthers, bytesPerSecond, pieceBytes }: Depth): number {
  if (!hasOthers) return Math.min(MOST_OF_ONE, window)
  const ahead = Math.floor((bytesPerSecond * AHEAD_MS) / (1000 * pieceBytes))
  return Math.min(1 + ahead, MOST_OF_ONE, Math.max(1, Math.floor(window * SHARE_OF_ONE)))
}
