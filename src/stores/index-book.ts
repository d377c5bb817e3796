import type { Clock } from '../core/ports.ts'
import type { ArtifactBook } from './backing.ts'
import type { ArtifactRows } from './index-artifacts.ts'
import { isStorageTrouble } from './store-failure.ts'

/** Keeps the book of artifacts in the index. */
export function createIndexBook(rows: ArtifactRows, clock: Clock): ArtifactBook {
  return {
    begin: async (artifact, signal) => {
      try {
        await rows.begin(artifact, clock.nowMs(), signal)
      } catch (error) {
        signal.throwIfAborted()
        const known = isStorageTrouble(error) ? await rows.get(artifact.sha256, signal) : undefined
        // A full disk: what is kept under this cut can be read all the same.
        if (known?.pieceLengthBytes !== artifact.pieces.lengthBytes || known.sizeBytes !== artifact.sizeBytes) throw error
      }
    },
    markVerified: (artifact, signal) => rows.mark(artifact, 'verified', signal),
    remove: (sha256, signal) => rows.remove(sha256, signal),
  }
}
