import type { Clock } from '../core/ports.ts'
import type { ArtifactBook } from './backing.ts'
import type { ArtifactRows } from './index-artifacts.ts'

/** Keeps the book of artifacts in the index. */
export function createIndexBook(rows: ArtifactRows, clock: Clock): ArtifactBook {
  return {
    begin: async (artifact, signal) => {
      await rows.begin(artifact, clock.nowMs(), signal)
    },
    markVerified: (artifact, signal) => rows.mark(artifact, 'verified', signal),
    remove: (sha256, signal) => rows.remove(sha256, signal),
  }
}
