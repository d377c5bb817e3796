import type { PieceIndex, Sha256, SourceId, SwarmId } from '../../core/model/ids.ts'
import type { CatalogueSource, Clock, Source, SourceSet } from '../../core/ports.ts'
import type { UploadLimits } from '../../core/plan/upload-limits.ts'
import type { PeerRole, ReportReason, ServerSignal } from '../../core/wire/signal-message.ts'
import { catalogueSwarmOf, openSwarmKey, parseTicket, swarmIdOf } from '../../core/wire/ticket.ts'
import { answerPairing, offerPairing, type PairingAnswer, type PairingOffer, type PairingRoom } from './pairing.ts'
import { createPeerBook, type PeerBook } from './peer-book.ts'
import type { CreateLink, LinkStats } from './peer-link.ts'
import type { SeedStore } from './seed-store.ts'
import { startSignalingClient, type OpenSocket, type SignalingClient, type SignalingState } from './signaling-client.ts'
import type { Offer } from './topics.ts'

export interface MeshOptions {
  /** All are connected to; one of them may be inside the same outage. */
  readonly signalingUrls: readonly string[]
  readonly repository: string
  /** The membership ticket, swarm key included. Undefined where admission is open. */
  readonly ticket: string | undefined
  /** Gets another one, well-formed, when that is refused; undefined when there is none. Never rejects. Default: the one there is, for ever. */
  readonly freshTicket?: () => Promise<string | undefined>
  readonly seedStore: SeedStore
  /** What one peer sees of it, where somebody counts who takes what. Default: the same for all. */
  readonly seedStoreFor?: (peer: SourceId) => SeedStore
  readonly createLink: CreateLink
  readonly WebSocket: OpenSocket
  /** A signaling server let us in, or is gone, or could not be reached. */
  readonly onSignaling?: (state: SignalingState) => void
  readonly clock: Clock
  /** 0 to below 1. */
  readonly random: () => number
  /** From a cryptographic source. */
  readonly randomBytes: (length: number) => Uint8Array
  /** What is given to peers, at most. Default: as `DEFAULT_UPLOAD`. */
  readonly upload?: UploadLimits | undefined
}

/** Joining, being introduced and connecting takes no longer, as a rule. */
const MEETING_MS = 10_000

/** One connected peer, with what the WebRTC stack counted. */
export interface MeshPeerStats extends LinkStats {
  readonly source: SourceId
  readonly windowBytes: number
  readonly uploads: number
}

/** This page's part in the mesh of its site. */
export interface Mesh {
  /** Meets the peers of an artifact: to take from them, or to give. Called again with another role, it says so. */
  join(digest: Sha256, role: PeerRole): void
  leave(digest: Sha256): void
  /** Meets peers who pass on the catalogue. */
  joinCatalogue(role: PeerRole): void
  /** Connected peers. It grows for some seconds after each `join`, and while a link is being made. */
  sources(): SourceSet
  /** What connected peers say they have, and each change of it; undefined: nothing any more. Returns what stops it. */
  onOffer(listener: (source: SourceId, digest: Sha256, offer: Offer | undefined) => void): () => void
  /** Tells peers of new pieces here, or (undefined) of all that the seed store has of the blob: less than before, perhaps, or nothing. */
  announce(digest: Sha256, pieces: readonly PieceIndex[] | undefined): void
  /** Throws a peer out, and does not let it in again while this page lives. Own evidence only: nobody is believed about others. */
  ban(source: SourceId, reason: ReportReason): void
  stats(): Promise<readonly MeshPeerStats[]>
  signaling(): readonly SignalingState[]
  /** Makes the first code for a browser that no server can introduce. Aborting `own` gives it up; a peer that is met stays. */
  pair(own: AbortSignal): Promise<PairingOffer>
  /** Makes the second code of a first one. Aborting `own` as with `pair`. */
  answerPairing(code: string, own: AbortSignal): Promise<PairingAnswer>
  /** Says goodbye to everybody. Synchronous, so that it works while a page is being left. */
  close(): void
}

/**
 * Connects to signaling, and nothing more before `join`. Aborting `signal` is as `close`.
 * @throws {DeliveryError} `ticket-invalid`
 */
export function startMesh(options: MeshOptions, signal: AbortSignal): Mesh {
  const swarmKey = options.ticket === undefined ? openSwarmKey(options.repository) : parseTicket(options.ticket).swarmKey
  const mesh = new OpenMesh(options, swarmKey)
  if (signal.aborted) mesh.close()
  else signal.addEventListener('abort', () => mesh.close(), { once: true, signal: mesh.closed })
  return mesh
}

class OpenMesh implements Mesh {
  readonly #options: MeshOptions
  readonly #swarmKey: Uint8Array
  readonly #over = new AbortController()
  readonly #clients: readonly SignalingClient[]
  readonly #book: PeerBook
  #growingUntilMs = Number.NEGATIVE_INFINITY
  readonly #wanted = new Set<Sha256>()
  readonly #changeListeners = new Set<() => void>()
  readonly #offerListeners = new Set<(source: SourceId, digest: Sha256, offer: Offer | undefined) => void>()

