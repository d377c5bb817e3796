import type { Clock } from '../core/ports.ts'
import type { FileStore } from './artifact-file.ts'
import { createIndexBook } from './index-book.ts'
import type { SealiftIndex } from './index-db.ts'
import { createLayeredStore } from './layered-store.ts'
import { createOpfsBacking } from './opfs-backing.ts'
import type { PieceFiles } from './piece-files.ts'

/** Keeps pieces in the origin's private file system. Writes in dedicated workers only; elsewhere it reads. */
export function createOpfsStore(parts: { readonly index: SealiftIndex; readonly files: PieceFiles; readonly clock: Clock }): FileStore {
  const { index, files, clock } = parts
  return createLayeredStore([createOpfsBacking({ files, flags: index.pieces, clock })], createIndexBook(index.artifacts, clock))
}
