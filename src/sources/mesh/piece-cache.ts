import { orAborted } from '../../core/or-aborted.ts'
import type { PieceIndex, Sha256 } from '../../core/model/ids.ts'

/** Enough for what four peers are given at a time, at the largest piece. */
export const PIECE_CACHE_BYTES = 16 * 1024 * 1024

/** Pieces that were read for one peer and are soon asked for by the next: a crowd wants the same ones at the same time. */
export interface PieceCache {
  /**
   * The piece from memory, else as `load` gives it: once, however many ask meanwhile. Nobody may write to it.
   * Aborting `signal` ends the wait and not the loading, which serves others too.
   */
  read(digest: Sha256, piece: PieceIndex, load: () => Promise<Uint8Array | undefined>, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Forgets what is kept of the blob, and what is being loaded of it. */
  drop(digest: Sha256): void
}

/** @param limitBytes of all that is kept together; what was asked for longest ago goes first */
export function createPieceCache(limitBytes = PIECE_CACHE_BYTES): PieceCache {
  const kept = new Map<string, Uint8Array>()
  const loading = new Map<string, Promise<Uint8Array | undefined>>()
  let keptBytes = 0
  const forget = (key: string): void => {
    keptBytes -= kept.get(key)?.length ?? 0
    kept.delete(key)
  }
  const keep = (key: string, bytes: Uint8Array): void => {
    if (bytes.length > limitBytes) return
    forget(key)
    kept.set(key, bytes)
    keptBytes += bytes.length
    for (const oldest of kept.keys()) {
      if (keptBytes <= limitBytes) return
      forget(oldest)
    }
  }
  const start = (key: string, load: () => Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> => {
    // What was dropped meanwhile is not kept after all.
    const end = (bytes: Uint8Array | undefined): void => {
      if (loading.get(key) !== work) return
      loading.delete(key)
      if (bytes !== undefined) keep(key, bytes)
    }
    const work = load()
    loading.set(key, work)
    work.then(end, () => end(undefined))
    return work
  }
  return {
    async read(digest, piece, load, signal) {
      signal.throwIfAborted()
      const key = `${digest} ${piece}`
      const known = kept.get(key)
      if (known === undefined) return await orAborted(loading.get(key) ?? start(key, load), signal)
      kept.delete(key)
      kept.set(key, known)
      return known
    },
    drop(digest) {
      for (const key of kept.keys()) if (key.startsWith(digest)) forget(key)
      for (const key of loading.keys()) if (key.startsWith(digest)) loading.delete(key)
    },
  }
}
