import type { PieceIndex, Sha256 } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { DEFAULT_UPLOAD, wanSlots, type UploadLimits } from '../../core/plan/upload-limits.ts'
import type { LinkPath } from './peer-link.ts'
import { createUploadPace, type PacedSender, type UploadPace } from './upload-pace.ts'

export interface WantedPiece {
  readonly digest: Sha256
  readonly piece: PieceIndex
}

/** The serving half of one session, as the slots see it. */
export interface UploadHolder extends PacedSender {
  /** It waited for a slot, and has one now. */
  onSlot(): void
  /** What it may give changed: everything, or nothing any more. */
  onLimits(): void
}

/** One session's place among those that this page serves. */
export interface UploadLane {
  /** False: nothing is given to this peer, now and later. */
  readonly isOpen: boolean
  /**
   * `taken`: it has a slot, from before or from now on. `queued`: `onSlot` follows when one is free. `full`: too many wait already.
   * @param wanted what it is to be given first
   */
  enter(wanted: WantedPiece): 'taken' | 'queued' | 'full'
  /** Gives back its slot, or its place in the queue. */
  leave(): void
  /** How many of these bytes may go now; when fewer than wanted, `pump` is called later. */
  take(bytes: number): number
  /** Where the link leads, once that is known. Before, it counts as outside the local network. */
  setPath(path: LinkPath): void
  close(): void
}

/** How many peers are served at the same time, over all links of this page, who is next, and how fast. */
export interface UploadSlots {
  open(holder: UploadHolder): UploadLane
  /** This page begins to give a piece. */
  noteGiven(piece: WantedPiece): void
  readonly taken: number
}

export const UPLOAD_SLOTS = DEFAULT_UPLOAD.slots
/** Peers that wait for each slot. */
const QUEUED_PER_SLOT = 2
/** Turns that others may have before a peer that waits. */
const MOST_PASSED_OVER = 4

/**
 * @param limits whoever is left out of them has no pace: `clock` is needed for one
 */
export function createUploadSlots(
  limits: number | UploadLimits = UPLOAD_SLOTS,
  time?: { readonly clock: Clock; readonly signal: AbortSignal },
): UploadSlots {
  return new Slots(typeof limits === 'number' ? { ...DEFAULT_UPLOAD, slots: limits } : limits, time)
}

interface Paces {
  readonly lan: UploadPace
  readonly wan: UploadPace
}

/** What the slots do for one lane. */
interface SlotDesk {
  readonly paces: Paces | undefined
  readonly isWanOpen: () => boolean
  readonly enter: (lane: SlotLane, wanted: WantedPiece) => 'taken' | 'queued' | 'full'
  readonly leave: (lane: SlotLane) => void
  readonly close: (lane: SlotLane) => void
}

class SlotLane implements UploadLane {
  readonly holder: UploadHolder
  readonly #desk: SlotDesk
  isLan = false
  wanted: WantedPiece | undefined
  /** How often another got the slot for which it waits. */
  passedOver = 0

  constructor(holder: UploadHolder, desk: SlotDesk) {
    this.holder = holder
    this.#desk = desk
  }

  get isOpen(): boolean {
    return this.isLan || this.#desk.isWanOpen()
  }

  enter(wanted: WantedPiece): 'taken' | 'queued' | 'full' {
    return this.#desk.enter(this, wanted)
  }

  leave(): void {
    this.#desk.leave(this)
  }

  take(bytes: number): number {
    return this.#pace?.take(this.holder, bytes) ?? bytes
  }

  setPath(path: LinkPath): void {
    if (path === 'unknown' || (path === 'lan') === this.isLan) return
    this.#pace?.leave(this.holder)
    this.isLan = path === 'lan'
    this.holder.onLimits()
    this.holder.pump()
  }

  close(): void {
    this.#pace?.leave(this.holder)
    this.#desk.close(this)
  }

  get #pace(): UploadPace | undefined {
    return this.isLan ? this.#desk.paces?.lan : this.#desk.paces?.wan
  }
}

class Slots implements UploadSlots {
  readonly #limits: UploadLimits
  readonly #lanes = new Set<SlotLane>()
  readonly #holders = new Set<SlotLane>()
  readonly #queue = new Set<SlotLane>()
  readonly #paces: Paces | undefined
  /** How often each piece was given. Nobody is given what is not kept, so there are no more than that. */
  readonly #given = new Map<string, number>()

