/** The mesh of this window, in a chunk of its own: it is loaded when a tab becomes the leader. */

import { createBitfield, type Bitfield } from '../core/model/bitfield.ts'
import { pieceCount } from '../core/model/artifact.ts'
import { toPieceIndex, type Sha256 } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import { startMesh, type Mesh } from '../sources/mesh/mesh.ts'
import type { SeedStore } from '../sources/mesh/seed-store.ts'
import { simplePeerLinks } from '../sources/mesh/simple-peer-link.ts'
import type { EngineClient } from './engine-client.ts'
import type { MeshNeeds } from './mesh-needs.ts'
import type { PeerStats } from './mesh-switch.ts'
import type { WindowLending } from './window-sources.ts'

export interface MeshHost {
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
  const life = new AbortController()
  const seeds = createSeeds(engine, life.signal)
  // One for all links: a ban follows a peer by its certificate, not by the id of a connection.
  const certificate = await RTCPeerConnection.generateCertificate(CERTIFICATE)
  const { mode, signaling, iceServers } = engine.site.mesh
  const mesh = startMesh(
    {
      signalingUrls: signaling,
      repository: engine.site.repository,
      ticket: engine.ticket,
      seedStore: seeds.store,
      createLink: simplePeerLinks({ mode: mode === 'off' ? 'lan' : mode, iceServers, clock, certificate }),
      WebSocket,
      clock,
      random: () => crypto.getRandomValues(new Uint32Array(1)).reduce((_, drawn) => drawn / 2 ** 32, 0),
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    life.signal,
  )
  const room: Room = { ...options, mesh, seeds, taking: new Set(), giving: new Set(), isAsking: false }
  const stops = [
    engine.onMessage((message) => {
      if (message.type === 'banned') mesh.ban(message.source, 'bad-piece')
    }),
    needs.onChange(() => follow(room)),
    mesh.onOffer((source, sha256, offer) => {
      lending.server.offer(source, sha256, offer?.pieces ?? createBitfield(0))
    }),
    mesh.sources().onChange(() => {
      lending.server.announce()
      options.onChange()
    }),
  ]
  // Joined before it is announced: a set that is not growing yet would look like one that has nobody.
  follow(room)
  lending.setPeers(mesh.sources())
  return {
    stats: async () =>
      (await mesh.stats()).map(({ source, sentBytes, receivedBytes, path }) => ({ peer: source, sentBytes, receivedBytes, pair: path })),
    close() {
      for (const stop of stops) stop()
      life.abort(new DOMException('The mesh is switched off.', 'AbortError'))
      mesh.close()
      lending.setPeers(undefined)
    },
  }
}

interface Room extends MeshHostOptions {
  readonly mesh: Mesh
  readonly seeds: Seeds
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
  if (needs.arePeersWanted && !room.isAsking) mesh.joinCatalogue(needs.seeds.length > 0 ? 'seed' : 'leech')
  room.isAsking = needs.arePeersWanted
  for (const sha256 of wanted) {
    if (room.taking.has(sha256)) continue
    room.taking.add(sha256)
    mesh.join(sha256, 'leech')
  }
}

/** Whoever has an artifact whole and verified gives it: to its own room, and the catalogue to everybody's. */
function give({ needs, mesh, seeds, giving, taking }: Room): void {
  seeds.replace(needs.seeds)
  const artifacts = new Set(needs.seeds.filter((seed) => seed.role === 'artifact').map((seed) => seed.sha256))
  for (const sha256 of giving) {
    if (artifacts.has(sha256)) continue
    giving.delete(sha256)
    mesh.announce(sha256, undefined)
    if (!taking.has(sha256)) mesh.leave(sha256)
  }
  if (artifacts.size > 0 && giving.size === 0) mesh.joinCatalogue('seed')
  for (const sha256 of artifacts) {
    if (giving.has(sha256)) continue
    giving.add(sha256)
    if (!taking.has(sha256)) mesh.join(sha256, 'seed')
    mesh.announce(sha256, undefined)
  }
}

interface Seeds {
  readonly store: SeedStore
  replace(blobs: readonly Seedable[]): void
}

/** What the engine keeps, as the mesh sees it. Bytes are read when a peer asks. */
function createSeeds(engine: EngineClient, signal: AbortSignal): Seeds {
  let blobs = new Map<Sha256, { readonly seed: Seedable; readonly pieces: Bitfield }>()
  const ask = async (
    request:
      | { readonly type: 'seed-read'; readonly sha256: Sha256; readonly piece: number }
      | { readonly type: 'seed-catalogue'; readonly trust: number },
    own: AbortSignal,
  ) => {
    const answer = await engine.call(request, { signal: AbortSignal.any([signal, own]) })
    return answer.type === 'seed-bytes' ? answer.bytes : undefined
  }
  return {
    replace(next) {
      blobs = new Map(next.map((seed) => [seed.sha256, { seed, pieces: allPieces(seed) }]))
    },
    store: {
      layout(sha256) {
        const kept = blobs.get(sha256)
        return kept && { sizeBytes: kept.seed.sizeBytes, pieceLengthBytes: kept.seed.pieceLengthBytes, count: kept.pieces.length }
      },
      pieces: (sha256) => blobs.get(sha256)?.pieces,
      readPiece: (sha256, piece, own) => (blobs.has(sha256) ? ask({ type: 'seed-read', sha256, piece }, own) : Promise.resolve(undefined)),
      catalogue: (own) => ask({ type: 'seed-catalogue', trust: 0 }, own),
      trustUpdate: (trust, own) => ask({ type: 'seed-catalogue', trust }, own),
    },
  }
}

/** Only whole, verified artifacts are seeded: they have every piece. */
function allPieces({ sizeBytes, pieceLengthBytes }: Seedable): Bitfield {
  const pieces = createBitfield(pieceCount(sizeBytes, pieceLengthBytes))
  for (let at = 0; at < pieces.length; at++) pieces.add(toPieceIndex(at))
  return pieces
}
