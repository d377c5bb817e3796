import { failureOf, HANDLING, type Failure } from '../../core/errors.ts'
import type { PeerId, Sha256, SourceId, SwarmId } from '../../core/model/ids.ts'
import type { CatalogueSource, Clock, Source } from '../../core/ports.ts'
import { toBase64Url } from '../../core/base64.ts'
import type { Negotiation, ReportReason } from '../../core/wire/signal-message.ts'
import { createMeshCatalogueSource, createMeshSource, peerSourceId } from './mesh-source.ts'
import type { CreateLink, PeerLink, PendingLink } from './peer-link.ts'
import { openPeerSession, type PeerSession } from './peer-session.ts'
import type { SeedStore } from './seed-store.ts'
import type { SignalingClient } from './signaling-client.ts'
import type { Offer } from './topics.ts'
import { createUploadSlots, type UploadSlots } from './upload-slots.ts'

/** Links that we start. The server names as many, at most, for a room. */
const DIALLED_PEERS = 8
/** Links in all: those who offer to us come on top. */
const ALL_PEERS = 16
const REDIALS = 3
const REDIAL_MS = 1000
/** Sessions that are over and can still be banned: what a peer sent may be judged after it left. */
const REMEMBERED = 256

export interface PeerBookOptions {
  readonly swarmKey: Uint8Array
  readonly seedStore: SeedStore
  readonly createLink: CreateLink
  readonly clock: Clock
  readonly random: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly uploadSlots?: number
  readonly onOffer: (source: SourceId, digest: Sha256, offer: Offer | undefined) => void
  /** A session began, or ended. */
  readonly onSession: (session: PeerSession) => void
}

export interface ConnectedPeer {
  readonly source: Source
  readonly catalogue: CatalogueSource
  readonly session: PeerSession
  readonly link: PeerLink
}

interface Meeting {
  readonly peer: PeerId
  readonly swarm: SwarmId
}

/** A peer as one signaling server names it. Another server's names are its own: none can take or ban those. */
type PeerKey = `${number} ${PeerId}`

interface Entry extends Meeting {
  readonly key: PeerKey
  readonly source: SourceId
  readonly client: SignalingClient
  /** Names this attempt, so that what belongs to an earlier one is not taken for it. */
  readonly sid: string
  readonly isInitiator: boolean
  readonly pending: PendingLink
  readonly stop: AbortController
  connected: ConnectedPeer | undefined
}

/** A peer that has proven its membership, by its certificate. */
interface Member {
  readonly entry: Entry
  readonly fingerprint: string
}

/** Who is connected, who is being connected to, and who is not to be let in. */
export interface PeerBook {
  connected(): readonly ConnectedPeer[]
  /** Links that are being made. */
  readonly pending: number
  /** The server named this peer to us: we offer. */
  meet(client: SignalingClient, meeting: Meeting): void
  onNegotiation(client: SignalingClient, meeting: Meeting, said: Negotiation & { readonly sid: string }): void
  onLeft(client: SignalingClient, meeting: Meeting): void
  /** Also when it has left: it is then not let in again. */
  ban(source: SourceId, reason: ReportReason): void
  close(): void
}

export function createPeerBook(options: PeerBookOptions, signal: AbortSignal): PeerBook {
  return new Book(options, signal)
}

class Book implements PeerBook {
  readonly #options: PeerBookOptions
  readonly #signal: AbortSignal
  readonly #slots: UploadSlots
  readonly #servers: SignalingClient[] = []
  readonly #entries = new Map<PeerKey, Entry>()
  readonly #present = new Map<PeerKey, Set<SwarmId>>()
  readonly #members = new Map<SourceId, Member>()
  readonly #bannedPeers = new Set<PeerKey>()
  readonly #bannedFingerprints = new Set<string>()

  constructor(options: PeerBookOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#slots = createUploadSlots(options.uploadSlots)
  }

