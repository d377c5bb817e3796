import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A name in the same folder that nobody reads: what stands there is unfinished. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`)
}

/**
 * Writes a whole file so that a reader sees either the old bytes or the new ones, also after a power cut.
 * @param options.mode permission bits of a new file
 */
export async function writeFileDurably(path: string, bytes: Uint8Array | string, options: { readonly mode: number }): Promise<void> {
  const temporary = await writeTemporary(path, bytes, options.mode)
  try {
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/**
 * As `writeFileDurably`, for what memory should not hold at once.
 * @throws what `chunks` throws; the old file is untouched then
 */
export async function writeChunksDurably(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly mode: number },
): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = temporaryName(path)
  const handle = await open(temporary, 'wx', options.mode)
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk)
    await handle.sync()
    await handle.close()
    await rename(temporary, path)
  } catch (error) {
    await handle.close().catch(() => undefined) // closed already
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

/** As `writeFileDurably`, but the first writer wins. False when the file was there already, and is untouched. */
export async function createFileDurably(path: string, bytes: Uint8Array | string, options: { readonly mode: number }): Promise<boolean> {
  const temporary = await writeTemporary(path, bytes, options.mode)
  try {
    await link(temporary, path)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(path))
  return true
}

const WITHOUT_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/**
 * Gives a file a second name, which nobody can have taken in the same moment: a link that exists is never replaced.
 * @returns `taken` when something is there, `without-links` where the file system has none, as on a stick formatted with FAT
 */
export async function linkNew(file: string, path: string): Promise<'linked' | 'taken' | 'without-links'> {
  try {
    await link(file, path)
    return 'linked'
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return 'taken'
    if (WITHOUT_LINKS.includes(errorCode(error) ?? '')) return 'without-links'
    throw error
  }
}

/** Makes a rename in `folder` last: on Linux the folder's own entry has to reach the disk too. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder as a file; there the rename alone has to do.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `ENOENT` and its like, or undefined when the error carries none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

async function writeTemporary(path: string, bytes: Uint8Array | string, mode: number): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = temporaryName(path)
  const handle = await open(temporary, 'wx', mode)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}
