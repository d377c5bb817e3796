import type { Clock } from '../core/ports.ts'
import { FileHolderLost, type OpenFile, type OpenFileNamed, type Span } from '../stores/open-file.ts'
import type { FileAnswer, FileEngineEnd, FileQuestion } from './file-message.ts'
import { openThreadLine, ThreadLost, type ThreadLine } from './thread-line.ts'

/** What is at most so large is written sooner here than it is handed over. */
const HERE_BYTES = 1024 * 1024
/** A handle of a worker that was ended is free within milliseconds, but not at once. */
const FREE_WITHIN_MS = 1000
const FREE_LOOK_MS = 25
/** Memory for copies of what is being written, used again. */
const SPARE_BYTES = 8 * 1024 * 1024

const NEVER = new AbortController().signal

/** The engine's line to the thread that has files open. */
export interface FileThread extends Pick<ThreadLine<FileQuestion, FileAnswer>, 'isReady'> {
  /** @throws {FileHolderLost} and what the platform throws */
  readonly open: OpenFileNamed
}

export function openFileThread(start: () => FileEngineEnd, clock: Clock): FileThread {
  let line = openThreadLine(start, clock)
  let opened = 0
  // Another thread takes the place of one that may stand still for ever. Files that it had open besides are opened anew.
  const replace = (stuck: typeof line): void => {
    stuck.end('a file was cleared under it')
    if (line === stuck) line = openThreadLine(start, clock)
  }
  return {
    isReady: () => line.isReady(),
    async open(name, sizeBytes) {
      const own = line
      const file = createFarFile(own, { file: opened++, abandon: () => replace(own) })
      await file.open(name, sizeBytes)
      return file
    },
  }
}

/**
 * Opens large files on a thread of their own, since every flush stops the thread that asks for it. Where that thread is not to be had, and
 * small files, on this one.
 */
export function openOnThread(start: () => FileEngineEnd, here: OpenFileNamed, clock: Clock): OpenFileNamed {
  const thread = openFileThread(start, clock)
  const open = async (name: string, sizeBytes: number): Promise<OpenFile> => {
    if (sizeBytes <= HERE_BYTES || !(await thread.isReady())) return await here(name, sizeBytes)
    try {
      return await thread.open(name, sizeBytes)
    } catch (error) {
      if (error instanceof FileHolderLost) return await here(name, sizeBytes)
      throw error
    }
  }
  return async (name, sizeBytes) => {
    const startedMs = clock.monotonicMs()
    for (;;) {
      try {
        return await open(name, sizeBytes)
      } catch (error) {
        if (!isHeld(error) || clock.monotonicMs() - startedMs >= FREE_WITHIN_MS) throw error
        await clock.sleep(FREE_LOOK_MS, NEVER)
      }
    }
  }
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && error.name === 'NoModificationAllowedError'
}

interface FarFile extends OpenFile {
  open(name: string, sizeBytes: number): Promise<void>
}

function createFarFile(
  line: ThreadLine<FileQuestion, FileAnswer>,
  { file, abandon }: { readonly file: number; readonly abandon: () => void },
): FarFile {
  const ask = async (question: FileQuestion, transfer: Transferable[]): Promise<FileAnswer> => {
    try {
      return await line.ask(question, transfer)
    } catch (error) {
      throw error instanceof ThreadLost ? new FileHolderLost(error.message, { cause: error }) : error
    }
  }
  const copies = createCopies()
  return {
    open: async (name, sizeBytes) => void (await ask({ kind: 'open', file, name, sizeBytes }, [])),
    async keep(spans) {
      const own = spans.map(({ bytes, at }) => ({ bytes: copies.of(bytes), at }))
      const { spares } = await ask(
        { kind: 'keep', file, spans: own },
        own.map(({ bytes }) => bytes.buffer),
      )
      copies.takeBack(spares ?? [])
    },
    async read(room, at) {
      const { bytes } = await ask({ kind: 'read', file, room, at }, [room.buffer])
      if (bytes === undefined) throw new FileHolderLost('no bytes came')
      return bytes
    },
    close: async () => void (await ask({ kind: 'close', file }, [])),
    abandon: async () => abandon(),
  }
}

interface Copies {
  of(bytes: Span['bytes']): Uint8Array<ArrayBuffer>
  takeBack(spares: readonly ArrayBuffer[]): void
}

/** Fresh memory costs twenty times as much as a copy into memory that was used before: see docs/decisions/0017. */
function createCopies(): Copies {
  let spares: ArrayBuffer[] = []
  return {
    of(bytes) {
      const at = spares.findIndex((spare) => spare.byteLength >= bytes.length)
      const [spare] = at < 0 ? [] : spares.splice(at, 1)
      const copy = new Uint8Array(spare ?? new ArrayBuffer(bytes.length), 0, bytes.length)
      copy.set(bytes)
      return copy
    },
    takeBack(returned) {
      spares.push(...returned)
      let kept = 0
      spares = spares.filter(({ byteLength }) => (kept += byteLength) <= SPARE_BYTES)
    },
  }
}
