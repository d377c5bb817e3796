import { deleteDB } from 'idb'
import { STORE_CASES } from '../contracts/store-cases.ts'
import { systemClock } from '../fakes/system-clock.ts'
import type { FileStore } from '../../src/stores/artifact-file.ts'
import { openFileThread } from '../../src/engine/file-thread.ts'
import { createBlobStore } from '../../src/stores/blob-store.ts'
import { openIndex, type SealiftIndex } from '../../src/stores/index-db.ts'
import { createOpfsStore } from '../../src/stores/opfs-store.ts'
import { openPieceFiles } from '../../src/stores/piece-files.ts'
import { openStoreView } from '../../src/stores/store-view.ts'
import { INDEX_CASES } from './index-cases.ts'
import { startThread } from './lab-threads.ts'
import { VIEW_CASES } from './view-cases.ts'

/** What became of one claim. */
export interface CaseResult {
  readonly suite: string
  readonly name: string
  /** Undefined when it holds. */
  readonly error: string | undefined
}

const never = new AbortController().signal
const STORES = ['opfs store', 'opfs store over a thread', 'blob store', 'store view'] as const
type StoreName = (typeof STORES)[number]

/** Every claim there is, by suite: known to the test runner before a browser starts. */
export const SUITES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(STORES.map((name) => [name, STORE_CASES.map((one) => one.name)])),
  index: INDEX_CASES.map((one) => one.name),
  'one view of every store': VIEW_CASES.map((one) => one.name),
}

/** Runs whole suites, each claim on an empty origin. Runs in a worker of a real browser. */
export async function runSuites(suites: readonly string[]): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for (const suite of suites) {
    for (const name of SUITES[suite] ?? []) results.push({ suite, name, error: await errorOf(runCase(suite, name)) })
  }
  return results
}

async function runCase(suite: string, name: string): Promise<void> {
  await emptyOrigin()
  const opened: { close(): void }[] = []
  const track = <T extends { close(): void }>(one: T): T => {
    opened.push(one)
    return one
  }
  try {
    const store = STORES.find((one) => one === suite)
    if (store !== undefined) await runStoreCase(store, name, track)
    else if (suite === 'index') await find(INDEX_CASES, name).run({ openIndex: async () => track(await openIndex(never)) })
    else await find(VIEW_CASES, name).run({ openView: async () => track(await openStoreView({ clock: systemClock }, never)) })
  } finally {
    for (const one of opened) one.close()
  }
}

async function runStoreCase(kind: StoreName, name: string, track: <T extends { close(): void }>(one: T) => T): Promise<void> {
  const open = async (): Promise<FileStore> => closingFiles(await openStore(kind, track), track)
  await find(STORE_CASES, name).run({ store: await open(), reopen: open })
}

async function openStore(kind: StoreName, track: <T extends { close(): void }>(one: T) => T): Promise<FileStore> {
  if (kind === 'store view') return track(await openStoreView({ clock: systemClock }, never)).store
  const index: SealiftIndex = track(await openIndex(never))
  if (kind === 'blob store') return createBlobStore(index, systemClock)
  const files = await openPieceFiles()
  if (kind === 'opfs store') return createOpfsStore({ index, files, clock: systemClock })
  const thread = openFileThread(() => startThread('files'), systemClock)
  if (!(await thread.isReady())) throw new Error('the thread did not come')
  return createOpfsStore({ index, files, clock: systemClock, openFile: thread.open })
}

/** The same store, which closes what a failing claim leaves open: an open file would spoil the next claim. */
function closingFiles(store: FileStore, track: <T extends { close(): void }>(one: T) => T): FileStore {
  return {
    open: async (artifact, signal) => {
      const file = await store.open(artifact, signal)
      track({ close: () => void file.close() })
      return file
    },
    remove: (sha256, signal) => store.remove(sha256, signal),
  }
}

/** Clears what this origin keeps. */
export async function emptyOrigin(): Promise<void> {
  await deleteDB('sealift')
  try {
    const root = await navigator.storage.getDirectory()
    await root.removeEntry('sealift', { recursive: true })
  } catch {
    // Nothing there, or no such storage in this window.
  }
}

function find<T extends { readonly name: string }>(cases: readonly T[], name: string): T {
  const found = cases.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no claim is named ${name}`)
  return found
}

async function errorOf(work: Promise<void>): Promise<string | undefined> {
  try {
    await work
    return undefined
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error)
  }
}