  connected(): readonly ConnectedPeer[] {
    return [...this.#entries.values()].flatMap(({ connected }) => (connected?.session.isOpen === true ? [connected] : []))
  }

  get pending(): number {
    return [...this.#entries.values()].filter(({ connected }) => connected === undefined).length
  }

  meet(client: SignalingClient, { peer, swarm }: Meeting): void {
    const key = this.#keyOf(client, peer)
    const rooms = this.#present.get(key) ?? new Set()
    this.#present.set(key, rooms.add(swarm))
    this.#dial(client, { peer, swarm }, REDIALS)
  }

  onNegotiation(client: SignalingClient, meeting: Meeting, said: Negotiation & { readonly sid: string }): void {
    const known = this.#entries.get(this.#keyOf(client, meeting.peer))
    if (known?.sid === said.sid) return known.pending.accept(said)
    if (said.kind !== 'offer') return
    const answer = this.#judgeOffer(client, meeting.peer, known)
    if (answer === 'ignore') return
    if (answer === 'refuse') return client.send({ type: 'sig', to: meeting.peer, swarm: meeting.swarm, sid: said.sid, kind: 'end' })
    this.#drop(known)
    const entry = this.#start(client, meeting, { sid: said.sid, isInitiator: false })
    entry.pending.accept(said)
    void this.#run(entry, 0)
  }

  onLeft(client: SignalingClient, { peer, swarm }: Meeting): void {
    const key = this.#keyOf(client, peer)
    const rooms = this.#present.get(key)
    rooms?.delete(swarm)
    if (rooms?.size === 0) this.#present.delete(key)
    const entry = this.#entries.get(key)
    // The server sees a page go long before ICE does. But a link outlives signaling: only the peer itself says whether it is there.
    entry?.connected?.session.probe()
    if (entry !== undefined && entry.connected === undefined && entry.swarm === swarm) this.#drop(entry)
  }

  ban(source: SourceId, reason: ReportReason): void {
    const member = this.#members.get(source)
    if (member === undefined) return
    this.#shutOut(member)
    for (const entry of this.#entries.values()) {
      if (entry.key !== member.entry.key && this.#members.get(entry.source)?.fingerprint !== member.fingerprint) continue
      entry.client.send({ type: 'report', peer: entry.peer, swarm: entry.swarm, reason })
      entry.connected?.session.close('banned')
      this.#drop(entry)
    }
  }

  close(): void {
    for (const entry of this.#entries.values()) this.#drop(entry)
  }

  #judgeOffer(client: SignalingClient, peer: PeerId, known: Entry | undefined): 'take' | 'ignore' | 'refuse' {
    if (this.#bannedPeers.has(this.#keyOf(client, peer))) return 'refuse'
    if (known === undefined) return this.#entries.size >= ALL_PEERS ? 'refuse' : 'take'
    if (known.connected?.session.isOpen === true) {
      // Either its end of the link is gone, which asking will show, or signaling wants to cut a link that it has no say in.
      known.connected.session.probe()
      return 'refuse'
    }
    // Both offered at the same time: the offer of the smaller id stands.
    const own = client.welcome?.id
    return known.isInitiator && own !== undefined && own < peer ? 'ignore' : 'take'
  }

  #dial(client: SignalingClient, meeting: Meeting, redials: number): void {
    const key = this.#keyOf(client, meeting.peer)
    if (this.#signal.aborted || this.#entries.has(key) || this.#bannedPeers.has(key)) return
    if (this.#entries.size >= DIALLED_PEERS) return
    const sid = toBase64Url(this.#options.randomBytes(12))
    void this.#run(this.#start(client, meeting, { sid, isInitiator: true }), redials)
  }

  #start(client: SignalingClient, { peer, swarm }: Meeting, attempt: { readonly sid: string; readonly isInitiator: boolean }): Entry {
    const stop = new AbortController()
    const { sid, isInitiator } = attempt
    const pending = this.#options.createLink(
      {
        isInitiator,
        offeredIceServers: client.welcome?.ice ?? [],
        send: (negotiation) => client.send({ type: 'sig', to: peer, swarm, sid, ...negotiation }),
      },
      AbortSignal.any([stop.signal, this.#signal]),
    )
    const key = this.#keyOf(client, peer)
    const source = peerSourceId(peer, this.#serverOf(client))
    const entry: Entry = { key, source, peer, swarm, client, sid, isInitiator, pending, stop, connected: undefined }
    this.#entries.set(key, entry)
    return entry
  }

  /** One peer, from the first signal to the end of its session. */
  async #run(entry: Entry, redials: number): Promise<void> {
    let failure: Failure | undefined
    let redialsLeft = redials - 1
    try {
      const link = await entry.pending.connected
      const fingerprint = toBase64Url(link.remoteFingerprint)
      if (this.#bannedFingerprints.has(fingerprint)) return link.close()
      const member: Member = { entry, fingerprint }
      const session = await this.#greet(member, link)
      redialsLeft = REDIALS
      failure = await session.closed
      if (HANDLING[failure.code].banSource) this.#shutOut(member)
      this.#forget(entry)
      this.#options.onSession(session)
    } catch (error) {
      failure = failureOf(error)
      const isOwnWish = error === entry.stop.signal.reason || error === this.#signal.reason
      if (failure === undefined && !isOwnWish) throw error
    } finally {
      this.#forget(entry)
    }
    // What goes wrong before the proof may be the server's forgery: it costs this attempt, and bans nobody.
    if (failure === undefined || HANDLING[failure.code].banSource) return
    if (entry.isInitiator && redialsLeft > 0) await this.#redial(entry, redialsLeft)
  }

  async #greet(member: Member, link: PeerLink): Promise<PeerSession> {
    const { entry } = member
    const { swarmKey, seedStore: store, clock, random, randomBytes } = this.#options
    const id = entry.source
    const session = await openPeerSession(
      link,
      {
        source: id,
        swarmKey,
        store,
        slots: this.#slots,
        clock,
        random,
        randomBytes,
        onOffer: (digest, offer) => this.#options.onOffer(id, digest, offer),
      },
      this.#signal,
    )
    entry.connected = { source: createMeshSource(id, session), catalogue: createMeshCatalogueSource(id, session), session, link }
    this.#remember(member)
    this.#options.onSession(session)
    return session
  }

  /** Only to one that the server still says is there. */
  async #redial(entry: Entry, redialsLeft: number): Promise<void> {
    const waitMs = REDIAL_MS * (0.5 + this.#options.random()) * (REDIALS - redialsLeft + 1)
    const isDue = await this.#options.clock.sleep(waitMs, this.#signal).then(
      () => true,
      () => false,
    )
    if (isDue && this.#present.has(entry.key)) this.#dial(entry.client, entry, redialsLeft)
  }

  #drop(entry: Entry | undefined): void {
    if (entry === undefined) return
    this.#forget(entry)
    entry.connected?.session.close('leaving')
    entry.stop.abort()
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key)
  }

  #remember(member: Member): void {
    const { source } = member.entry
    this.#members.delete(source)
    this.#members.set(source, member)
    for (const oldest of this.#members.keys()) {
      if (this.#members.size <= REMEMBERED) return
      this.#members.delete(oldest)
    }
  }

  /** A member is known by its certificate; its id is only what one server calls it now. */
  #shutOut({ entry, fingerprint }: Member): void {
    this.#bannedFingerprints.add(fingerprint)
    this.#bannedPeers.add(entry.key)
  }

  #keyOf(client: SignalingClient, peer: PeerId): PeerKey {
    return `${this.#serverOf(client)} ${peer}`
  }

  /** Servers are numbered as they first say something. */
  #serverOf(client: SignalingClient): number {
    const known = this.#servers.indexOf(client)
    return known >= 0 ? known : this.#servers.push(client) - 1
  }
}
