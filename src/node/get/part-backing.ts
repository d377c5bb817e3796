import { openAsBlob } from 'node:fs'
import { open, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { pieceRange, type PieceSpace } from '../../core/model/artifact.ts'
import type { PieceIndex, SourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import type { VerifiedPiece } from '../../core/verify/piece.ts'
import type { OpenBacking } from '../../stores/backing.ts'
import { errorCode } from '../durable-file.ts'
import { diskTrouble } from './disk-trouble.ts'
import { stampOf, type FileStamp } from './file-stamp.ts'
import { openOwnFile, openOwnFileThere } from './own-file.ts'
import { createPartJournal, type PartJournal } from './part-journal.ts'

/** Where an unfinished download lies. */
export interface PartPlace {
  /** As long as the artifact, each piece at its own offset. */
  readonly file: string
  /** Which of them are there. */
  readonly journal: string
}

export interface PartBacking extends OpenBacking {
  /** The file as it was when all of it was last handed out, to be hashed. */
  readonly handedOut: FileStamp | undefined
}

/** How often it is asked whether somebody deleted the file under a running download. */
const LOOK_EVERY_MS = 1000

/**
 * Pieces in one file beside the one that they are to become. Each goes write, sync, journal, in this order: who is killed in between leaves
 * bytes that nobody counts, never a count without bytes.
 */
export async function openPart(artifact: PieceSpace, place: PartPlace, clock: Clock): Promise<PartBacking> {
  const journal = createPartJournal(place.journal, artifact)
  const kept = await journal.load()
  if ((await ownSize(place.file)) === artifact.sizeBytes) return new PartFile({ artifact, place, journal, clock }, kept)
  if (kept.size > 0) await journal.remove([...kept.keys()])
  return new PartFile({ artifact, place, journal, clock }, new Map())
}

/** Undefined where there is none: somebody else's, however right its bytes, could be written to when it has its name. */
async function ownSize(path: string): Promise<number | undefined> {
  const handle = await openOwnFileThere(path)
  try {
    return (await handle?.stat())?.size
  } finally {
    await handle?.close()
  }
}

/** A finished file that is looked at, and not written to. */
export function openFinished(
  artifact: PieceSpace,
  { file, kept }: { readonly file: string; readonly kept: ReadonlyMap<PieceIndex, SourceId> },
  clock: Clock,
): PartBacking {
  return new PartFile({ artifact, place: { file }, journal: undefined, clock }, kept)
}

function orMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error
}

interface PartParts {
  readonly artifact: PieceSpace
  readonly place: Pick<PartPlace, 'file'>
  /** Undefined for a file that is only read. */
  readonly journal: PartJournal | undefined
  readonly clock: Clock
}

class PartFile implements PartBacking {
  /** Of the kinds that the stores know, the one that outlives the process as a file. */
  readonly kind = 'opfs'
  readonly isWritable: boolean
  readonly kept: ReadonlyMap<PieceIndex, SourceId>
  handedOut: FileStamp | undefined
  readonly #parts: PartParts
  #opening: Promise<FileHandle> | undefined
  #seenAtMs = 0

  constructor(parts: PartParts, kept: ReadonlyMap<PieceIndex, SourceId>) {
    this.#parts = parts
    this.kept = kept
    this.isWritable = parts.journal !== undefined
  }

  async prepare(): Promise<void> {
    await this.#guard(() => this.#opened())
  }

  async isGone(): Promise<boolean> {
    const { artifact, place, clock } = this.#parts
    const nowMs = clock.monotonicMs()
    if (this.#opening === undefined || nowMs - this.#seenAtMs < LOOK_EVERY_MS) return false
    this.#seenAtMs = nowMs
    const [there, ours] = [await stat(place.file).catch(orMissing), await (await this.#opening).stat()]
    return there?.ino !== ours.ino || ours.size !== artifact.sizeBytes
  }

  async keep(pieces: readonly VerifiedPiece[]): Promise<void> {
    const { artifact, journal } = this.#parts
    await this.#guard(async () => {
      const handle = await this.#opened()
      for (const { index, bytes } of pieces) await writeWhole(handle, bytes, pieceRange(artifact, index).start)
      await handle.datasync()
      await journal?.add(pieces)
    })
  }

  async read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    signal.throwIfAborted()
    const { start, end } = pieceRange(this.#parts.artifact, piece)
    const length = end - start
    const bytes = room !== undefined && room.byteLength >= length ? new Uint8Array(room, 0, length) : new Uint8Array(length)
    if (this.#opening !== undefined) return await readWhole(await this.#opening, bytes, start)
    const handle = await open(this.#parts.place.file, 'r')
    try {
      return await readWhole(handle, bytes, start)
    } finally {
      await handle.close()
    }
  }

  async parts(first: PieceIndex, count: number): Promise<readonly Blob[]> {
    const { artifact, place } = this.#parts
    // Before the bytes are read: who writes to them from now on is found out.
    this.handedOut = await stampOf(place.file)
    const file = await openAsBlob(place.file)
    const start = first * artifact.pieces.lengthBytes
    const end = Math.min(start + count * artifact.pieces.lengthBytes, artifact.sizeBytes)
    return [start === 0 && end === file.size ? file : file.slice(start, end)]
  }

  async forget(pieces: readonly PieceIndex[]): Promise<void> {
    await this.#guard(async () => await this.#parts.journal?.remove(pieces))
  }

  async close(): Promise<void> {
    const opening = this.#opening
    this.#opening = undefined
    // What was synced is safe, whatever becomes of the handles.
    await opening?.then((handle) => handle.close()).catch(() => undefined)
    await this.#parts.journal?.close().catch(() => undefined)
  }

  release(): void {
    // The handles were all there was.
  }

  #opened(): Promise<FileHandle> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async #open(): Promise<FileHandle> {
    const { artifact, place, clock } = this.#parts
    const handle = await openOwnFile(place.file)
    try {
      // Never shorter first: a process that lost its lock without noticing must not take away what another has written.
      if ((await handle.stat()).size !== artifact.sizeBytes) await handle.truncate(artifact.sizeBytes)
      await requireRoom(handle, { artifact, place })
      this.#seenAtMs = clock.monotonicMs()
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw diskTrouble(error, { path: this.#parts.place.file, neededBytes: this.#parts.artifact.sizeBytes })
    }
  }
}

/** A file with holes reserves nothing: a disk that is too full for the rest is to say so before the download, not after half of it. */
async function requireRoom(handle: FileHandle, { artifact, place }: Pick<PartParts, 'artifact' | 'place'>): Promise<void> {
  const { blocks } = await handle.stat()
  const { bavail, bsize } = await statfs(dirname(place.file))
  const missing = artifact.sizeBytes - blocks * 512
  if (missing > bavail * bsize) throw new DeliveryError({ code: 'quota-exceeded', neededBytes: missing })
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten
}

async function readWhole(handle: FileHandle, into: Uint8Array<ArrayBuffer>, at: number): Promise<Uint8Array<ArrayBuffer>> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await handle.read(into, done, into.length - done, at + done)
    if (bytesRead === 0) throw new DeliveryError({ code: 'store-failed', detail: 'the unfinished file was cut' })
    done += bytesRead
  }
  return into
}