  constructor(limits: UploadLimits, time: { readonly clock: Clock; readonly signal: AbortSignal } | undefined) {
    this.#limits = limits
    if (time === undefined) return
    const { lanBytesPerSecond, wanBytesPerSecond, sessionBytes } = limits
    const { clock, signal } = time
    const onSpent = (): void => {
      for (const lane of this.#lanes) if (!lane.isLan) lane.holder.onLimits()
    }
    this.#paces = {
      lan: createUploadPace({ bytesPerSecond: lanBytesPerSecond, budgetBytes: undefined, clock, onSpent }, signal),
      wan: createUploadPace({ bytesPerSecond: wanBytesPerSecond, budgetBytes: sessionBytes, clock, onSpent }, signal),
    }
  }

  get taken(): number {
    return this.#holders.size
  }

  open(holder: UploadHolder): UploadLane {
    const lane = new SlotLane(holder, {
      paces: this.#paces,
      isWanOpen: () => this.#paces === undefined || (this.#limits.wanBytesPerSecond > 0 && this.#paces.wan.leftBytes !== 0),
      enter: (own, wanted) => this.#enter(own, wanted),
      leave: (own) => this.#leave(own),
      close: (own) => {
        this.#lanes.delete(own)
        this.#leave(own)
      },
    })
    this.#lanes.add(lane)
    return lane
  }

  noteGiven(piece: WantedPiece): void {
    this.#given.set(nameOf(piece), this.#timesGiven(piece) + 1)
  }

  #timesGiven(piece: WantedPiece | undefined): number {
    return piece === undefined ? 0 : (this.#given.get(nameOf(piece)) ?? 0)
  }

  /**
   * What was given less often goes first: a swarm is no faster than its seed gives away each piece once. Then whoever was given least. Who asks
   * for rare pieces alone gets no more by it than a few turns: nobody is passed over for ever.
   */
  #isBefore(one: SlotLane, other: SlotLane): boolean {
    if (one.isLan !== other.isLan) return one.isLan
    const [isDue, isOtherDue] = [one, other].map(({ passedOver }) => passedOver >= MOST_PASSED_OVER)
    if (isDue !== isOtherDue) return isDue === true
    const [own, others] = [this.#timesGiven(one.wanted), this.#timesGiven(other.wanted)]
    return own === others ? one.holder.servedBytes < other.holder.servedBytes : own < others
  }

  #enter(lane: SlotLane, wanted: WantedPiece): 'taken' | 'queued' | 'full' {
    if (!this.#queue.has(lane)) lane.wanted = wanted
    if (this.#holders.has(lane)) {
      // It has had its share while others wait: what it has open is served, and then it stands behind them.
      const isBehind = [...this.#queue].some((waiting) => this.#isRoomFor(waiting, lane) && this.#isBefore(waiting, lane))
      if (!isBehind) return 'taken'
    } else if (this.#isRoomFor(lane)) {
      this.#holders.add(lane)
      return 'taken'
    }
    if (this.#queue.has(lane)) return 'queued'
    if (this.#queue.size >= QUEUED_PER_SLOT * this.#limits.slots) return 'full'
    this.#queue.add(lane)
    return 'queued'
  }

  #leave(lane: SlotLane): void {
    if (this.#queue.delete(lane)) lane.passedOver = 0
    if (!this.#holders.delete(lane)) return
    this.#fill()
  }

  /** Gives free slots to whoever waits: the local network first, then whoever was given least. */
  #fill(): void {
    for (;;) {
      const next = [...this.#queue]
        .filter((lane) => this.#isRoomFor(lane))
        .reduce<SlotLane | undefined>((first, one) => (first === undefined || this.#isBefore(one, first) ? one : first), undefined)
      if (next === undefined) return
      this.#queue.delete(next)
      this.#holders.add(next)
      for (const waiting of this.#queue) waiting.passedOver++
      next.passedOver = 0
      next.holder.onSlot()
    }
  }

  /** @param leaving whose slot counts as free */
  #isRoomFor(lane: SlotLane, leaving?: SlotLane): boolean {
    const taken = [...this.#holders].filter((holder) => holder !== leaving)
    if (taken.length >= this.#limits.slots) return false
    return lane.isLan || this.#paces === undefined || taken.filter((holder) => !holder.isLan).length < wanSlots(this.#limits)
  }
}

function nameOf({ digest, piece }: WantedPiece): string {
  return `${digest} ${piece}`
}
