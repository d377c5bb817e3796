import { readFile } from 'node:fs/promises'
import { writeFileDurably } from './durable-file.ts'
import type { GatewayLog } from './gateway-log.ts'

/** Files of a cache: what cannot be written is not kept, and nobody who has the bytes is made to fail for it. */
export interface KeptFiles {
  /** The bytes of a file, also while they are still being written; undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Writes in the background. Resolves at once, or when the disk is far behind, once it has caught up a little. */
  keep(path: string, bytes: Uint8Array): Promise<void>
  /** Resolves when nothing is left to write. */
  settled(): Promise<void>
}

/** As many files of at most 2 MB may wait in memory for a slow disk. */
const WAITING_MAX = 32
const MODE = 0o644

export function createKeptFiles(log: GatewayLog): KeptFiles {
  const waiting = new Map<string, { readonly bytes: Uint8Array; readonly written: Promise<void> }>()
  let isFailing = false

  const note = (error: unknown, path: string): void => {
    // A full disk fails for each slice: one line tells as much as thousands.
    if (!isFailing) log('cache-write-failed', { path, detail: String(error) })
    isFailing = true
  }
  const write = async (path: string, bytes: Uint8Array, before: Promise<void> | undefined): Promise<void> => {
    await before
    try {
      await writeFileDurably(path, bytes, { mode: MODE })
      if (isFailing) log('cache-writes-again', { path })
      isFailing = false
    } catch (error) {
      note(error, path)
    }
    if (waiting.get(path)?.bytes === bytes) waiting.delete(path)
  }

  return {
    async read(path) {
      return waiting.get(path)?.bytes ?? readIfThere(path)
    },
    async keep(path, bytes) {
      const written = write(path, bytes, waiting.get(path)?.written)
      waiting.set(path, { bytes, written })
      if (waiting.size > WAITING_MAX) await written
    },
    async settled() {
      await Promise.all([...waiting.values()].map(({ written }) => written))
    },
  }
}

/** The bytes of a file, or undefined when there is none. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch {
    return undefined // absent or unreadable: the caller fetches it
  }
}
