import { pieceRange, type PieceSpace } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import type { VerifiedPiece } from '../core/verify/piece.ts'
import type { Backing, OpenBacking } from './backing.ts'
import { withDeadline } from './deadline.ts'
import type { PieceFlags } from './index-pieces.ts'
import { FileHolderLost, openHere, type OpenFile, type OpenFileNamed } from './open-file.ts'
import type { PieceFiles } from './piece-files.ts'
import { storeFailed } from './store-failure.ts'

export interface OpfsBackingParts {
  readonly files: PieceFiles
  readonly flags: PieceFlags
  readonly clock: Clock
  /** Default: on this thread. */
  readonly openFile?: OpenFileNamed | undefined
}

/**
 * Keeps pieces in one file per artifact. Every piece goes write, flush, flag, in this order:
 * a process killed in between leaves bytes without a flag, never a flag without bytes.
 */
export function createOpfsBacking(parts: OpfsBackingParts): Backing {
  return {
    kind: 'opfs',
    open: async (artifact, signal) => {
      const { kept, lost } = await look(parts, artifact, signal)
      if (lost.length > 0) await parts.flags.remove(artifact.sha256, lost, signal)
      return new OpfsPieces(artifact, kept, parts)
    },
    view: async (artifact, signal) => new OpfsPieces(artifact, (await look(parts, artifact, signal)).kept, parts),
    readPiece: (artifact, piece, signal) => new OpfsPieces(artifact, new Map(), parts).read(piece, signal),
    remove: async (sha256, signal) => {
      await withDeadline(parts.files.remove(fileNameOf(sha256)), 'removing a file', signal)
    },
  }
}

interface Look {
  readonly kept: OpenBacking['kept']
  /** Flags whose bytes are gone: the file was cleared or cut. */
  readonly lost: readonly PieceIndex[]
}

async function look(parts: OpfsBackingParts, artifact: PieceSpace, signal: AbortSignal): Promise<Look> {
  const flags = await parts.flags.list(artifact.sha256, 'opfs', signal)
  const isWhole = flags.length === 0 || (await snapshotOf(parts.files, artifact, signal)) !== undefined
  if (!isWhole) return { kept: new Map(), lost: flags.map((flag) => flag.index) }
  return { kept: new Map(flags.map((flag) => [flag.index, flag.source])), lost: [] }
}

/** A file that is gone is noticed within this long: all that was written since is fetched again. Each look costs about a millisecond. */
const LOOK_EVERY_MS = 1000

/** Closing is never called off. */
const NEVER = new AbortController().signal

/** Name of the file that holds an artifact's pieces, each at its own offset. */
export function fileNameOf(sha256: Sha256): string {
  return `${sha256}.part`
}

class OpfsPieces implements OpenBacking {
  readonly kind = 'opfs'
  readonly isWritable: boolean
  readonly kept: OpenBacking['kept']
  readonly #artifact: PieceSpace
  readonly #parts: OpfsBackingParts
  #file: OpenFile | undefined
  /** When the file was last known to be there, by the monotonic clock. */
  #seenAtMs = 0
  #isCleared = false

  constructor(artifact: PieceSpace, kept: OpenBacking['kept'], parts: OpfsBackingParts) {
    this.kept = kept
    this.isWritable = parts.files.canWrite
    this.#artifact = artifact
    this.#parts = parts
  }

  async prepare(signal: AbortSignal): Promise<void> {
    await this.#opened(signal)
  }

