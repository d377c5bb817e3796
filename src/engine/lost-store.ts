import { failureOf } from '../core/errors.ts'
import type { StoredArtifact } from '../core/ports.ts'
import type { Abort } from '../scheduler/abort.ts'

/**
 * The same store, for one delivery: when it finds that what was kept has been cleared, the delivery ends with that. No source has failed, and
 * pieces that were there when it began have to be fetched again.
 */
export function endingWithLoss(file: StoredArtifact, delivery: Abort): StoredArtifact {
  return {
    stored: file.stored,
    origins: () => file.origins(),
    async put(piece, signal) {
      try {
        await file.put(piece, signal)
      } catch (error) {
        if (failureOf(error)?.code === 'store-tampered') delivery.cut(error)
        throw error
      }
    },
    read: (piece, signal) => file.read(piece, signal),
    forget: (pieces, signal) => file.forget(pieces, signal),
    close: () => file.close(),
  }
}
