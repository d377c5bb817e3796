import { constants, type Stats } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { errorCode } from '../durable-file.ts'

/**
 * Opens an unfinished file of ours to read and write, making it where there is none. In a folder that others write to as well, what stands under
 * its name may be a link to somewhere else, or a file that somebody else goes on writing to: that is put aside for a new one.
 * @param options.isAppended all writes go to the end, also those of another process
 */
export async function openOwnFile(path: string, { isAppended = false }: { readonly isAppended?: boolean } = {}): Promise<FileHandle> {
  const flags = constants.O_RDWR | (isAppended ? constants.O_APPEND : 0)
  return (await openThere(path, flags)) ?? (await open(path, flags | constants.O_CREAT | constants.O_EXCL, 0o666))
}

/** As `openOwnFile`, but undefined where there is none of ours. */
export async function openOwnFileThere(path: string): Promise<FileHandle | undefined> {
  return await openThere(path, constants.O_RDWR)
}

async function openThere(path: string, flags: number): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    // A pipe would be waited for.
    handle = await open(path, flags | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (errorCode(error) !== 'ELOOP') throw error
    await rm(path)
    return undefined
  }
  try {
    const found = await handle.stat()
    if (isOwn(found)) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  await rm(path)
  return undefined
}

/** Nobody else made it, and no other name leads to it. */
function isOwn(found: Stats): boolean {
  return found.isFile() && found.nlink === 1 && (process.getuid === undefined || found.uid === process.getuid())
}