  async isGone(signal: AbortSignal): Promise<boolean> {
    const nowMs = this.#parts.clock.monotonicMs()
    if (this.#file === undefined || nowMs - this.#seenAtMs < LOOK_EVERY_MS) return false
    this.#seenAtMs = nowMs
    // Through an open handle a file that has no name any more looks as it always did.
    this.#isCleared = (await snapshotOf(this.#parts.files, this.#artifact, signal)) === undefined
    return this.#isCleared
  }

  async keep(pieces: readonly VerifiedPiece[], signal: AbortSignal): Promise<void> {
    const spans = pieces.map(({ index, bytes }) => ({ bytes, at: pieceRange(this.#artifact, index).start }))
    while (!(await this.#keptBy(spans, signal))) signal.throwIfAborted()
    const atMs = this.#parts.clock.nowMs()
    const flags = pieces.map(({ index, source }) => ({
      index,
      source,
      backing: 'opfs' as const,
      atMs,
    }))
    await this.#parts.flags.add(this.#artifact.sha256, flags, signal)
  }

  async read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    const { start, end } = pieceRange(this.#artifact, piece)
    const file = this.#file
    if (file !== undefined) {
      const own = room !== undefined && room.byteLength >= end - start ? new Uint8Array(room, 0, end - start) : new Uint8Array(end - start)
      const bytes = await withDeadline(this.#unlessLost(file, file.read(own, start)), 'reading a piece', signal)
      if (bytes !== undefined) {
        if (bytes.length !== end - start) throw storeFailed(`piece ${piece} is cut short`)
        return bytes
      }
    }
    const blob = (await this.#snapshot(signal)).slice(start, end)
    const bytes = await withDeadline(blob.arrayBuffer(), 'reading a piece', signal)
    return new Uint8Array(bytes)
  }

  async parts(first: PieceIndex, count: number, signal: AbortSignal): Promise<readonly Blob[]> {
    const file = await this.#snapshot(signal)
    const start = first * this.#artifact.pieces.lengthBytes
    const end = Math.min(start + count * this.#artifact.pieces.lengthBytes, this.#artifact.sizeBytes)
    return [start === 0 && end === file.size ? file : file.slice(start, end)]
  }

  forget(pieces: readonly PieceIndex[], signal: AbortSignal): Promise<void> {
    return this.#parts.flags.remove(this.#artifact.sha256, pieces, signal)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    if (file !== undefined) await quietly(this.#isCleared ? file.abandon() : file.close())
    this.#isCleared = false
  }

  release(): void {
    // The file's handle was all there was.
  }

  /** False when whoever had the file open was lost: the next call opens it anew, and writing twice does no harm. */
  async #keptBy(spans: Parameters<OpenFile['keep']>[0], signal: AbortSignal): Promise<boolean> {
    const file = await this.#opened(signal)
    return (
      (await this.#unlessLost(
        file,
        file.keep(spans).then(() => true),
      )) ?? false
    )
  }

  /** What `work` gives; undefined when the file has to be opened anew, or read without. */
  async #unlessLost<T>(file: OpenFile, work: Promise<T>): Promise<T | undefined> {
    try {
      return await work
    } catch (error) {
      if (!(error instanceof FileHolderLost)) throw error
      if (this.#file === file) this.#file = undefined
      return undefined
    }
  }

  async #opened(signal: AbortSignal): Promise<OpenFile> {
    if (this.#file === undefined) {
      this.#file = await this.#openFile(signal)
      this.#seenAtMs = this.#parts.clock.monotonicMs()
    }
    return this.#file
  }

  async #openFile(signal: AbortSignal): Promise<OpenFile> {
    const open = this.#parts.openFile ?? openHere(this.#parts.files)
    const opening = open(fileNameOf(this.#artifact.sha256), this.#artifact.sizeBytes)
    try {
      return await withDeadline(opening, 'opening a file', signal)
    } catch (error) {
      // The handle may still come: nobody would ever close it, and it locks the file.
      opening.then(
        (late) => quietly(late.close()),
        () => undefined,
      )
      throw error
    }
  }

  async #snapshot(signal: AbortSignal): Promise<Blob> {
    const file = await snapshotOf(this.#parts.files, this.#artifact, signal)
    if (file === undefined) throw storeFailed('the stored file is gone or was cut')
    return file
  }
}

async function snapshotOf(files: PieceFiles, artifact: PieceSpace, signal: AbortSignal): Promise<Blob | undefined> {
  const file = await withDeadline(files.snapshot(fileNameOf(artifact.sha256)), 'opening a file', signal)
  return file?.size === artifact.sizeBytes ? file : undefined
}

/** What was flushed is safe. A handle that cannot be closed goes with its worker. */
async function quietly(closing: Promise<void>): Promise<void> {
  await withDeadline(closing, 'closing a file', NEVER).catch(() => undefined)
}
