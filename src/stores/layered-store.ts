import type { Artifact } from '../core/model/artifact.ts'
import { createArtifactFile, type ArtifactFile, type FileStore } from './artifact-file.ts'
import type { ArtifactBook, Backing, OpenBacking } from './backing.ts'
import { isStorageTrouble, toStoreError } from './store-failure.ts'

/**
 * A store over several backings.
 * @param backings best first
 * @param book undefined where nothing outlives the process
 */
export function createLayeredStore(backings: readonly Backing[], book: ArtifactBook | undefined): FileStore {
  /** Without a line in the book, nothing that lasts can be relied on: memory is left. */
  const begin = async (artifact: Artifact, signal: AbortSignal): Promise<readonly Backing[]> => {
    try {
      await book?.begin(artifact, signal)
      return backings
    } catch (error) {
      signal.throwIfAborted()
      const volatile = backings.filter((backing) => backing.kind === 'memory')
      if (!isStorageTrouble(error) || volatile.length === 0) throw error
      return volatile
    }
  }
  const open = async (artifact: Artifact, signal: AbortSignal): Promise<ArtifactFile> => {
    signal.throwIfAborted()
    const usable = await begin(artifact, signal)
    const opened = await openAll(usable, artifact, signal)
    const file = createArtifactFile(artifact, opened, {
      markVerified: async (stop) => await book?.markVerified(artifact, stop),
      begin: async (stop) => await book?.begin(artifact, stop),
    })
    try {
      await file.reserve(signal)
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  }
  return {
    open: async (artifact, signal) => {
      try {
        return await open(artifact, signal)
      } catch (error) {
        signal.throwIfAborted()
        throw toStoreError(error, { doing: 'opening the store', neededBytes: artifact.sizeBytes })
      }
    },
    remove: async (sha256, signal) => {
      signal.throwIfAborted()
      // What is kept of it is found by its row: were that gone first, a page that is closed in between would leave the bytes for ever.
      for (const backing of backings) await backing.remove(sha256, signal)
      await book?.remove(sha256, signal)
    },
  }
}

/** Whatever opens: one broken backing must not keep the others from being used. Its pieces then count as not kept. */
async function openAll(backings: readonly Backing[], artifact: Artifact, signal: AbortSignal): Promise<readonly OpenBacking[]> {
  const outcomes = await Promise.allSettled(backings.map((backing) => backing.open(artifact, signal)))
  signal.throwIfAborted()
  const opened = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (opened.length === 0 && failed !== undefined) throw failed.reason
  return opened
}
