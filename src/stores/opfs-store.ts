import type { FileStore } from './artifact-file.ts'
import { createIndexBook } from './index-book.ts'
import type { SealiftIndex } from './index-db.ts'
import { createLayeredStore } from './layered-store.ts'
import { createOpfsBacking, type OpfsBackingParts } from './opfs-backing.ts'

/** Keeps pieces in the origin's private file system. Writes in dedicated workers only; elsewhere it reads. */
export function createOpfsStore(
  parts: Omit<OpfsBackingParts, 'flags'> & {
    readonly index: SealiftIndex
  },
): FileStore {
  const { index, ...others } = parts
  return createLayeredStore([createOpfsBacking({ ...others, flags: index.pieces })], createIndexBook(index.artifacts, others.clock))
}
