import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sha256 } from '../../core/model/ids.ts'
import { errorCode, writeFileDurably } from '../durable-file.ts'

export const MODE = 0o644
export const SUMS_FILE = 'SHA256SUMS'

/**
 * Takes what an earlier export wrote of withdrawn artifacts out of a folder. Lines of `SHA256SUMS` that stand for others stay as they are.
 * @param withdrawn `stems`: what their files are called before the dot; `digests`: of the artifacts
 */
export async function removeExports(
  out: string,
  { stems, digests }: { readonly stems: readonly string[]; readonly digests: ReadonlySet<Sha256> },
): Promise<void> {
  for (const stem of stems) for (const kind of ['meta4', 'torrent', 'sha256']) await rm(join(out, `${stem}.${kind}`), { force: true })
  const path = join(out, SUMS_FILE)
  const lines = (await readSums(path)).split(/(?<=\n)/)
  const gone: ReadonlySet<string> = digests
  const left = lines.filter((line) => !gone.has(line.slice(0, 64)))
  if (left.length < lines.length) await writeSums(path, left)
}

/** `sha256sum -c` calls a file without a line malformed: then there is none. */
export async function writeSums(path: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) await rm(path, { force: true })
  else await writeFileDurably(path, lines.join(''), { mode: MODE })
}

async function readSums(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return ''
    throw error
  }
}
