/** The mesh of this window, in a chunk of its own: it is loaded when a tab becomes the leader. */

import type { Sha256, SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import { startMesh, type Mesh } from '../sources/mesh/mesh.ts'
import type { PairingAnswer, PairingOffer } from '../sources/mesh/pairing.ts'
import { simplePeerLinks } from '../sources/mesh/simple-peer-link.ts'
import type { EngineClient } from './engine-client.ts'
import { fetchFreshTicket } from './fresh-ticket.ts'
import type { MeshNeeds } from './mesh-needs.ts'
import { createOfferRelay } from './mesh-offers.ts'
import { createPageSeeds, type PageSeeds, type SeedListener } from './mesh-seeds.ts'
import { watchThrift } from './mesh-thrift.ts'
import type { PeerStats } from './mesh-switch.ts'
import type { WindowLending } from './window-sources.ts'

export interface MeshHost {
  /** Connected peers, as records name them. */
  peers(): readonly SourceId[]
  /** Meeting a peer without a signaling server. */
  readonly pairing: {
    readonly offer: (signal: AbortSignal) => Promise<PairingOffer>
    readonly answer: (code: string, signal: AbortSignal) => Promise<PairingAnswer>
  }
  stats(): Promise<readonly PeerStats[]>
  /** Says goodbye to every peer, at once. */
  close(): void
}

export interface MeshHostOptions {
  readonly engine: EngineClient
  readonly lending: WindowLending
  readonly needs: MeshNeeds
  readonly clock: Clock
  readonly onChange: () => void
}

const CERTIFICATE = { name: 'ECDSA', namedCurve: 'P-256' }

/** Starts giving what this browser has, and taking what the engine wants. @throws {DeliveryError} `ticket-invalid` */
export async function startMeshHost(options: MeshHostOptions): Promise<MeshHost> {
  const { engine, lending, clock, needs } = options
  const { upload } = engine.site.mesh
  const life = new AbortController()
  const seeds = createPageSeeds(engine, life.signal)
  const mesh = await openMesh(options, seeds, life.signal)
  const room: Room = { ...options, mesh, seeds, taking: new Set(), giving: new Set(), isAsking: false }
  const relay = createOfferRelay(clock, (source, sha256, pieces) => lending.server.offer(source, sha256, pieces), life.signal)
  const giving: SeedListener = {
    onChange(digests) {
      if (life.signal.aborted) return
      give(room)
      for (const digest of digests) mesh.announce(digest, undefined)
    },
    onPieces: (digest, pieces) => mesh.announce(digest, pieces),
  }
  const thrift = watchThrift(navigator)
  // Whoever pays by the byte takes and gives nothing.
  const giveOrNot = (): void => (thrift.isThrifty || upload?.slots === 0 ? seeds.stop() : seeds.start(giving))
  giveOrNot()
  const stops = [
    engine.onMessage((message) => {
      if (message.type === 'banned') mesh.ban(message.source, 'bad-piece')
    }),
    needs.onChange(() => follow(room)),
    thrift.onChange(giveOrNot),
    mesh.onOffer((source, sha256, offer) => relay(source, sha256, offer?.pieces)),
    mesh.sources().onChange(() => {
      lending.server.announce()
      options.onChange()
    }),
  ]
  // Joined before it is announced: a set that is not growing yet would look like one that has nobody.
  follow(room)
  lending.setPeers(mesh.sources())
  return {
    peers: () =>
      mesh
        .sources()
        .current()
        .map(({ id }) => id),
    pairing: { offer: (signal) => mesh.pair(signal), answer: (code, signal) => mesh.answerPairing(code, signal) },
    stats: async () =>
      (await mesh.stats()).map(({ source, sentBytes, receivedBytes, path }) => ({ peer: source, sentBytes, receivedBytes, pair: path })),
    close() {
      for (const stop of stops) stop()
      life.abort(new DOMException('The mesh is switched off.', 'AbortError'))
      seeds.stop()
      mesh.close()
      lending.setPeers(undefined)
    },
  }
}

async function openMesh({ engine, clock }: MeshHostOptions, seeds: PageSeeds, signal: AbortSignal): Promise<Mesh> {
  const { mode, signaling, ticketUrl, iceServers, upload } = engine.site.mesh
  // One for all links: a ban follows a peer by its certificate, not by the id of a connection.
  const certificate = await RTCPeerConnection.generateCertificate(CERTIFICATE)
  return startMesh(
    {
      signalingUrls: signaling,
      repository: engine.site.repository,
      ticket: engine.ticket,
      freshTicket: () => fetchFreshTicket(ticketUrl),
      seedStore: seeds.store,
      upload,
      createLink: simplePeerLinks({ mode: mode === 'off' ? 'lan' : mode, iceServers, clock, certificate }),
      WebSocket,
      clock,
      random: () => crypto.getRandomValues(new Uint32Array(1)).reduce((_, drawn) => drawn / 2 ** 32, 0),
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    signal,
  )
}

interface Room extends MeshHostOptions {
  readonly mesh: Mesh
  readonly seeds: PageSeeds
  /** Rooms that we are in, to take or to give. */
  readonly taking: Set<Sha256>
  readonly giving: Set<Sha256>
  isAsking: boolean
}

/** Goes where the needs are now, and leaves where they are not. */
function follow(room: Room): void {
  const { needs, mesh } = room
  give(room)
  const wanted = new Set(needs.arePeersWanted ? needs.artifacts : [])
  for (const sha256 of room.taking) {
    if (wanted.has(sha256)) continue
    room.taking.delete(sha256)
    if (room.giving.has(sha256)) mesh.join(sha256, 'seed')
    else mesh.leave(sha256)
  }
  if (needs.arePeersWanted && !room.isAsking) mesh.joinCatalogue(room.giving.size > 0 ? 'seed' : 'leech')
  room.isAsking = needs.arePeersWanted
  for (const sha256 of wanted) {
    if (room.taking.has(sha256)) continue
    room.taking.add(sha256)
    mesh.join(sha256, 'leech')
  }
}

/** Whoever has some of an artifact gives it: to its own room, and the catalogue to everybody's. */
function give({ mesh, seeds, giving, taking }: Room): void {
  const { artifacts } = seeds
  for (const sha256 of giving) {
    if (artifacts.has(sha256)) continue
    giving.delete(sha256)
    if (!taking.has(sha256)) mesh.leave(sha256)
  }
  if (artifacts.size > 0 && giving.size === 0) mesh.joinCatalogue('seed')
  for (const sha256 of artifacts) {
    if (giving.has(sha256)) continue
    giving.add(sha256)
    if (!taking.has(sha256)) mesh.join(sha256, 'seed')
  }
}
