import { isPeerSourceId } from '../core/model/ids.ts'
import { fromHistory, toHistory, type Moment } from '../core/plan/source-history.ts'
import type { Clock } from '../core/ports.ts'
import type { Roster } from '../scheduler/roster.ts'
import type { Records } from '../stores/index-values.ts'

/** Keeps over visits, for a day, how fast each HTTP source was and whom to ask first. Saves time and decides nothing else. */
export interface SourceMemory {
  recall(): Promise<void>
  keep(): Promise<void>
}

const KEY = 'source-history'
/** Nobody waits for it. */
const SHARED = new AbortController().signal

export function createSourceMemory(roster: Roster, records: Records, clock: Clock): SourceMemory {
  const moment = (): Moment => ({ nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() })
  return {
    async recall() {
      // Without it, a source is a stranger again.
      roster.recall(fromHistory(await records.get(KEY, SHARED).catch(() => undefined), moment()))
    },
    async keep() {
      const named = [...roster.entries()].filter(([id]) => !isPeerSourceId(id))
      await records.put(KEY, toHistory(named, moment()), SHARED).catch(() => undefined) // a full disk, say: as above
    },
  }
}
