import type { Offered } from '../ports.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../model/ids.ts'
import type { PieceRun } from './picker.ts'

/**
 * How pieces are chosen among peers. `in-order`: rarest of the next few, then the next. `rarest`: so that none dies out, and peers have something to
 * give to each other. `random`: a first piece that few others begin with, for a rare one would come from one busy peer.
 */
export type PieceOrder = 'in-order' | 'rarest' | 'random'

export interface PieceQuestion {
  /** Bits of the pieces that may be chosen, most significant first. */
  readonly free: Uint8Array
  readonly order: PieceOrder
  /** No piece before this one is missing. */
  readonly firstMissing: number
  /** Not from this peer: it holds the piece already, and stands still. Asked of few. */
  readonly isBarred: (piece: PieceIndex) => boolean
  /** 0 to below 1. */
  readonly random: () => number
}

/** How many peers offer each piece. Only what changed is counted again: an artifact may have 65,536 pieces, and peers tell of each. */
export interface Rarity {
  /** What a peer offers now; undefined: nothing, or it left. Bits are copied. */
  note(by: SourceId, offered: Offered | undefined): void
  /** True when this peer has everything. */
  isWhole(by: SourceId): boolean
  /** True when this peer offers one of those pieces. */
  offersAny(by: SourceId, free: Uint8Array): boolean
  /** @param by undefined: from whoever has everything, but is no peer */
  pick(by: SourceId | undefined, question: PieceQuestion): PieceIndex | undefined
}

/** Pieces after the first missing one within which order gives way to rarity. */
const WINDOW_PIECES = 16

export function createRarity(pieceCount: number): Rarity {
  return new Counts(pieceCount)
}

class Counts implements Rarity {
  readonly #pieceCount: number
  /** Peers that offer a piece. Those who have everything are left out: they make no piece rarer than another. */
  readonly #counts: Uint16Array
  readonly #offers = new Map<SourceId, Offered>()

  constructor(pieceCount: number) {
    this.#pieceCount = pieceCount
    this.#counts = new Uint16Array(Math.ceil(pieceCount / 8) * 8)
  }

  note(by: SourceId, offered: Offered | undefined): void {
    const known = this.#offers.get(by)
    if (offered === 'all' || offered === undefined) {
      if (known !== undefined && known !== 'all') this.#count(known, undefined)
      if (offered === undefined) this.#offers.delete(by)
      else this.#offers.set(by, offered)
      return
    }
    const kept = known === undefined || known === 'all' ? new Uint8Array(Math.ceil(this.#pieceCount / 8)) : known
    this.#count(kept, offered)
    this.#offers.set(by, kept)
  }

  isWhole(by: SourceId): boolean {
    return this.#offers.get(by) === 'all'
  }

  offersAny(by: SourceId, free: Uint8Array): boolean {
    const offered = this.#offers.get(by)
    if (offered === undefined) return false
    for (let at = 0; at < free.length; at++) if (((free[at] ?? 0) & (offered === 'all' ? 0xff : (offered[at] ?? 0))) !== 0) return true
    return false
  }

  pick(by: SourceId | undefined, question: PieceQuestion): PieceIndex | undefined {
    const { order, firstMissing } = question
    const offered = by === undefined ? 'all' : this.#offers.get(by)
    if (offered === undefined) return undefined
    if (order !== 'in-order') return this.#among(offered, question, { start: toPieceIndex(0), end: this.#pieceCount })
    const border = Math.min(this.#pieceCount, firstMissing + WINDOW_PIECES)
    const next = this.#among(offered, question, { start: toPieceIndex(firstMissing), end: border })
    return next ?? this.#among(offered, question, { start: toPieceIndex(border), end: this.#pieceCount })
  }

  /** The best piece of a range. */
  #among(offered: Offered, question: PieceQuestion, range: PieceRun): PieceIndex | undefined {
    const { free, order, firstMissing } = question
    const isFirstGood = order === 'in-order' && range.start > firstMissing
    const draw = createDraw(question)
    for (let byte = range.start >> 3; byte * 8 < range.end; byte++) {
      let bits = (free[byte] ?? 0) & (offered === 'all' ? 0xff : (offered[byte] ?? 0)) & maskOf(byte, range)
      while (bits !== 0) {
        const place = Math.clz32(bits) - 24
        bits &= ~(0x80 >> place)
        const at = byte * 8 + place
        draw.consider(toPieceIndex(at), order === 'random' ? 0 : (this.#counts[at] ?? 0))
        if (isFirstGood && draw.best() !== undefined) return draw.best()
      }
    }
    return draw.best()
  }

  /** Brings the counts, and `kept` itself, from what it says to what `offered` says. */
  #count(kept: Uint8Array, offered: Uint8Array | undefined): void {
    for (let byte = 0; byte < kept.length; byte++) {
      const before = kept[byte] ?? 0
      const now = offered?.[byte] ?? 0
      let changed = before ^ now
      if (changed === 0) continue
      kept[byte] = now
      while (changed !== 0) {
        const place = Math.clz32(changed) - 24
        const bit = 0x80 >> place
        changed &= ~bit
        const at = byte * 8 + place
        this.#counts[at] = (this.#counts[at] ?? 0) + ((now & bit) !== 0 ? 1 : -1)
      }
    }
  }
}

/** Bits of one byte that lie in a range. */
function maskOf(byte: number, { start, end }: PieceRun): number {
  const from = Math.max(0, start - byte * 8)
  const to = Math.min(8, end - byte * 8)
  return (0xff >> from) & (0xff << (8 - to)) & 0xff
}

/** The rarest of those that were considered. Each of the equals has the same chance; in order, the first of them stays. */
function createDraw({ order, isBarred, random }: PieceQuestion) {
  let best: PieceIndex | undefined
  let bestCount = Infinity
  let ties = 0
  return {
    best: () => best,
    consider(piece: PieceIndex, count: number): void {
      if (count > bestCount) return
      const tiesNow = count < bestCount ? 1 : ties + 1
      if (tiesNow > 1 && (order === 'in-order' || random() * tiesNow >= 1)) {
        ties = tiesNow
        return
      }
      if (isBarred(piece)) return
      ties = tiesNow
      best = piece
      bestCount = count
    },
  }
}
