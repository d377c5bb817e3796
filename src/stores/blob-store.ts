import type { Clock } from '../core/ports.ts'
import type { FileStore } from './artifact-file.ts'
import { createBlobBacking } from './blob-backing.ts'
import { createIndexBook } from './index-book.ts'
import type { SealiftIndex } from './index-db.ts'
import { createLayeredStore } from './layered-store.ts'

/** Keeps pieces as blobs in the index: for service workers and for private windows without OPFS. */
export function createBlobStore(index: SealiftIndex, clock: Clock): FileStore {
  return createLayeredStore(
    [createBlobBacking({ flags: index.pieces, blobs: index.blobs, clock })],
    createIndexBook(index.artifacts, clock),
  )
}
