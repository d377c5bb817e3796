import { HANDLING, type Failure } from '../errors.ts'
import type { SourceId } from '../model/ids.ts'

/** What a failure means for the source: `paroled` lied, and may put it right once by reading past its own cache. */
export type Sentence = 'noted' | 'paroled' | 'banned'

/** Which sources lied. Only our own evidence counts, never hearsay: otherwise one liar could silence the honest. */
export interface Reputation {
  isBanned(source: SourceId): boolean
  /** @param canReread the source may be asked to fetch the bytes anew, past its cache */
  blame(source: SourceId, failure: Failure, canReread?: boolean): Sentence
}

/** Poisoned entries that one cache may put right in a session. A cache that needs more is not worth its bytes. */
const MOST_PAROLES = 8

/** Lives as long as an engine: a ban holds for every artifact of the session. */
export function createReputation(): Reputation {
  const banned = new Set<SourceId>()
  const paroles = new Map<SourceId, number>()
  return {
    isBanned: (source) => banned.has(source),
    blame(source, failure, canReread = false) {
      if (!HANDLING[failure.code].banSource) return 'noted'
      const before = paroles.get(source) ?? 0
      if (canReread && failure.code === 'digest-mismatch' && before < MOST_PAROLES) {
        paroles.set(source, before + 1)
        return 'paroled'
      }
      banned.add(source)
      return 'banned'
    },
  }
}
