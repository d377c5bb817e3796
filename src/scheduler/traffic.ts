import type { Priority } from '../core/model/artifact.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'

/** Shares the sources of one engine among all artifacts that it fetches at once. */
export interface Traffic {
  /** One of the source's slots, given back by calling what is returned. Undefined: none is free, look again later. */
  takeSlot(source: SourceId, priority: Priority): (() => void) | undefined
  /** A delivery begins. */
  enter(priority: Priority): Presence
  /** True while a more urgent delivery gets on: its bytes go first. */
  mustYield(priority: Priority): boolean
}

export interface Presence {
  /** A piece was verified. */
  noteProgress(): void
  leave(): void
}

/** Requests at once to one source (I14). A browser opens no more than six connections to a host, and documents need one too. */
const SLOTS = 4
/** Kept free for what is critical. */
const RESERVED = 1
/** A critical delivery that gets nowhere holds nobody up for longer than this. */
const PATIENCE_MS = 2000

export function createTraffic(clock: Clock): Traffic {
  const taken = new Map<SourceId, number>()
  const critical = new Set<{ progressAtMs: number }>()
  return {
    takeSlot(source, priority) {
      const before = taken.get(source) ?? 0
      if (before >= (priority === 'critical' ? SLOTS : SLOTS - RESERVED)) return undefined
      taken.set(source, before + 1)
      return () => {
        const now = taken.get(source) ?? 0
        if (now > 1) taken.set(source, now - 1)
        else taken.delete(source)
      }
    },
    enter(priority) {
      const presence = { progressAtMs: clock.monotonicMs() }
      if (priority === 'critical') critical.add(presence)
      return {
        noteProgress() {
          presence.progressAtMs = clock.monotonicMs()
        },
        leave: () => void critical.delete(presence),
      }
    },
    mustYield(priority) {
      if (priority === 'critical' || critical.size === 0) return false
      const nowMs = clock.monotonicMs()
      return [...critical].some(({ progressAtMs }) => nowMs - progressAtMs < PATIENCE_MS)
    },
  }
}
