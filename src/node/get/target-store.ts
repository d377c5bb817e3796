import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import type { Artifact } from '../../core/model/artifact.ts'
import { toPieceIndex, toSourceId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import { createArtifactFile, type ArtifactFile, type FileStore } from '../../stores/artifact-file.ts'
import { errorCode, linkNew, syncFolder } from '../durable-file.ts'
import { takeLockFile, type LockFile, type LockHolder } from '../lock-file.ts'
import { sha256OfFile } from '../signing/content.ts'
import { diskTrouble } from './disk-trouble.ts'
import { isSameFile, stampOf } from './file-stamp.ts'
import { openFinished, openPart, type PartBacking } from './part-backing.ts'
import { removeLeftovers, targetOf, type Output, type Target } from './target.ts'

/** Keeps one artifact, beside the place that it is to have. */
export interface TargetStore extends FileStore {
  /** The file was there already, with these very bytes: nothing has to be fetched. */
  readonly isAlreadyThere: boolean
  /**
   * Gives the verified artifact its name. Call it after everything else.
   * @returns where it is
   * @throws {DeliveryError} `input-invalid` when something else has taken the name meanwhile, or what was verified was changed
   */
  finish(): Promise<string>
  /** Lets others at it. Never rejects. */
  release(): Promise<void>
}

export interface TargetStoreOptions {
  readonly output: Output
  /** Replaces what else stands under the name. */
  readonly force: boolean
  readonly clock: Clock
}

/** Who served what was found whole is not known any more. */
export const FOUND = toSourceId('found')

export function createTargetStore(options: TargetStoreOptions): TargetStore {
  return new OneTarget(options)
}

class OneTarget implements TargetStore {
  isAlreadyThere = false
  readonly #options: TargetStoreOptions
  #target: Target | undefined
  #lock: LockFile | undefined
  #backing: PartBacking | undefined

  constructor(options: TargetStoreOptions) {
    this.#options = options
  }

  async open(artifact: Artifact, signal: AbortSignal): Promise<ArtifactFile> {
    const target = targetOf(this.#options.output, artifact.filename, artifact.sha256)
    this.#target = target
    try {
      this.#lock ??= await lockTarget(target)
      await removeLeftovers(target)
      this.isAlreadyThere = await this.#look(target, artifact, signal)
      const backing = await this.#openBacking(target, artifact)
      this.#backing = backing
      const file = createArtifactFile(artifact, [backing], { markVerified: async () => undefined, begin: async () => undefined })
      if (!this.isAlreadyThere) await file.reserve(signal)
      return file
    } catch (error) {
      signal.throwIfAborted()
      throw diskTrouble(error, { path: dirname(target.finished), neededBytes: artifact.sizeBytes })
    }
  }

  async remove(): Promise<void> {
    // Without the lock it may be somebody else's by now.
    if (this.#target !== undefined && (await this.#lock?.isHeld()) === true) await removePart(this.#target)
  }

  async finish(): Promise<string> {
    if (this.#target === undefined) throw new RangeError('expected an artifact that was opened')
    const { finished, file } = this.#target
    try {
      await this.#requireHeld(finished)
      if (!this.isAlreadyThere) {
        await syncFile(file)
        if (!isSameFile(this.#backing?.handedOut, await stampOf(file)))
          throw refused(file, 'was changed by somebody after it was verified; run this again')
      }
      await this.#requireHeld(finished)
      if (!this.isAlreadyThere) {
        await this.#name(file, finished)
        await syncFolder(dirname(finished))
      }
      await removePart(this.#target)
      return finished
    } catch (error) {
      throw diskTrouble(error, { path: dirname(finished), neededBytes: 0 })
    }
  }

  async release(): Promise<void> {
    await this.#lock?.release()
    this.#lock = undefined
  }

  /** @returns whether it is there. @throws {DeliveryError} `input-invalid` when something else is, and may not be replaced */
  async #look({ finished }: Target, artifact: Artifact, signal: AbortSignal): Promise<boolean> {
    const sizeBytes = await sizeOf(finished)
    if (sizeBytes === undefined) return false
    if (sizeBytes === artifact.sizeBytes && (await sha256OfFile(finished, signal)).sha256 === artifact.sha256) return true
    if (this.#options.force) return false
    throw refused(finished, 'is there already, with other content; --force replaces it, or name another place with --out')
  }

  async #requireHeld(finished: string): Promise<void> {
    if ((await this.#lock?.isHeld()) !== true) throw refused(finished, 'another process took it over; run this again')
  }

  async #name(file: string, finished: string): Promise<void> {
    const { force } = this.#options
    // A rename would replace what came to be there a moment ago.
    const made = force ? 'without-links' : await linkNew(file, finished)
    if (made === 'linked') return
    if (made === 'taken' || (!force && (await sizeOf(finished)) !== undefined)) throw refused(finished, 'came to be there meanwhile')
    await rename(file, finished)
  }

  async #openBacking(target: Target, artifact: Artifact): Promise<PartBacking> {
    const { clock } = this.#options
    if (!this.isAlreadyThere) return await openPart(artifact, target, clock)
    const kept = new Map(Array.from({ length: artifact.pieces.count }, (_, index) => [toPieceIndex(index), FOUND]))
    return openFinished(artifact, { file: target.finished, kept }, clock)
  }
}

async function lockTarget({ lock, finished }: Target): Promise<LockFile> {
  const taken = await takeLockFile(lock)
  if ('lock' in taken) return taken.lock
  throw refused(finished, taken.holder === undefined ? 'another process has just begun to fetch it' : fetchedBy(taken.holder))
}

function fetchedBy({ pid, host, expiresAtMs }: LockHolder): string {
  return `is being fetched by process ${pid} on ${host}, until ${new Date(expiresAtMs).toISOString()} at least; wait for it, or name another place with --out`
}

async function removePart({ file, journal }: Target): Promise<void> {
  // The word that pieces are there goes first.
  await rm(journal, { force: true })
  await rm(file, { force: true })
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Undefined where nothing is. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw refused(path, 'is not a file')
    return found.size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function refused(path: string, detail: string): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail })
}
