import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'

/** What tells a file that was looked at from one that was written to, or put in its place, since. */
export type FileStamp = Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/**
 * Undefined when what stands there is no file, or has another name too: a link to one is none. Whose it is was asked when it was opened, and not again:
 * some network folders and sticks give what root writes to somebody else.
 */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  const found = await lstat(path, { bigint: true })
  return found.isFile() && found.nlink === 1n ? found : undefined
}

export function isSameFile(one: FileStamp | undefined, other: FileStamp | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs
}
