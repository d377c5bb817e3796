import { failureOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Clock } from '../core/ports.ts'
import type { FileStore } from './artifact-file.ts'
import type { Backing } from './backing.ts'
import { createBlobBacking } from './blob-backing.ts'
import { withDeadline } from './deadline.ts'
import { createFallbackMemory } from './fallback-memory.ts'
import { createIndexBook } from './index-book.ts'
import { openIndex, type SealiftIndex } from './index-db.ts'
import { createLayeredStore } from './layered-store.ts'
import { createLookups, type StoreLookups } from './lookups.ts'
import { createMemoryBacking } from './memory-backing.ts'
import { openHere, type OpenFileNamed } from './open-file.ts'
import { createOpfsBacking } from './opfs-backing.ts'
import { openPieceFiles, type PieceFiles } from './piece-files.ts'
import { createTwinRecords } from './twin-records.ts'
import { createVolatileMemory, type Memory } from './volatile-index.ts'

/** What this context can store in. */
export interface StoreCapabilities {
  /** `read`: the private file system works, but not exclusive writing (windows, service workers). */
  readonly opfs: 'write' | 'read' | 'none'
  readonly indexedDb: boolean
}

/** Everything this origin keeps, wherever it lies: pieces are read from OPFS and from the index alike, and nothing is fetched twice. */
export interface StoreView {
  readonly capabilities: StoreCapabilities
  readonly store: FileStore
  readonly lookups: StoreLookups
  /** Undefined where IndexedDB cannot be used; nothing then outlives this context. */
  readonly index: SealiftIndex | undefined
  /** Documents, records and audit: in the index where they can be kept there, else in this context's memory. */
  readonly memory: Memory
  close(): void
}

/**
 * Opens whatever storage works here. New pieces go to OPFS, else to the index, else to bounded memory.
 * @throws {DeliveryError} `version-skew`: a newer version of this code owns the index, and a second store beside it would fetch everything twice
 */
export async function openStoreView(options: StoreViewOptions, signal: AbortSignal): Promise<StoreView> {
  const index = await orUndefined(openIndex(signal), signal)
  const files =
    index === undefined ? undefined : await orUndefined(withDeadline(openPieceFiles(), 'opening the file system', signal), signal)
  const { clock, fileOpener } = options
  return composeStoreView({ index, files, clock, openFile: files === undefined ? undefined : fileOpener?.(openHere(files)) })
}

export interface StoreViewOptions {
  readonly clock: Clock
  /** Where files are opened to write, given how this thread would. Default: on this thread. */
  readonly fileOpener?: (here: OpenFileNamed) => OpenFileNamed
}

/** The view over given parts. Files without an index hold nothing: the index says which bytes are safe. */
export function composeStoreView(parts: {
  readonly index: SealiftIndex | undefined
  readonly files: PieceFiles | undefined
  readonly clock: Clock
  readonly openFile?: OpenFileNamed | undefined
}): StoreView {
  const { index, files, clock } = parts
  const lasting = index === undefined ? [] : lastingBackings(index, parts)
  const book = index === undefined ? undefined : createIndexBook(index.artifacts, clock)
  const opfs = index === undefined || files === undefined ? 'none' : files.canWrite ? 'write' : 'read'
  return {
    capabilities: { opfs, indexedDb: index !== undefined },
    store: createLayeredStore([...lasting, createMemoryBacking(LIMITS.memoryStoreBytes)], book),
    lookups: createLookups(index, lasting, clock),
    index,
    memory: index === undefined ? createVolatileMemory() : createFallbackMemory(withTwins(index, files)),
    close: () => index?.close(),
  }
}

function withTwins(index: SealiftIndex, files: PieceFiles | undefined): Memory {
  return files === undefined ? index : { ...index, records: createTwinRecords(index.records, files) }
}

function lastingBackings(
  index: SealiftIndex,
  { files, clock, openFile }: Omit<Parameters<typeof composeStoreView>[0], 'index'>,
): readonly Backing[] {
  const blobs = createBlobBacking({ flags: index.pieces, blobs: index.blobs, clock })
  return files === undefined ? [blobs] : [createOpfsBacking({ files, flags: index.pieces, clock, openFile }), blobs]
}

/** What works, or undefined: each kind of storage may be missing, and the next one is used. */
async function orUndefined<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    signal.throwIfAborted()
    if (failureOf(error)?.code === 'version-skew') throw error
    return undefined
  }
}
