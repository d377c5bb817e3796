import type { PeerId, SourceId } from '../../core/model/ids.ts'
import type { Introducer } from './introduction.ts'
import { peerSourceId } from './mesh-source.ts'

/** A peer as one signaling server names it. Another server's names are its own: none can take or ban those. */
export type PeerKey = `${number} ${PeerId}`

/** Keeps the names that several servers give to peers apart. Servers are numbered as they first say something. */
export class PeerNames {
  readonly #servers: Introducer[] = []

  keyOf(client: Introducer, peer: PeerId): PeerKey {
    return `${this.#numberOf(client)} ${peer}`
  }

  /** As records name it. */
  sourceOf(client: Introducer, peer: PeerId): SourceId {
    return peerSourceId(peer, this.#numberOf(client))
  }

  #numberOf(client: Introducer): number {
    const known = this.#servers.indexOf(client)
    return known >= 0 ? known : this.#servers.push(client) - 1
  }
}