  constructor(options: MeshOptions, swarmKey: Uint8Array) {
    this.#options = options
    this.#swarmKey = swarmKey
    this.#book = createPeerBook(
      {
        ...options,
        swarmKey,
        onOffer: (source, digest, offer) => {
          for (const listener of this.#offerListeners) listener(source, digest, offer)
          this.#changed()
        },
        onSession: (session) => {
          if (session.isOpen) for (const digest of this.#wanted) session.openTopic(digest)
          this.#changed()
        },
      },
      this.#over.signal,
    )
    const { ticket, WebSocket, clock, random } = options
    this.#clients = options.signalingUrls.map((url) => {
      const onSignal = (said: ServerSignal): void => this.#onSignal(client, said)
      const onState = (): void => options.onSignaling?.(client.state)
      const freshTicket = options.freshTicket === undefined ? undefined : () => this.#freshTicket()
      const client = startSignalingClient({ url, ticket, freshTicket, WebSocket, clock, random, onSignal, onState }, this.#over.signal)
      return client
    })
  }

  join(digest: Sha256, role: PeerRole): void {
    if (role === 'leech') this.#wanted.add(digest)
    else this.#wanted.delete(digest)
    this.#joinSwarm(swarmIdOf(this.#swarmKey, digest), role)
    if (role === 'leech') for (const { session } of this.#book.connected()) session.openTopic(digest)
  }

  leave(digest: Sha256): void {
    this.#wanted.delete(digest)
    const swarm = swarmIdOf(this.#swarmKey, digest)
    for (const client of this.#clients) client.leave(swarm)
  }

  joinCatalogue(role: PeerRole): void {
    this.#joinSwarm(catalogueSwarmOf(this.#swarmKey, this.#options.repository), role)
  }

  sources(): SourceSet {
    return {
      current: (): readonly Source[] => this.#book.connected().map(({ source }) => source),
      catalogues: (): readonly CatalogueSource[] => this.#book.connected().map(({ catalogue }) => catalogue),
      onChange: (listener) => {
        this.#changeListeners.add(listener)
        return () => void this.#changeListeners.delete(listener)
      },
      want: () => undefined,
      isGrowing: () => !this.#over.signal.aborted && (this.#book.pending > 0 || this.#options.clock.monotonicMs() < this.#growingUntilMs),
    }
  }

  onOffer(listener: (source: SourceId, digest: Sha256, offer: Offer | undefined) => void): () => void {
    this.#offerListeners.add(listener)
    for (const { source, session } of this.#book.connected()) {
      for (const { sha256, offer } of session.offers()) listener(source.id, sha256, offer)
    }
    return () => void this.#offerListeners.delete(listener)
  }

  announce(digest: Sha256, pieces: readonly PieceIndex[] | undefined): void {
    for (const { session } of this.#book.connected()) session.announce(digest, pieces)
  }

  ban(source: SourceId, reason: ReportReason): void {
    this.#book.ban(source, reason)
  }

  async stats(): Promise<readonly MeshPeerStats[]> {
    return await Promise.all(
      this.#book.connected().map(async ({ source, session, link }) => {
        const { windowBytes, uploads } = session.flow
        return { source: source.id, windowBytes, uploads, ...(await link.stats()) }
      }),
    )
  }

  signaling(): readonly SignalingState[] {
    return this.#clients.map(({ state }) => state)
  }

  pair(own: AbortSignal): Promise<PairingOffer> {
    return offerPairing(this.#pairingRoom(), AbortSignal.any([own, this.#over.signal]))
  }

  answerPairing(code: string, own: AbortSignal): Promise<PairingAnswer> {
    return answerPairing(this.#pairingRoom(), code, AbortSignal.any([own, this.#over.signal]))
  }

  get closed(): AbortSignal {
    return this.#over.signal
  }

  close(): void {
    if (this.#over.signal.aborted) return
    this.#book.close()
    this.#over.abort()
  }

  /** One of another swarm key is of no use here: its members and we never meet. */
  async #freshTicket(): Promise<string | undefined> {
    const { ticket, freshTicket } = this.#options
    const fresh = ticket === undefined ? undefined : await freshTicket?.()
    return fresh !== undefined && ticket !== undefined && parseTicket(fresh).scope === parseTicket(ticket).scope ? fresh : undefined
  }

  #pairingRoom(): PairingRoom {
    const { clock, randomBytes, repository } = this.#options
    return { book: this.#book, swarmKey: this.#swarmKey, swarm: catalogueSwarmOf(this.#swarmKey, repository), clock, randomBytes }
  }

  #joinSwarm(swarm: SwarmId, role: PeerRole): void {
    this.#growingUntilMs = this.#options.clock.monotonicMs() + MEETING_MS
    for (const client of this.#clients) client.join(swarm, role)
  }

  #onSignal(client: SignalingClient, said: ServerSignal): void {
    switch (said.type) {
      case 'peers':
        for (const { id } of said.peers) this.#book.meet(client, { peer: id, swarm: said.swarm })
        return
      case 'sig':
        return this.#book.onNegotiation(client, { peer: said.from, swarm: said.swarm }, said)
      case 'peer-left':
        return this.#book.onLeft(client, { peer: said.id, swarm: said.swarm })
      case 'welcome':
      case 'error':
      case 'drain':
        // The client's own business.
        return
    }
  }

  #changed(): void {
    for (const listener of this.#changeListeners) listener()
  }
}
