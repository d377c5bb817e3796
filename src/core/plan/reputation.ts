import { HANDLING, type Failure } from '../errors.ts'
import type { SourceId } from '../model/ids.ts'

/** Which sources lied. Only our own evidence counts, never hearsay: otherwise one liar could silence the honest. */
export interface Reputation {
  isBanned(source: SourceId): boolean
  /** Notes a failure of this source; true when it bans it. */
  note(source: SourceId, failure: Failure): boolean
}

/** Lives as long as an engine: a ban holds for every artifact of the session. */
export function createReputation(): Reputation {
  const banned = new Set<SourceId>()
  return {
    isBanned: (source) => banned.has(source),
    note(source, failure) {
      if (!HANDLING[failure.code].banSource) return false
      banned.add(source)
      return true
    },
  }
}
