import type { PieceFiles } from './piece-files.ts'
import { storeFailed } from './store-failure.ts'

/** A file open for writing, alone. Calls are answered in the order in which they are made. */
export interface OpenFile {
  /** Writes all of it and flushes once: when this resolves the bytes are safe, and the caller's again. */
  keep(spans: readonly Span[]): Promise<void>
  /** Fills `room`, which is given up. @returns what there was, in that memory: shorter where the file ends before */
  read(room: Uint8Array<ArrayBuffer>, at: number): Promise<Uint8Array<ArrayBuffer>>
  close(): Promise<void>
  /** In place of `close` when the file has been cleared under it: Chromium 156 never comes back from closing such a handle. */
  abandon(): Promise<void>
}

export interface Span {
  readonly bytes: Uint8Array
  /** Offset in the file. */
  readonly at: number
}

/** Whoever had the file open for us is gone, and the file is free again. What was kept is still there. */
export class FileHolderLost extends Error {
  override readonly name = 'FileHolderLost'
}

/**
 * Opens a file to write, making it where there is none, and so long: room is reserved, or the platform says that there is none.
 * @throws what the platform throws. Calls of the file too, and `FileHolderLost`
 */
export type OpenFileNamed = (name: string, sizeBytes: number) => Promise<OpenFile>

/** On the calling thread, which waits for the disk. */
export function openHere(files: PieceFiles): OpenFileNamed {
  return async (name, sizeBytes) => {
    const writer = await files.openWriter(name)
    try {
      if (writer.getSize() !== sizeBytes) writer.truncate(sizeBytes)
    } catch (error) {
      // The first failure is the one to tell.
      await files.closeWriter(name, writer).catch(() => undefined)
      throw error
    }
    return {
      async keep(spans) {
        for (const span of spans) writeWhole(writer, span)
        writer.flush()
      },
      async read(room, at) {
        return room.subarray(0, writer.read(room, { at }))
      },
      close: () => files.closeWriter(name, writer),
      // Nobody else could end this thread: `closeWriter` makes the file anew first.
      abandon: () => files.closeWriter(name, writer),
    }
  }
}

type Writer = Awaited<ReturnType<PieceFiles['openWriter']>>

function writeWhole(writer: Writer, { bytes, at }: Span): void {
  let done = 0
  while (done < bytes.length) {
    const written = writer.write(bytes.subarray(done), { at: at + done })
    if (written === 0) throw storeFailed('the browser wrote no more bytes')
    done += written
  }
}
