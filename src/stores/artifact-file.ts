import { DeliveryError, failureOf } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Artifact, PieceSpace } from '../core/model/artifact.ts'
import { createBitfield, type Bitfield } from '../core/model/bitfield.ts'
import { toPieceIndex, type PieceIndex, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { Store, StoredArtifact } from '../core/ports.ts'
import type { VerifiedPiece } from '../core/verify/piece.ts'
import type { OpenBacking } from './backing.ts'
import { findLost } from './lost-pieces.ts'
import { createPutQueue, type PutQueue } from './put-queue.ts'
import { isStorageTrouble, storeFailed, toStoreError } from './store-failure.ts'

/** A store whose artifacts can be handed over as one `Blob`. */
export interface FileStore extends Store {
  open(artifact: Artifact, signal: AbortSignal): Promise<ArtifactFile>
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

export interface ArtifactFile extends StoredArtifact {
  /**
   * One kept piece, not re-hashed.
   * @throws {DeliveryError} `store-tampered` when its bytes are gone: it, and what else is gone, is forgotten by then, to be fetched again.
   * `store-failed` when it is not kept
   */
  read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>>
  /**
   * The whole artifact as it is now, its bytes held by the browser. An OPFS `File` where one backing holds all.
   * Not re-hashed here, and without media type: hash it, and hand over this very object. Pieces put afterwards take another call.
   * In Chromium it never shows other bytes later: once its file is written to, it cannot be read any more. Firefox reads the file as it
   * is at that moment; this store writes nothing but verified bytes of the artifact there, another script of the origin might.
   * @throws {RangeError} while a piece is missing
   * @throws {DeliveryError} `store-tampered` as `read` does, `store-failed`
   */
  complete(signal: AbortSignal): Promise<Blob>
  /**
   * Lets service workers and seeders use it. Call it only after the whole digest was recomputed. Where that cannot be written down,
   * nothing happens: the artifact is none the worse, and the next visit hashes it again.
   * @throws {RangeError} while a piece is missing
   */
  markVerified(signal: AbortSignal): Promise<void>
}

/**
 * One artifact over several backings: each piece is read from where it lies, new ones go to the first backing that takes them.
 * @param backings best first
 * @param owner undefined for one who does not hold the artifact's lock: nothing is ever forgotten then
 */
export function createArtifactFile(
  artifact: PieceSpace,
  backings: readonly OpenBacking[],
  owner: ArtifactOwner | undefined,
): ArtifactFile & Reservable {
  return new LayeredFile(artifact, backings, owner)
}

export interface ArtifactOwner {
  markVerified(signal: AbortSignal): Promise<void>
  /** Writes the artifact's row anew where it went with what was cleared: pieces without one do not count at the next visit. */
  begin(signal: AbortSignal): Promise<void>
}

export interface Reservable {
  /** Reserves room for what is missing, in the first backing that has it. @throws {DeliveryError} `quota-exceeded`, `store-failed` */
  reserve(signal: AbortSignal): Promise<void>
}

interface Place {
  readonly backing: OpenBacking
  readonly source: SourceId
}

/** Commits serve several callers at once, so none of their signals may stop one; each storage call has its own deadline. */
const NEVER = new AbortController().signal

class LayeredFile implements ArtifactFile, Reservable {
  readonly stored: Bitfield
  readonly #artifact: PieceSpace
  readonly #backings: readonly OpenBacking[]
  readonly #owner: ArtifactOwner | undefined
  readonly #places = new Map<PieceIndex, Place>()
  readonly #queue: PutQueue
  #writers: readonly OpenBacking[]
  #isClosed = false

  constructor(artifact: PieceSpace, backings: readonly OpenBacking[], owner: ArtifactOwner | undefined) {
    this.#artifact = artifact
    this.#backings = backings
    this.#owner = owner
    this.#writers = backings.filter((backing) => backing.isWritable)
    this.stored = createBitfield(artifact.pieces.count)
    this.#queue = createPutQueue((pieces) => this.#commit(pieces))
    for (const backing of backings) {
      for (const [piece, source] of backing.kept) this.#note(piece, { backing, source })
    }
  }

  origins(): ReadonlyMap<PieceIndex, SourceId> {
    return new Map([...this.#places].map(([piece, place]) => [piece, place.source]))
  }

  async put(piece: VerifiedPiece, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (piece.artifact !== this.#artifact.sha256)
      throw new TypeError(`expected a piece of ${this.#artifact.sha256}, got one of ${piece.artifact}`)
    this.#requireOpen()
    if (!this.stored.has(piece.index)) await this.#queue.add(piece, signal)
  }

  async read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    signal.throwIfAborted()
    this.#requireOpen()
    const place = this.#places.get(piece)
    if (place === undefined) throw storeFailed(`piece ${piece} is not kept`)
    try {
      return await place.backing.read(piece, signal, room)
    } catch (error) {
      signal.throwIfAborted()
      if (this.#owner === undefined || this.#isClosed) throw toStoreError(error, this.#doing('reading a piece'))
      return await this.#queue.inTurn(() => this.#readAgain(piece, error, signal))
    }
  }

  async forget(pieces: readonly PieceIndex[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#requireOpen()
    await this.#queue.inTurn(async () => {
      for (const backing of this.#backings) {
        const here = pieces.filter((piece) => this.#places.get(piece)?.backing === backing)
        if (here.length === 0) continue
        // Before the wait: if it fails nobody knows whether the flag is gone, and a piece that still counted would never be put again.
        for (const piece of here) this.#unnote(piece)
        try {
          await backing.forget(here, signal)
        } catch (error) {
          signal.throwIfAborted()
          throw toStoreError(error, this.#doing('forgetting pieces'))
        }
      }
    })
  }

  async complete(signal: AbortSignal): Promise<Blob> {
    signal.throwIfAborted()
    this.#requireOpen()
    this.#requireFull()
    const parts = await this.#queue.inTurn(async () => {
      try {
        // Taken while this context still has the file locked: between the lock and the snapshot nobody can write.
        return await this.#parts(signal)
      } catch (error) {
        signal.throwIfAborted()
        // An open handle would go on reading a file that has no name any more.
        await this.#letGo()
        throw await this.#lossOr(error, signal)
      } finally {
        await this.#letGo()
      }
    })
    const [only] = parts
    const whole = parts.length === 1 && only !== undefined ? only : new Blob([...parts])
    if (whole.size !== this.#artifact.sizeBytes) throw storeFailed(`expected ${this.#artifact.sizeBytes} bytes, found ${whole.size}`)
    return whole
  }

  async markVerified(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#requireFull()
    const isLasting = [...this.#places.values()].every((place) => place.backing.kind !== 'memory')
    if (!isLasting) return
    try {
      await this.#owner?.markVerified(signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!isStorageTrouble(error)) throw error
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#queue.inTurn(async () => {
      for (const backing of this.#backings) {
        await backing.close()
        backing.release()
      }
    })
  }

  async reserve(signal: AbortSignal): Promise<void> {
    if (this.#writers.length > 0 && !this.stored.isFull()) await this.#withWriter((writer) => writer.prepare(signal))
  }

  async #commit(pieces: readonly VerifiedPiece[]): Promise<void> {
    const fresh = pieces.filter((piece) => !this.stored.has(piece.index))
    if (fresh.length === 0) return
    await this.#requireThere()
    const backing = await this.#withWriter(async (writer) => {
      await writer.prepare(NEVER)
      await writer.keep(fresh, NEVER)
    })
    for (const piece of fresh) this.#note(piece.index, { backing, source: piece.source })
  }

  /** @throws {DeliveryError} `store-tampered` when what was kept so far has been cleared: it is forgotten by then, to be fetched again */
  async #requireThere(): Promise<void> {
    const [writer] = this.#writers
    // Whoever cannot look writes on: `complete` looks at everything.
    if (writer === undefined || !(await writer.isGone(NEVER).catch(() => false))) return
    await this.#letGo()
    const [first] = await this.#forgetLost(writer, [], NEVER)
    if (first !== undefined) throw this.#tampered(first, storeFailed('the stored file was cleared'))
  }

  async #withWriter(work: (writer: OpenBacking) => Promise<void>): Promise<OpenBacking> {
    let first: DeliveryError | undefined
    for (;;) {
      const writer = this.#writers[0]
      if (writer === undefined) throw first ?? storeFailed('this place can only read')
      try {
        await work(writer)
        return writer
      } catch (error) {
        const failed = toStoreError(error, {
          doing: 'keeping a piece',
          neededBytes: this.#artifact.sizeBytes,
        })
        first ??= failed
        await writer.close()
        const next = this.#after(writer, failed)
        if (next.length === 0) throw first
        this.#writers = next
      }
    }
  }

  /** Which backings are left. All lasting ones share one quota, so a full disk leaves only memory. */
  #after(writer: OpenBacking, failed: DeliveryError): readonly OpenBacking[] {
    const others = this.#writers.filter((other) => other !== writer)
    if (failureOf(failed)?.code !== 'quota-exceeded') return others
    return this.#artifact.sizeBytes <= LIMITS.memoryStoreBytes ? others.filter((other) => other.kind === 'memory') : []
  }

  async #parts(signal: AbortSignal): Promise<readonly Blob[]> {
    const parts: Blob[] = []
    let first = 0
    while (first < this.#artifact.pieces.count) {
      const backing = this.#places.get(toPieceIndex(first))?.backing
      if (backing === undefined) throw storeFailed(`piece ${first} is not kept`)
      let end = first + 1
      while (end < this.#artifact.pieces.count && this.#places.get(toPieceIndex(end))?.backing === backing) end++
      parts.push(...(await backing.parts(toPieceIndex(first), end - first, signal)))
      first = end
    }
    return parts
  }

  /** Between commits: a file that was written to meanwhile cannot be read through an older view of it, and nothing is lost. */
  async #readAgain(piece: PieceIndex, before: unknown, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    this.#requireOpen()
    const backing = this.#places.get(piece)?.backing
    // Another reader has found it gone.
    if (backing === undefined) throw this.#tampered(piece, before)
    try {
      return await backing.read(piece, signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#unnote(piece)
      await this.#forgetLost(backing, [piece], signal)
      throw this.#tampered(piece, error)
    }
  }

  /** What to throw when the whole could not be put together. */
  async #lossOr(error: unknown, signal: AbortSignal): Promise<DeliveryError> {
    const lost: PieceIndex[] = []
    if (this.#owner !== undefined) for (const backing of this.#backings) lost.push(...(await this.#forgetLost(backing, [], signal)))
    const [first] = lost
    return first === undefined ? toStoreError(error, this.#doing('opening the artifact')) : this.#tampered(first, error)
  }

  /**
   * Forgets every piece of a backing whose bytes are gone, in one go: whoever cleared one has often cleared more.
   * @param known pieces that are known to be gone
   * @returns all of them
   */
  async #forgetLost(backing: OpenBacking, known: readonly PieceIndex[], signal: AbortSignal): Promise<readonly PieceIndex[]> {
    const others = [...this.#places].filter(([piece, place]) => place.backing === backing && !known.includes(piece))
    const gone = [
      ...known,
      ...(await findLost(
        backing,
        others.map(([piece]) => piece),
        signal,
      )),
    ]
    for (const piece of gone) this.#unnote(piece)
    // If the flags stay, the next visit finds the loss again; this one fetches the pieces.
    if (gone.length > 0) {
      await backing.forget(gone, signal).catch(() => undefined)
      await this.#owner?.begin(signal).catch(() => undefined)
    }
    return gone
  }

  async #letGo(): Promise<void> {
    for (const backing of this.#backings) await backing.close()
  }

  #tampered(piece: PieceIndex, cause: unknown): DeliveryError {
    return new DeliveryError({ code: 'store-tampered', sha256: this.#artifact.sha256, piece }, { cause })
  }

  #doing(doing: string): Parameters<typeof toStoreError>[1] {
    return { doing, neededBytes: this.#artifact.sizeBytes }
  }

  #note(piece: PieceIndex, place: Place): void {
    if (piece >= this.#artifact.pieces.count || this.#places.has(piece)) return
    this.#places.set(piece, place)
    this.stored.add(piece)
  }

  #unnote(piece: PieceIndex): void {
    this.#places.delete(piece)
    this.stored.remove(piece)
  }

  #requireOpen(): void {
    if (this.#isClosed) throw storeFailed('the artifact was closed')
  }

  #requireFull(): void {
    if (!this.stored.isFull()) throw new RangeError(`expected ${this.stored.length} pieces, ${this.stored.size} are kept`)
  }
}
