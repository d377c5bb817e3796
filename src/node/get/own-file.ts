import { constants } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { errorCode } from '../durable-file.ts'

/**
 * Opens an unfinished file of ours to read and write, making it where there is none. In a folder that others write to as well, what stands under
 * its name may be a link to somewhere else, or a file that somebody else goes on writing to: that is put aside for a new one.
 */
export async function openOwnFile(path: string): Promise<FileHandle> {
  return (await openThere(path)) ?? (await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o666))
}

/** As `openOwnFile`, but undefined where there is none of ours. */
async function openThere(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (errorCode(error) !== 'ELOOP') throw error
    await rm(path)
    return undefined
  }
  try {
    const found = await handle.stat()
    const isOurs = found.isFile() && found.nlink === 1 && (process.getuid === undefined || found.uid === process.getuid())
    if (isOurs) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  await rm(path)
  return undefined
}
