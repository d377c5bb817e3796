import { DeliveryError } from '../core/errors.ts'
import { pieceRange, type PieceSpace } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { Backing, OpenBacking } from './backing.ts'
import { storeFailed } from './store-failure.ts'

/**
 * Keeps pieces in memory, of all artifacts together at most `limitBytes`. Gone with the process.
 * When room is needed, artifacts that nobody has open are dropped, whole ones before parts and the oldest first: they were handed over.
 */
export function createMemoryBacking(limitBytes: number): Backing {
  const shelf = createShelf(limitBytes)
  return {
    kind: 'memory',
    open: async (artifact) => openHeld(artifact, shelf.take(artifact), shelf),
    view: async (artifact) => openHeld(artifact, shelf.find(artifact) ?? emptyHeld(artifact), shelf),
    readPiece: async (artifact, piece) => bytesOf(shelf.find(artifact), piece).slice(),
    remove: async (sha256) => shelf.remove(sha256),
  }
}

interface Held {
  readonly sizeBytes: number
  readonly lengthBytes: number
  readonly pieces: Map<PieceIndex, { readonly bytes: Uint8Array<ArrayBuffer>; readonly source: SourceId }>
  users: number
}

/** All that is held, the least lately opened first. */
interface Shelf {
  find(artifact: PieceSpace): Held | undefined
  /** For use: it is not dropped before it is released. */
  take(artifact: PieceSpace): Held
  remove(sha256: Sha256): void
  /** Drops what is not in use until so many bytes are free. False, and nothing is dropped, when that cannot be. */
  makeRoom(neededBytes: number): boolean
  /** Counts bytes as used, or as free again when below 0. */
  use(bytes: number): void
}

function createShelf(limitBytes: number): Shelf {
  const artifacts = new Map<Sha256, Held>()
  let freeBytes = limitBytes
  const remove = (sha256: Sha256): void => {
    const held = artifacts.get(sha256)
    artifacts.delete(sha256)
    if (held === undefined) return
    freeBytes += bytesIn(held)
    // Whoever still reads it finds nothing, rather than bytes that no limit counts.
    held.pieces.clear()
  }
  const find = (artifact: PieceSpace): Held | undefined => {
    const held = artifacts.get(artifact.sha256)
    return held?.lengthBytes === artifact.pieces.lengthBytes ? held : undefined
  }
  return {
    find,
    take(artifact) {
      const held = find(artifact) ?? emptyHeld(artifact)
      if (artifacts.get(artifact.sha256) === held) artifacts.delete(artifact.sha256)
      else remove(artifact.sha256)
      artifacts.set(artifact.sha256, held)
      held.users++
      return held
    },
    remove,
    makeRoom(neededBytes) {
      const unused = [...artifacts].filter(([, held]) => held.users === 0)
      const droppable = unused.reduce((sum, [, held]) => sum + bytesIn(held), 0)
      if (neededBytes > freeBytes + droppable) return false
      for (const [sha256] of unused.toSorted(([, a], [, b]) => Number(isWhole(b)) - Number(isWhole(a)))) {
        if (neededBytes <= freeBytes) break
        remove(sha256)
      }
      return true
    },
    use(bytes) {
      freeBytes -= bytes
    },
  }
}

function openHeld(artifact: PieceSpace, held: Held, shelf: Shelf): OpenBacking {
  let isReleased = false
  const requireRoom = (neededBytes: number): void => {
    if (!shelf.makeRoom(neededBytes)) throw new DeliveryError({ code: 'quota-exceeded', neededBytes: artifact.sizeBytes })
  }
  return {
    kind: 'memory',
    isWritable: true,
    kept: new Map([...held.pieces].map(([piece, { source }]) => [piece, source])),
    prepare: async () =>
      requireRoom(artifact.sizeBytes - [...held.pieces.keys()].reduce((sum, piece) => sum + lengthOf(artifact, piece), 0)),
    isGone: async () => false,
    keep: async (pieces) => {
      const neededBytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0)
      requireRoom(neededBytes)
      shelf.use(neededBytes)
      for (const piece of pieces) held.pieces.set(piece.index, { bytes: new Uint8Array(piece.bytes), source: piece.source })
    },
    read: async (piece) => bytesOf(held, piece).slice(),
    parts: async (first, count) => Array.from({ length: count }, (_, i) => new Blob([bytesOf(held, toPieceIndex(first + i))])),
    forget: async (pieces) => {
      for (const piece of pieces) {
        shelf.use(-(held.pieces.get(piece)?.bytes.length ?? 0))
        held.pieces.delete(piece)
      }
    },
    close: async () => undefined,
    release: () => {
      if (!isReleased) held.users--
      isReleased = true
    },
  }
}

function emptyHeld({ sizeBytes, pieces }: PieceSpace): Held {
  return { sizeBytes, lengthBytes: pieces.lengthBytes, pieces: new Map(), users: 0 }
}

function bytesOf(held: Held | undefined, piece: PieceIndex): Uint8Array<ArrayBuffer> {
  const found = held?.pieces.get(piece)
  if (found === undefined) throw storeFailed(`piece ${piece} is not kept`)
  return found.bytes
}

function bytesIn({ pieces }: Held): number {
  return [...pieces.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function isWhole(held: Held): boolean {
  return bytesIn(held) === held.sizeBytes
}

function lengthOf(artifact: PieceSpace, piece: PieceIndex): number {
  const range = pieceRange(artifact, piece)
  return range.end - range.start
}
