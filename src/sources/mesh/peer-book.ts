import { DeliveryError, failureOf, HANDLING, type Failure } from '../../core/errors.ts'
import type { PeerId, Sha256, SourceId, SwarmId } from '../../core/model/ids.ts'
import type { Clock } from '../../core/ports.ts'
import type { UploadLimits } from '../../core/plan/upload-limits.ts'
import { toBase64Url } from '../../core/base64.ts'
import type { Negotiation, ReportReason } from '../../core/wire/signal-message.ts'
import type { ConnectedPeer, Introducer, Introduction, IntroductionOptions, Meeting } from './introduction.ts'
import { createMeshCatalogueSource, createMeshSource } from './mesh-source.ts'
import type { CreateLink, PeerLink, PendingLink } from './peer-link.ts'
import { PeerNames, type PeerKey } from './peer-names.ts'
import { openPeerSession, type PeerSession } from './peer-session.ts'
import type { SeedStore } from './seed-store.ts'
import type { SignalingClient } from './signaling-client.ts'
import { Outcasts } from './strike-out.ts'
import type { Offer } from './topics.ts'
import { Twins } from './twins.ts'
import { createUploadSlots, type UploadSlots } from './upload-slots.ts'
import { createSettled } from './wait.ts'

/** Links that we start with peers of one server, which names as many, at most, for a room: one that names the dead takes no place from those whom others name. */
export const DIALLED_PEERS = 8
/** Links in all: those who offer to us come on top. */
export const ALL_PEERS = 24
const REDIALS = 3
const REDIAL_MS = 1000
/** Sessions that are over and can still be banned: what a peer sent may be judged after it left. */
const REMEMBERED = 256

export interface PeerBookOptions {
  readonly swarmKey: Uint8Array
  readonly seedStore: SeedStore
  /** What one peer sees of it. Default: all the same. */
  readonly seedStoreFor?: (peer: SourceId) => SeedStore
  readonly createLink: CreateLink
  readonly clock: Clock
  readonly random: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly upload?: UploadLimits | undefined
  readonly onOffer: (source: SourceId, digest: Sha256, offer: Offer | undefined) => void
  /** A session began, came to run over another path, or ended. */
  readonly onSession: (session: PeerSession) => void
}

interface Entry extends Meeting {
  readonly key: PeerKey
  readonly source: SourceId
  readonly client: Introducer
  /** Names this attempt, so that what belongs to an earlier one is not taken for it. */
  readonly sid: string
  readonly isInitiator: boolean
  readonly pending: PendingLink
  readonly stop: AbortController
  connected: ConnectedPeer | undefined
  onMet?: (peer: ConnectedPeer) => void
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
  /** One attempt, without a second one; aborting `signal` gives it up, and does nothing once the peer is met. */
  introduce(by: Introducer, options: IntroductionOptions & Meeting, signal: AbortSignal): Introduction
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
  readonly #names = new PeerNames()
  readonly #entries = new Map<PeerKey, Entry>()
  readonly #present = new Map<PeerKey, Set<SwarmId>>()
  readonly #members = new Map<SourceId, Member>()
  readonly #twins = new Twins<Member>()
  readonly #bannedPeers = new Set<PeerKey>()
  readonly #outcasts: Outcasts

  constructor(options: PeerBookOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#outcasts = new Outcasts(options.clock)
    this.#slots = createUploadSlots(options.upload, { clock: options.clock, signal })
  }

