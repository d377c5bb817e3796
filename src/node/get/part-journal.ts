import type { FileHandle } from 'node:fs/promises'
import type { PieceSpace } from '../../core/model/artifact.ts'
import { toPieceIndex, toSourceId, type PieceIndex, type SourceId } from '../../core/model/ids.ts'
import { readAtMost } from '../read-at-most.ts'
import { openOwnFile } from './own-file.ts'

/**
 * Says which pieces of an unfinished file are safely on disk, and who served them. Lines are only ever added, so that a kill tears the last one
 * at most. They are not synced: a line that a power cut takes away costs a piece, and a line that says too much is found out by the digest.
 */
export interface PartJournal {
  /** What an earlier run left; nothing when it was about other bytes. */
  load(): Promise<ReadonlyMap<PieceIndex, SourceId>>
  /** Call it when the bytes of every piece are on the disk, and not before. */
  add(pieces: readonly { readonly index: PieceIndex; readonly source: SourceId }[]): Promise<void>
  /** Takes the word back. */
  remove(pieces: readonly PieceIndex[]): Promise<void>
  close(): Promise<void>
}

/** Of the most pieces that there can be, each named a few times over. */
const LIMIT_BYTES = 64 * 1024 * 1024

export function createPartJournal(path: string, artifact: PieceSpace): PartJournal {
  const head = `sealift-part 1 ${artifact.sha256} ${artifact.sizeBytes} ${artifact.pieces.lengthBytes}`
  let opened: Promise<FileHandle> | undefined
  // Two processes that fill one file, as when one of them lost its lock, do not write over each other's lines.
  const open = (): Promise<FileHandle> => (opened ??= openOwnFile(path, { isAppended: true }))
  const append = async (lines: readonly string[]): Promise<void> => {
    const handle = await open()
    // Deleted under a running download it is begun anew: without its head all of it would count for nothing.
    const all = (await handle.stat()).size === 0 ? [head, ...lines] : lines
    await handle.write(Buffer.from(all.map((line) => `${line}\n`).join('')))
  }
  return {
    async load() {
      const handle = await open()
      const bytes = await readAtMost(handle, LIMIT_BYTES)
      const text = bytes.length > LIMIT_BYTES ? '' : bytes.toString()
      const lines = text.split('\n')
      // Without its line feed a line may be half of one.
      lines.pop()
      if (lines.shift() === head) {
        if (!text.endsWith('\n')) await append([''])
        return parseLines(lines, artifact)
      }
      await handle.truncate(0)
      await append([])
      return new Map()
    },
    add: (pieces) => append(pieces.map(({ index, source }) => `${index} ${source}`)),
    remove: (pieces) => append(pieces.map((index) => `-${index}`)),
    async close() {
      const closing = opened
      opened = undefined
      await (await closing)?.close()
    },
  }
}

/** Whatever does not read as a line says nothing: the piece is fetched again. */
function parseLines(lines: readonly string[], { pieces }: PieceSpace): ReadonlyMap<PieceIndex, SourceId> {
  const kept = new Map<PieceIndex, SourceId>()
  for (const line of lines) {
    const [, sign, digits = '', source] = /^(-?)(\d{1,8})(?: (.{1,200}))?$/.exec(line) ?? []
    const index = Number(digits)
    if (digits === '' || index >= pieces.count) continue
    if (sign === '-') kept.delete(toPieceIndex(index))
    else if (source !== undefined) kept.set(toPieceIndex(index), toSourceId(source))
  }
  return kept
}
