import type { PeerId, SwarmId } from '../../core/model/ids.ts'
import type { CatalogueSource, Source } from '../../core/ports.ts'
import type { Negotiation } from '../../core/wire/signal-message.ts'
import type { PeerLink } from './peer-link.ts'
import type { PeerSession } from './peer-session.ts'
import type { SignalingClient } from './signaling-client.ts'

export interface ConnectedPeer {
  readonly source: Source
  readonly catalogue: CatalogueSource
  readonly session: PeerSession
  readonly link: PeerLink
}

export interface Meeting {
  readonly peer: PeerId
  readonly swarm: SwarmId
}

/** Whoever passes on what a peer and we have to say to each other before a link stands: a signaling server, or people. */
export type Introducer = Pick<SignalingClient, 'welcome' | 'send'>

/** An attempt with one peer that no server names. */
export interface Introduction {
  accept(negotiation: Negotiation): void
  /** Once the peer has proven its membership. Rejects with why it did not come to that, or with the reason of the signal. */
  readonly met: Promise<ConnectedPeer>
}

export interface IntroductionOptions {
  readonly isInitiator: boolean
  readonly connectTimeoutMs: number
  readonly onGathered: () => void
}
