import { toPeerSourceId, type PeerId, type SourceId } from '../../core/model/ids.ts'
import type { CatalogueSource, Source } from '../../core/ports.ts'
import type { PeerSession } from './peer-session.ts'

/** What a peer is called in plans and audit records. Ids of two signaling servers may be alike: the second server's are told apart. */
export function peerSourceId(peer: PeerId, server: number): SourceId {
  return toPeerSourceId(server === 0 ? peer : `${peer}.${server}`)
}

/** A connected peer as a source. One piece per read, so that a bad piece has one sender. */
export function createMeshSource(id: SourceId, session: PeerSession): Source {
  return {
    id,
    tier: 'mesh',
    maxRunPieces: 1,
    read: (blob, range, signal) => session.read(blob, range, signal),
    isOffered: (blob, piece) => session.isOffered(blob, piece),
    get isLan() {
      return session.isLan
    },
  }
}

/** The same peer as somewhere to get the signed catalogue from. */
export function createMeshCatalogueSource(id: SourceId, session: PeerSession): CatalogueSource {
  return {
    id,
    tier: 'mesh',
    readCatalogue: (limitBytes, signal) => session.readCatalogue(limitBytes, signal),
    readTrustUpdate: (version, signal) => session.readTrustUpdate(version, signal),
  }
}
