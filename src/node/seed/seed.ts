import { randomBytes } from 'node:crypto'
import { nowSeconds } from '../../core/clock.ts'
import { DeliveryError, failureOf } from '../../core/errors.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import { SEED_UPLOAD, type UploadLimits } from '../../core/plan/upload-limits.ts'
import { createFullBitfield } from '../../core/model/bitfield.ts'
import type { Sha256, SourceId } from '../../core/model/ids.ts'
import type { Clock, SignatureVerifier } from '../../core/ports.ts'
import { parseTicket } from '../../core/wire/ticket.ts'
import { startMesh, type Mesh } from '../../sources/mesh/mesh.ts'
import type { SeedStore } from '../../sources/mesh/seed-store.ts'
import { simplePeerLinks } from '../../sources/mesh/simple-peer-link.ts'
import { systemClock } from '../system-clock.ts'
import { createPeerTally, type PeerTally } from './peer-tally.ts'
import type { SeedLog } from './seed-event.ts'
import { openShelf, type FilledShelf } from './shelf.ts'
import { loadWrtc, socketsOf } from './wrtc.ts'

export interface SeedOptions {
  /** Whom the site trusts, and how its mesh works. */
  readonly config: SiteConfig
  /** Folders of the published layout, and single artifacts. At least one. */
  readonly places: readonly string[]
  /** Where the catalogue and the documents of single artifacts are. Default: the origins of the configuration. */
  readonly sites?: readonly string[] | undefined
  /** Default: those of the configuration. */
  readonly signalingUrls?: readonly string[] | undefined
  /** The membership ticket; undefined where admission is open. */
  readonly ticket: string | undefined
  /** The site that pages come from, as browsers send it. Default: the ticket's. */
  readonly origin?: string | undefined
  /** Default: four peers at a time, as fast as it goes, without end. What the site's configuration says is meant for its visitors. */
  readonly upload?: Partial<UploadLimits> | undefined
  /** How often the site is looked at again. Default: a minute. */
  readonly refreshMs?: number | undefined
  readonly log: SeedLog
  readonly clock?: Clock | undefined
  readonly verifier?: SignatureVerifier | undefined
}

const REFRESH_MS = 60_000
/** A connection is let into 16 rooms (see docs/operations.md); one is that of the catalogue. */
const ROOMS = 15
const TICKET_WARNING_SECONDS = 3 * 86_400
/** What is queued at the end leaves within this, or not at all. */
const FAREWELL_MS = 400

/**
 * Keeps artifacts available to the mesh of their site, until `signal` aborts: then every peer is told, and it resolves.
 * Nothing is offered before its catalogue, its signatures and every one of its pieces were found to be right.
 * @throws {DeliveryError} `tool-missing` without WebRTC, `ticket-invalid`, `input-invalid`, or why the site is not believed
 */
export async function runSeed(options: SeedOptions, signal: AbortSignal): Promise<void> {
  const settings = requireSettings(options)
  const wrtc = await loadWrtc()
  const { clock = systemClock, config, log } = options
  const shelf = await openShelf({ ...options, sites: options.sites, clock }, signal)
  const store = storeOf(shelf, (sha256) => mesh.announce(sha256, undefined))
  const tally = createPeerTally(store, (sha256) => shelf.find(sha256)?.entry, log)
  const life = new AbortController()
  const mesh = startMesh(
    {
      signalingUrls: settings.signalingUrls,
      repository: config.repository,
      ticket: options.ticket,
      seedStore: store,
      seedStoreFor: tally.viewOf,
      createLink: simplePeerLinks({ mode: settings.mode, iceServers: config.mesh.iceServers, clock, wrtc }),
      WebSocket: socketsOf(settings.origin),
      onSignaling: ({ url, isOnline, failure }) => log({ event: 'signaling', url, isOnline, failure }),
      clock,
      random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
      randomBytes: (length) => randomBytes(length),
      upload: { ...SEED_UPLOAD, ...options.upload },
    },
    life.signal,
  )
  const stopWatching = watchPeers(mesh, tally, log)
  try {
    await follow({ ...options, shelf, mesh, clock }, signal)
  } finally {
    mesh.close()
    stopWatching()
    life.abort(new DOMException('The seed is over.', 'AbortError'))
    await clock.sleep(FAREWELL_MS, new AbortController().signal)
  }
}

interface Settings {
  readonly origin: string
  readonly mode: 'lan' | 'full' | 'relay'
  readonly signalingUrls: readonly string[]
}

function requireSettings({ config, ticket, origin, signalingUrls }: SeedOptions): Settings {
  const refuse = (path: string, detail: string): DeliveryError => new DeliveryError({ code: 'input-invalid', path, detail })
  if (config.mesh.mode === 'off')
    throw refuse('mesh.mode', 'is off in the configuration: no page of this site would take anything from a peer')
  if (ticket === undefined && config.mesh.ticketUrl !== undefined)
    throw refuse('--ticket', 'is needed: this site lets members in only. `sealift token DIR --site ORIGIN` makes one')
  const urls = signalingUrls ?? config.mesh.signaling
  if (urls.length === 0) throw refuse('--signaling', 'is needed: the configuration names no signaling server')
  const site = origin ?? (ticket === undefined ? undefined : parseTicket(ticket).site)
  if (site === undefined) throw refuse('--portal', 'is needed without a ticket: signaling asks which site a peer belongs to')
  return { origin: site, mode: config.mesh.mode, signalingUrls: urls }
}

