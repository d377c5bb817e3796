import { withDeadline } from './deadline.ts'
import type { Records } from './index-values.ts'
import type { PieceFiles } from './piece-files.ts'

/** The file calls that a second copy needs. */
export type TwinFiles = Pick<PieceFiles, 'snapshot' | 'writeText' | 'remove'>

/** A floor that is lost would let something older in: it is kept in two places, which browsers clear apart. */
const isKeptTwice = (key: string): boolean => key.includes('-floor:')

/**
 * Writes floors into the file system too, once they are safe in the records: a floor without what it is the floor of would leave a machine with
 * nothing to go on with. The second copy is best effort; a floor that is only in one place still holds.
 */
export function createTwinRecords(records: Records, files: TwinFiles): Records {
  const putAll: Records['putAll'] = async (entries, signal) => {
    await records.putAll(entries, signal)
    for (const [key, value] of entries) if (isKeptTwice(key)) await quietly(files.writeText(fileNameOf(key), JSON.stringify(value)), signal)
  }
  return {
    ...records,
    put: (key, value, signal) => putAll(new Map([[key, value]]), signal),
    putAll,
    async remove(key, signal) {
      await records.remove(key, signal)
      if (isKeptTwice(key)) await quietly(files.remove(fileNameOf(key)), signal)
    },
    twin: (key, signal) => quietly(readJson(files, fileNameOf(key)), signal),
  }
}

async function readJson(files: TwinFiles, name: string): Promise<unknown> {
  const file = await files.snapshot(name)
  return file && JSON.parse(await file.text())
}

function fileNameOf(key: string): string {
  return encodeURIComponent(key)
}

/** The other place may be missing, full, or written to by any script of the page: then it says nothing. */
async function quietly(work: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  try {
    return await withDeadline(work, 'a second copy', signal)
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}
