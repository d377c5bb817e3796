import type { PieceFiles, PieceWriter } from '../../src/stores/piece-files.ts'
import type { Disk } from './disk.ts'
import type { Failpoints } from './failpoint.ts'

const reading = (name: string) => ({ name, isWriting: false })
const writing = (name: string) => ({ name, isWriting: true })

/** The private file system over a disk, every call of it a place to fail. */
export function createFailingFiles(disk: Disk, points: Failpoints, over: Partial<Pick<PieceWriter, 'flush'>> = {}): PieceFiles {
  const locked = new Set<string>()
  const open = (name: string): PieceWriter => {
    if (locked.has(name)) throw new DOMException('held', 'NoModificationAllowedError')
    const file = disk.open(name)
    locked.add(name)
    return {
      getSize: () => points.now(reading('asking a file for its size'), () => file.bytes().length),
      truncate: (sizeBytes) => points.now(writing('reserving room in a file'), () => file.change({ sizeBytes })),
      // Half of what was asked for at first, as the platform may.
      write: (bytes, { at }) =>
        points.now(writing('writing to a file'), () => {
          const part = bytes.slice(0, bytes.length > 600 ? bytes.length >> 1 : bytes.length)
          file.change({ at, bytes: part })
          return part.length
        }),
      read: (into, { at }) =>
        points.now(reading('reading from an open file'), () => {
          const part = file.bytes().subarray(at, at + into.length)
          into.set(part)
          return part.length
        }),
      flush: () => points.now(writing('flushing a file'), over.flush ?? (() => file.flush())),
      close: () =>
        points.now(reading('letting go of a file'), () => {
          if (!disk.has(name)) throw new Error('a worker that closes the handle of a file that is gone stands still for ever')
          locked.delete(name)
        }),
    }
  }
  return {
    canWrite: true,
    openWriter: (name) => points.wait(writing('opening a file to write'), () => open(name)),
    closeWriter: (name, writer) =>
      points.wait(writing('closing a file'), () => {
        disk.open(name)
        writer.close()
      }),
    snapshot: (name) =>
      points.wait(reading('opening a file to read'), () =>
        disk.has(name) ? new WatchedBlob([disk.open(name).bytes().slice()], points) : undefined,
      ),
    writeText: (name, text) => points.wait(writing('replacing a file'), () => disk.replace(name, new TextEncoder().encode(text))),
    remove: (name) => points.wait(writing('removing a file'), () => disk.remove(name)),
    names: () => points.wait(reading('listing files'), () => disk.names()),
  }
}

/** Its bytes are waited for too. */
export class WatchedBlob extends Blob {
  readonly #points: Failpoints

  constructor(parts: BlobPart[], points: Failpoints) {
    super(parts)
    this.#points = points
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = await super.arrayBuffer()
    return await this.#points.wait(reading('reading from a snapshot'), () => bytes)
  }

  override slice(start?: number, end?: number, type?: string): Blob {
    return new WatchedBlob([super.slice(start, end, type)], this.#points)
  }
}
