import type { Priority } from '../core/model/artifact.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'

/** Shares the sources of one engine among all that it fetches at once. */
export interface Traffic {
  /** A delivery, or the hunt for a document, begins. @param wake called when a slot is free that it was refused */
  enter(urgency: Urgency, wake: () => void): Presence
  /** True while a more urgent delivery gets on: its bytes go first. */
  mustYield(priority: Priority): boolean
}

/** A document is small, and a download waits for it; but it holds up no bytes of others. */
export type Urgency = Priority | 'document'

export interface Presence {
  /** One of the source's slots, given back by calling what is returned. Undefined: none is free, or it is the turn of somebody else. */
  takeSlot(source: SourceId): (() => void) | undefined
  /** A piece was verified. */
  noteProgress(): void
  leave(): void
}

/** Requests at once to one source (I14). A browser opens no more than six connections to a host. */
const SLOTS = 4
/** Kept free for what is urgent. */
const RESERVED = 1
/** A critical delivery that gets nowhere holds nobody up for longer than this. */
const PATIENCE_MS = 2000
/** Who was refused a slot asks again soon, or does not want it any more. */
const WISH_MS = 250

interface Guest {
  readonly urgency: Urgency
  readonly wake: () => void
  readonly taken: Map<SourceId, number>
  readonly wishes: Map<SourceId, Wish>
  progressAtMs: number
}

/** For a slot of one source. */
interface Wish {
  readonly sinceMs: number
  readonly askedAtMs: number
}

export function createTraffic(clock: Clock): Traffic {
  const guests = new Set<Guest>()
  const taken = new Map<SourceId, number>()

  const takeSlot = (guest: Guest, source: SourceId): (() => void) | undefined => {
    const nowMs = clock.monotonicMs()
    const slots = guest.urgency === 'normal' ? SLOTS - RESERVED : SLOTS
    const own: Wish = { sinceMs: openWish(guest, source, nowMs)?.sinceMs ?? nowMs, askedAtMs: nowMs }
    // Whoever gives a slot back asks again in the same breath: without turns, nobody else would ever have one.
    const isTurnOfOther = [...guests].some((other) => {
      const wish = other === guest ? undefined : openWish(other, source, nowMs)
      return wish !== undefined && comesFirst({ guest: other, wish }, { guest, wish: own }, source)
    })
    if (isTurnOfOther || (taken.get(source) ?? 0) >= slots) {
      guest.wishes.set(source, own)
      return undefined
    }
    guest.wishes.delete(source)
    for (const counts of [taken, guest.taken]) count(counts, source, 1)
    return () => {
      for (const counts of [taken, guest.taken]) count(counts, source, -1)
      for (const other of guests) if (other !== guest && other.wishes.has(source)) other.wake()
    }
  }

  return {
    enter(urgency, wake) {
      const guest: Guest = { urgency, wake, taken: new Map(), wishes: new Map(), progressAtMs: clock.monotonicMs() }
      guests.add(guest)
      return {
        takeSlot: (source) => takeSlot(guest, source),
        noteProgress() {
          guest.progressAtMs = clock.monotonicMs()
        },
        leave: () => void guests.delete(guest),
      }
    },
    mustYield(priority) {
      if (priority === 'critical') return false
      const nowMs = clock.monotonicMs()
      return [...guests].some(({ urgency, progressAtMs }) => urgency === 'critical' && nowMs - progressAtMs < PATIENCE_MS)
    },
  }
}

function openWish({ wishes }: Guest, source: SourceId, nowMs: number): Wish | undefined {
  const wish = wishes.get(source)
  return wish !== undefined && nowMs - wish.askedAtMs < WISH_MS ? wish : undefined
}

interface Claim {
  readonly guest: Guest
  readonly wish: Wish
}

/** What is urgent, then who has fewer of the slots, then who has waited longer. */
function comesFirst(one: Claim, other: Claim, source: SourceId): boolean {
  const isUrgent = one.guest.urgency !== 'normal'
  if (isUrgent !== (other.guest.urgency !== 'normal')) return isUrgent
  const ahead = (other.guest.taken.get(source) ?? 0) - (one.guest.taken.get(source) ?? 0)
  return ahead > 0 || (ahead === 0 && one.wish.sinceMs < other.wish.sinceMs)
}

function count(counts: Map<SourceId, number>, source: SourceId, change: 1 | -1): void {
  const now = (counts.get(source) ?? 0) + change
  if (now > 0) counts.set(source, now)
  else counts.delete(source)
}
