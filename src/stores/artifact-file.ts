import { failureOf, type DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Artifact, PieceSpace } from '../core/model/artifact.ts'
import { createBitfield, type Bitfield } from '../core/model/bitfield.ts'
import { toPieceIndex, type PieceIndex, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { Store, StoredArtifact } from '../core/ports.ts'
import type { VerifiedPiece } from '../core/verify/piece.ts'
import type { OpenBacking } from './backing.ts'
import { createPutQueue, type PutQueue } from './put-queue.ts'
import { storeFailed, toStoreError } from './store-failure.ts'

/** A store whose artifacts can be handed over as one `Blob`. */
export interface FileStore extends Store {
  open(artifact: Artifact, signal: AbortSignal): Promise<ArtifactFile>
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

export interface ArtifactFile extends StoredArtifact {
  /**
   * The whole artifact, its bytes held by the browser. An OPFS `File` where one backing holds all.
   * Not re-hashed here, and without media type.
   * @throws {RangeError} while a piece is missing
   * @throws {DeliveryError} `store-failed`
   */
  complete(signal: AbortSignal): Promise<Blob>
  /** Lets service workers and seeders use it. Call it only after the whole digest was recomputed. @throws {RangeError} while a piece is missing */
  markVerified(signal: AbortSignal): Promise<void>
}

/**
 * One artifact over several backings: each piece is read from where it lies, new ones go to the first backing that takes them.
 * @param backings best first
 */
export function createArtifactFile(
  artifact: PieceSpace,
  backings: readonly OpenBacking[],
  markVerified: (signal: AbortSignal) => Promise<void>,
): ArtifactFile & Reservable {
  return new LayeredFile(artifact, backings, markVerified)
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
  readonly #mark: (signal: AbortSignal) => Promise<void>
  readonly #places = new Map<PieceIndex, Place>()
  readonly #queue: PutQueue
  #writers: readonly OpenBacking[]
  #isClosed = false

  constructor(artifact: PieceSpace, backings: readonly OpenBacking[], mark: (signal: AbortSignal) => Promise<void>) {
    this.#artifact = artifact
    this.#backings = backings
    this.#mark = mark
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

  async read(piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    signal.throwIfAborted()
    this.#requireOpen()
    const place = this.#places.get(piece)
    if (place === undefined) throw storeFailed(`piece ${piece} is not kept`)
    return await this.#guard('reading a piece', place.backing.read(piece, signal), signal)
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
        await this.#guard('forgetting pieces', backing.forget(here, signal), signal)
      }
    })
  }

  async complete(signal: AbortSignal): Promise<Blob> {
    signal.throwIfAborted()
    this.#requireOpen()
    this.#requireFull()
    const parts = await this.#queue.inTurn(async () => {
      for (const backing of this.#backings) backing.close()
      return await this.#guard('opening the artifact', this.#parts(signal), signal)
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
    if (isLasting) await this.#guard('marking the artifact', this.#mark(signal), signal)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#queue.inTurn(async () => {
      for (const backing of this.#backings) backing.close()
    })
  }

  async reserve(signal: AbortSignal): Promise<void> {
    if (this.#writers.length > 0 && !this.stored.isFull()) await this.#withWriter((writer) => writer.prepare(signal))
  }

  async #commit(pieces: readonly VerifiedPiece[]): Promise<void> {
    const fresh = pieces.filter((piece) => !this.stored.has(piece.index))
    if (fresh.length === 0) return
    const backing = await this.#withWriter(async (writer) => {
      await writer.prepare(NEVER)
      await writer.keep(fresh, NEVER)
    })
    for (const piece of fresh) this.#note(piece.index, { backing, source: piece.source })
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
        writer.close()
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

  async #guard<T>(doing: string, work: Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await work
    } catch (error) {
      signal.throwIfAborted()
      throw toStoreError(error, { doing, neededBytes: this.#artifact.sizeBytes })
    }
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
