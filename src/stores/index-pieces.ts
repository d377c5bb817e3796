import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { IndexConnection } from './index-connection.ts'
import { parsePieceFlag, piecesOf, type LastingBacking, type PieceFlag, type PieceKey } from './index-schema.ts'

/** The claims that pieces are safely kept. */
export interface PieceFlags {
  /** Flags of the pieces that lie in `backing`, in ascending order. */
  list(sha256: Sha256, backing: LastingBacking, signal: AbortSignal): Promise<readonly PieceFlag[]>
  /** The flag of one piece, wherever it lies; undefined when it is not kept. */
  get(sha256: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<PieceFlag | undefined>
  /** All or none. Call it only when the bytes of every one are safely kept. */
  add(sha256: Sha256, flags: readonly PieceFlag[], signal: AbortSignal): Promise<void>
  /** Takes the claims back, and with the first of them the artifact's `verified`. */
  remove(sha256: Sha256, pieces: readonly PieceIndex[], signal: AbortSignal): Promise<void>
}

/** Pieces whose bytes lie in the index itself: bytes and flag are kept, and dropped, in one transaction. */
export interface PieceBlobs {
  get(sha256: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<Blob | undefined>
  add(sha256: Sha256, pieces: readonly { readonly flag: PieceFlag; readonly blob: Blob }[], signal: AbortSignal): Promise<void>
}

export function createPieceFlags(connection: IndexConnection): PieceFlags {
  return {
    list: (sha256, backing, signal) =>
      connection.run(
        'reading piece flags',
        async (db) => {
          const tx = db.transaction('pieces')
          const [keys, values] = await Promise.all([tx.store.getAllKeys(piecesOf(sha256)), tx.store.getAll(piecesOf(sha256)), tx.done])
          return keys
            .map((key, i) => parsePieceFlag(key[1], values[i]))
            .filter((flag) => flag?.backing === backing)
            .filter((flag) => flag !== undefined)
        },
        signal,
      ),
    get: (sha256, piece, signal) =>
      connection.run('reading a piece flag', async (db) => parsePieceFlag(piece, await db.get('pieces', keyOf(sha256, piece))), signal),
    add: (sha256, flags, signal) =>
      connection.run(
        'writing piece flags',
        async (db) => {
          const tx = db.transaction('pieces', 'readwrite')
          await Promise.all([...flags.map((flag) => tx.store.put(flag, keyOf(sha256, flag.index))), tx.done])
        },
        signal,
      ),
    remove: (sha256, pieces, signal) => connection.run('forgetting pieces', (db) => removeFlags(db, sha256, pieces), signal),
  }
}

export function createPieceBlobs(connection: IndexConnection): PieceBlobs {
  return {
    get: (sha256, piece, signal) =>
      connection.run(
        'reading a piece',
        async (db) => {
          const value = await db.get('pieceBlobs', keyOf(sha256, piece))
          return value instanceof Blob ? value : undefined
        },
        signal,
      ),
    add: (sha256, pieces, signal) =>
      connection.run(
        'writing pieces',
        async (db) => {
          const tx = db.transaction(['pieces', 'pieceBlobs'], 'readwrite')
          const writes: Promise<unknown>[] = [tx.done]
          for (const { flag, blob } of pieces) {
            writes.push(tx.objectStore('pieceBlobs').put(blob, keyOf(sha256, flag.index)))
            writes.push(tx.objectStore('pieces').put(flag, keyOf(sha256, flag.index)))
          }
          await Promise.all(writes)
        },
        signal,
      ),
  }
}

type Db = Parameters<Parameters<IndexConnection['run']>[1]>[0]

async function removeFlags(db: Db, sha256: Sha256, pieces: readonly PieceIndex[]): Promise<void> {
  const tx = db.transaction(['artifacts', 'pieces', 'pieceBlobs'], 'readwrite')
  const row: unknown = await tx.objectStore('artifacts').get(sha256)
  const writes: Promise<unknown>[] = [tx.done]
  if (pieces.length > 0 && typeof row === 'object' && row !== null) {
    writes.push(tx.objectStore('artifacts').put({ ...row, state: 'partial' }, sha256))
  }
  for (const piece of pieces) {
    writes.push(tx.objectStore('pieces').delete(keyOf(sha256, piece)))
    writes.push(tx.objectStore('pieceBlobs').delete(keyOf(sha256, piece)))
  }
  await Promise.all(writes)
}

function keyOf(sha256: Sha256, piece: PieceIndex): PieceKey {
  return [sha256, piece]
}
