import type { Sha256, SourceId } from '../../core/model/ids.ts'
import type { SeedStore } from '../../sources/mesh/seed-store.ts'
import type { SeedLog, SeededArtifact } from './seed-event.ts'

/** Who has taken what, by peer. */
export interface PeerTally {
  /** The store as this peer sees it: what it is given is counted. */
  viewOf(peer: SourceId): SeedStore
  /** Says what a peer that left has taken in part. */
  close(peer: SourceId): void
}

export function createPeerTally(store: SeedStore, describe: (artifact: Sha256) => SeededArtifact | undefined, log: SeedLog): PeerTally {
  const taken = new Map<SourceId, Map<Sha256, Set<number>>>()
  const say = (peer: SourceId, sha256: Sha256, pieces: number): void => {
    const artifact = describe(sha256)
    const pieceCount = store.layout(sha256)?.count
    if (artifact !== undefined && pieceCount !== undefined) log({ event: 'served', peer, artifact, pieces, pieceCount })
  }
  const count = (peer: SourceId, sha256: Sha256, piece: number): void => {
    // Documents go along with their artifact.
    if (describe(sha256) === undefined) return
    const artifacts = taken.get(peer) ?? new Map<Sha256, Set<number>>()
    taken.set(peer, artifacts)
    const pieces = artifacts.get(sha256) ?? new Set()
    artifacts.set(sha256, pieces.add(piece))
    if (pieces.size !== store.layout(sha256)?.count) return
    say(peer, sha256, pieces.size)
    artifacts.delete(sha256)
  }
  return {
    viewOf: (peer) => ({
      ...store,
      async readPiece(sha256, piece, signal) {
        const bytes = await store.readPiece(sha256, piece, signal)
        if (bytes !== undefined) count(peer, sha256, piece)
        return bytes
      },
    }),
    close(peer) {
      for (const [sha256, pieces] of taken.get(peer) ?? []) say(peer, sha256, pieces.size)
      taken.delete(peer)
    },
  }
}
