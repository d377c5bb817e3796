import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { isOwn } from './own-file.ts'

/** What tells a file that was looked at from one that was written to, or put in its place, since. */
export type FileStamp = Pick<BigIntStats, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

/** Undefined when what stands there is no file of ours alone: a link to one is none. */
export async function stampOf(path: string): Promise<FileStamp | undefined> {
  const found = await lstat(path, { bigint: true })
  return isOwn(found) ? found : undefined
}

export function isSameFile(one: FileStamp | undefined, other: FileStamp | undefined): boolean {
  if (one === undefined || other === undefined) return false
  return one.ino === other.ino && one.size === other.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs
}