interface Following extends SeedOptions {
  readonly shelf: FilledShelf
  readonly mesh: Mesh
  readonly clock: Clock
}

/** Takes what the site has now, then looks at it again and again. The first look has to find something. */
async function follow(room: Following, signal: AbortSignal): Promise<void> {
  const { shelf, mesh, clock, log, refreshMs = REFRESH_MS } = room
  const joined = new Set<Sha256>()
  const keepUp = (): void => joinRooms(shelf, mesh, joined)
  warnOfTicket(room)
  await shelf.refresh(keepUp, signal)
  if (shelf.holdings().length === 0)
    throw new DeliveryError({ code: 'input-invalid', path: room.places.join(' '), detail: 'has nothing that peers may be given' })
  while (await slept(clock, refreshMs, signal)) {
    try {
      await shelf.refresh(keepUp, signal)
    } catch (error) {
      const failure = failureOf(error)
      if (failure === undefined && !signal.aborted) throw error
      if (failure !== undefined) log({ event: 'site-refused', failure })
    }
  }
}

function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  )
}

/** In the rooms of the newest artifacts; of the others, peers hear in the room of the catalogue, where all of them come. */
function joinRooms(shelf: FilledShelf, mesh: Mesh, joined: Set<Sha256>): void {
  mesh.joinCatalogue('seed')
  const wanted = new Set(
    shelf
      .holdings()
      .slice(0, ROOMS)
      .map(({ entry }) => entry.sha256),
  )
  for (const sha256 of joined) {
    if (wanted.has(sha256)) continue
    joined.delete(sha256)
    mesh.leave(sha256)
    mesh.announce(sha256, undefined)
  }
  for (const sha256 of wanted) {
    if (joined.has(sha256)) continue
    joined.add(sha256)
    mesh.join(sha256, 'seed')
    mesh.announce(sha256, undefined)
  }
}

function warnOfTicket({ ticket, clock, log }: Following): void {
  if (ticket === undefined) return
  const { expiresAtSeconds } = parseTicket(ticket)
  if (expiresAtSeconds - nowSeconds(clock) < TICKET_WARNING_SECONDS) log({ event: 'ticket-ending', expiresAtSeconds })
}

/** @param onAltered the bytes of an artifact are no longer right: it is off the shelf */
function storeOf(shelf: FilledShelf, onAltered: (artifact: Sha256) => void): SeedStore {
  const documentOf = (sha256: Sha256): Uint8Array | undefined =>
    shelf
      .holdings()
      .flatMap(({ documents }) => documents)
      .find(({ ref }) => ref.sha256 === sha256)?.bytes
  return {
    layout(sha256) {
      const document = documentOf(sha256)
      return shelf.find(sha256)?.layout ?? (document && { sizeBytes: document.length, pieceLengthBytes: document.length, count: 1 })
    },
    pieces: (sha256) => shelf.find(sha256)?.pieces ?? (documentOf(sha256) && createFullBitfield(1)),
    async readPiece(sha256, piece, signal) {
      const holding = shelf.find(sha256)
      if (holding === undefined) return documentOf(sha256)
      try {
        return await holding.readPiece(piece, signal)
      } catch (error) {
        const failure = failureOf(error)
        if (failure === undefined) throw error
        shelf.drop(sha256, failure)
        onAltered(sha256)
        return undefined
      }
    },
    catalogue: async () => shelf.catalogue(),
    trustUpdate: async (version) => shelf.trustUpdate(version),
  }
}

/** Says who comes and who goes. Returns what ends it. */
function watchPeers(mesh: Mesh, tally: PeerTally, log: SeedLog): () => void {
  const sent = new Map<SourceId, number>()
  const leave = (peer: SourceId): void => {
    tally.close(peer)
    log({ event: 'peer-left', peer, sentBytes: sent.get(peer) ?? 0 })
    sent.delete(peer)
  }
  const count = async (): Promise<void> => {
    for (const { source, sentBytes } of await mesh.stats()) if (sent.has(source)) sent.set(source, sentBytes)
  }
  const look = (): void => {
    const present = new Set(
      mesh
        .sources()
        .current()
        .map(({ id }) => id),
    )
    for (const peer of sent.keys()) if (!present.has(peer)) leave(peer)
    for (const peer of present) {
      if (sent.has(peer)) continue
      sent.set(peer, 0)
      log({ event: 'peer-met', peer })
    }
  }
  const stop = mesh.sources().onChange(look)
  const timer = setInterval(() => void count(), COUNT_MS)
  return () => {
    stop()
    clearInterval(timer)
    for (const peer of sent.keys()) leave(peer)
  }
}

/** A link that is gone no longer says what went over it. */
const COUNT_MS = 1000
