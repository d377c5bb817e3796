import { DeliveryError } from '../core/errors.ts'
import { pieceRange, type PieceSpace } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { Backing, OpenBacking } from './backing.ts'
import { ownBytes } from './own-bytes.ts'
import { storeFailed } from './store-failure.ts'

interface Held {
  readonly lengthBytes: number
  readonly pieces: Map<PieceIndex, { readonly bytes: Uint8Array<ArrayBuffer>; readonly source: SourceId }>
}

/** Keeps pieces in memory, of all artifacts together at most `limitBytes`. Gone with the process. */
export function createMemoryBacking(limitBytes: number): Backing {
  const artifacts = new Map<Sha256, Held>()
  const room = { freeBytes: limitBytes }
  const remove = (sha256: Sha256): void => {
    for (const { bytes } of artifacts.get(sha256)?.pieces.values() ?? []) room.freeBytes += bytes.length
    artifacts.delete(sha256)
  }
  return {
    kind: 'memory',
    open: async (artifact) => {
      if (artifacts.get(artifact.sha256)?.lengthBytes !== artifact.pieces.lengthBytes) remove(artifact.sha256)
      const held = artifacts.get(artifact.sha256) ?? {
        lengthBytes: artifact.pieces.lengthBytes,
        pieces: new Map(),
      }
      artifacts.set(artifact.sha256, held)
      return openHeld(artifact, held, room)
    },
    remove: async (sha256) => remove(sha256),
  }
}

function openHeld(artifact: PieceSpace, held: Held, room: { freeBytes: number }): OpenBacking {
  const bytesOf = (piece: PieceIndex): Uint8Array<ArrayBuffer> => {
    const found = held.pieces.get(piece)
    if (found === undefined) throw storeFailed(`piece ${piece} is not kept`)
    return found.bytes
  }
  return {
    kind: 'memory',
    isWritable: true,
    kept: new Map([...held.pieces].map(([piece, { source }]) => [piece, source])),
    prepare: async () => {
      const missing = artifact.sizeBytes - [...held.pieces.keys()].reduce((sum, piece) => sum + lengthOf(artifact, piece), 0)
      if (missing > room.freeBytes) throw new DeliveryError({ code: 'quota-exceeded', neededBytes: artifact.sizeBytes })
    },
    keep: async (pieces) => {
      const neededBytes = pieces.reduce((sum, piece) => sum + piece.bytes.length, 0)
      if (neededBytes > room.freeBytes) throw new DeliveryError({ code: 'quota-exceeded', neededBytes: artifact.sizeBytes })
      room.freeBytes -= neededBytes
      for (const piece of pieces) held.pieces.set(piece.index, { bytes: ownBytes(piece.bytes), source: piece.source })
    },
    read: async (piece) => bytesOf(piece).slice(),
    parts: async (first, count) => Array.from({ length: count }, (_, i) => new Blob([bytesOf(toPieceIndex(first + i))])),
    forget: async (pieces) => {
      for (const piece of pieces) {
        room.freeBytes += held.pieces.get(piece)?.bytes.length ?? 0
        held.pieces.delete(piece)
      }
    },
    close: () => undefined,
  }
}

function lengthOf(artifact: PieceSpace, piece: PieceIndex): number {
  const range = pieceRange(artifact, piece)
  return range.end - range.start
}