  connected(): readonly ConnectedPeer[] {
    return [...this.#entries.values()].flatMap(({ connected }) => (connected?.session.isOpen === true ? [connected] : []))
  }

  get pending(): number {
    return [...this.#entries.values()].filter(({ connected }) => connected === undefined).length
  }

  meet(client: SignalingClient, { peer, swarm }: Meeting): void {
    const key = this.#names.keyOf(client, peer)
    const rooms = this.#present.get(key) ?? new Set()
    this.#present.set(key, rooms.add(swarm))
    this.#dial(client, { peer, swarm }, REDIALS)
  }

  onNegotiation(client: SignalingClient, meeting: Meeting, said: Negotiation & { readonly sid: string }): void {
    const known = this.#entries.get(this.#names.keyOf(client, meeting.peer))
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
    const key = this.#names.keyOf(client, peer)
    const rooms = this.#present.get(key)
    rooms?.delete(swarm)
    if (rooms?.size === 0) {
      this.#present.delete(key)
      this.#twins.forget(key)
    }
    const entry = this.#entries.get(key)
    // The server sees a page go long before ICE does. But a link outlives signaling: only the peer itself says whether it is there.
    entry?.connected?.session.probe()
    if (entry !== undefined && entry.connected === undefined && entry.swarm === swarm) this.#drop(entry)
  }

  introduce(by: Introducer, { peer, swarm, ...options }: IntroductionOptions & Meeting, signal: AbortSignal): Introduction {
    const sid = toBase64Url(this.#options.randomBytes(12))
    const entry = this.#start(by, { peer, swarm }, { ...options, sid })
    const giveUp = (): void => {
      if (entry.connected === undefined) this.#drop(entry)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    const met = createSettled<ConnectedPeer>()
    entry.onMet = met.resolve
    const end = (error: unknown): void => met.reject(signal.aborted ? signal.reason : error)
    entry.pending.connected.catch(end)
    void this.#run(entry, 0).then((failure) => {
      signal.removeEventListener('abort', giveUp)
      end(new DeliveryError(failure ?? { code: 'peer-closed', detail: 'given up' }))
    })
    if (signal.aborted) giveUp()
    return { accept: (negotiation) => entry.pending.accept(negotiation), met: met.promise }
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
    if (this.#bannedPeers.has(this.#names.keyOf(client, peer))) return 'refuse'
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

  #dial(client: Introducer, meeting: Meeting, redials: number): void {
    const key = this.#names.keyOf(client, meeting.peer)
    if (this.#signal.aborted || this.#entries.has(key) || this.#bannedPeers.has(key) || this.#twins.has(key)) return
    const ofServer = [...this.#entries.values()].filter((entry) => entry.client === client).length
    if (ofServer >= DIALLED_PEERS || this.#entries.size >= ALL_PEERS) return
    const sid = toBase64Url(this.#options.randomBytes(12))
    void this.#run(this.#start(client, meeting, { sid, isInitiator: true }), redials)
  }

  #start(
    client: Introducer,
    { peer, swarm }: Meeting,
    attempt: { readonly sid: string; readonly isInitiator: boolean } & Partial<IntroductionOptions>,
  ): Entry {
    const stop = new AbortController()
    const { sid, ...how } = attempt
    const { isInitiator } = how
    const pending = this.#options.createLink(
      {
        ...how,
        offeredIceServers: client.welcome?.ice ?? [],
        send: (negotiation) => client.send({ type: 'sig', to: peer, swarm, sid, ...negotiation }),
      },
      AbortSignal.any([stop.signal, this.#signal]),
    )
    const key = this.#names.keyOf(client, peer)
    const source = this.#names.sourceOf(client, peer)
    const entry: Entry = { key, source, peer, swarm, client, sid, isInitiator, pending, stop, connected: undefined }
    this.#entries.set(key, entry)
    return entry
  }

  /** One peer, from the first signal to the end of its session. @returns why it is over; undefined when we wished so */
  async #run(entry: Entry, redials: number): Promise<Failure | undefined> {
    let failure: Failure | undefined
    let redialsLeft = redials - 1
    let chokedMs = 0
    try {
      const link = await entry.pending.connected
      const fingerprint = toBase64Url(link.remoteFingerprint)
      const refusal = this.#outcasts.refusalOf(fingerprint)
      if (refusal !== undefined) {
        link.close()
        return { code: 'peer-closed', detail: refusal }
      }
      const member: Member = { entry, fingerprint }
      if (this.#yieldToTwin(member, link)) return undefined
      const session = await this.#greet(member, link)
      this.#settleTwins(member)
      redialsLeft = REDIALS
      failure = await session.closed
      if (HANDLING[failure.code].banSource) this.#shutOut(member)
      chokedMs = this.#outcasts.choke(fingerprint, session.strikeOut)
      this.#forget(entry)
      this.#useSpares(fingerprint)
      this.#options.onSession(session)
    } catch (error) {
      failure = failureOf(error)
      const isOwnWish = error === entry.stop.signal.reason || error === this.#signal.reason
      if (failure === undefined && !isOwnWish) throw error
    } finally {
      this.#forget(entry)
    }
    // What goes wrong before the proof may be the server's forgery: it costs this attempt, and bans nobody.
    if (failure === undefined || HANDLING[failure.code].banSource) return failure
    if (entry.isInitiator && redialsLeft > 0) await this.#redial(entry, { redialsLeft, chokedMs })
    return failure
  }

  async #greet(member: Member, link: PeerLink): Promise<PeerSession> {
    const { entry } = member
    const { swarmKey, seedStore, seedStoreFor, clock, random, randomBytes } = this.#options
    const id = entry.source
    const session = await openPeerSession(
      link,
      {
        source: id,
        swarmKey,
        store: seedStoreFor?.(id) ?? seedStore,
        slots: this.#slots,
        clock,
        random,
        randomBytes,
        onOffer: (digest, offer) => this.#options.onOffer(id, digest, offer),
        onPath: () => {
          if (entry.connected !== undefined) this.#options.onSession(entry.connected.session)
        },
      },
      this.#signal,
    )
    entry.connected = { source: createMeshSource(id, session), catalogue: createMeshCatalogueSource(id, session), session, link }
    this.#remember(member)
    this.#options.onSession(session)
    entry.onMet?.(entry.connected)
    return session
  }

  /** The page is connected already: this link is not needed. */
  #yieldToTwin(member: Member, link: PeerLink): boolean {
    const twin = this.#twins.of(member, this.#members.values())
    if (twin === undefined) return false
    // It may be that only this end believes in the other link.
    twin.entry.connected?.session.probe()
    this.#twins.keep(member)
    link.close()
    return true
  }

  /** Two links to one page that came to stand at the same time: one is enough. */
  #settleTwins(member: Member): void {
    const twin = this.#twins.of(member, this.#members.values())
    if (twin === undefined) return
    const spare = this.#twins.surplus(member, twin)
    this.#twins.keep(spare)
    this.#drop(spare.entry)
  }

  #useSpares(fingerprint: string): void {
    for (const { entry } of this.#twins.take(fingerprint)) if (this.#present.has(entry.key)) this.#dial(entry.client, entry, REDIALS)
  }

  /** Only to one that the server still says is there. */
  async #redial(entry: Entry, { redialsLeft, chokedMs }: { readonly redialsLeft: number; readonly chokedMs: number }): Promise<void> {
    const waitMs = chokedMs + REDIAL_MS * (0.5 + this.#options.random()) * (REDIALS - redialsLeft + 1)
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
    this.#outcasts.ban(fingerprint)
    this.#bannedPeers.add(entry.key)
  }
}
