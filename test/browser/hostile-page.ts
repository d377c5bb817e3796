/** Runs in a page of its own: peers of a site's mesh, honest ones and others, driven by test/hostile/peer-site.ts. */

import { createBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, toSha256, type Sha256 } from '../../src/core/model/ids.ts'
import { startMesh, type Mesh } from '../../src/sources/mesh/mesh.ts'
import type { SeedStore } from '../../src/sources/mesh/seed-store.ts'
import { simplePeerLinks } from '../../src/sources/mesh/simple-peer-link.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { MANNERS, type MannerName } from '../hostile/manners.ts'
import { tamperedLinks, type Manner, type Rate } from '../hostile/tampered-link.ts'

export interface PeerWish {
  readonly manner: MannerName
  readonly ticket: string
  readonly bytesPerSecond?: number | undefined
}

export interface OpenPeers {
  readonly signalingUrl: string
  readonly repository: string
  /** Where the published layout is. Ends in `/`. */
  readonly cdnUrl: string
  readonly artifact: { readonly sha256: string; readonly pieceLengthBytes: number }
  /** Digests of the documents that go with it. */
  readonly documents: readonly string[]
  readonly peers: readonly PeerWish[]
  /** Whether they say goodbye when the page is left. */
  readonly isPolite: boolean
}

interface Blob {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly pieceLengthBytes: number
}

interface Opened {
  readonly mesh: Mesh
  readonly rate: Rate
  readonly stop: AbortController
}

// The declared type knows the name alone, as for hashes.
const CERTIFICATE = { name: 'ECDSA', namedCurve: 'P-256' }

const opened: Opened[] = []

/** @returns for each peer the SHA-256 of its certificate, as a description says it */
async function open(wish: OpenPeers): Promise<readonly string[]> {
  const { artifact, cdnUrl, documents } = wish
  const digest = toSha256(artifact.sha256)
  const blobs = new Map<string, Blob>()
  for (const sha256 of [artifact.sha256, ...documents]) {
    const bytes = await read(`${cdnUrl}by-hash/sha256/${sha256}`)
    blobs.set(sha256, { bytes, pieceLengthBytes: sha256 === digest ? artifact.pieceLengthBytes : bytes.length })
  }
  const catalogue = await read(`${cdnUrl}catalogue.json`)
  const fingerprints = await Promise.all(wish.peers.map((peer) => openOne(wish, peer, { blobs, catalogue, digest })))
  if (wish.isPolite) addEventListener('pagehide', leave)
  return fingerprints
}

interface Kept {
  readonly blobs: ReadonlyMap<string, Blob>
  readonly catalogue: Uint8Array
  readonly digest: Sha256
}

async function openOne(wish: OpenPeers, peer: PeerWish, kept: Kept): Promise<string> {
  const { blobs, digest } = kept
  const blob = blobs.get(digest)
  if (blob === undefined) throw new Error('no artifact to give')
  const manner: Manner = MANNERS[peer.manner]({ pieces: Math.ceil(blob.bytes.length / blob.pieceLengthBytes) })
  const rate: Rate = { bytesPerSecond: peer.bytesPerSecond }
  const certificate = await RTCPeerConnection.generateCertificate(CERTIFICATE)
  const stop = new AbortController()
  const mesh = startMesh(
    {
      signalingUrls: [wish.signalingUrl],
      repository: wish.repository,
      ticket: peer.ticket,
      seedStore: seedStore(kept, manner),
      createLink: tamperedLinks(simplePeerLinks({ mode: 'lan', iceServers: [], clock: systemClock, certificate }), manner, rate),
      WebSocket,
      clock: systemClock,
      random: Math.random,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    stop.signal,
  )
  mesh.join(digest, 'seed')
  mesh.joinCatalogue('seed')
  opened.push({ mesh, rate, stop })
  return certificate.getFingerprints()[0]?.value?.toLowerCase() ?? ''
}

function seedStore({ blobs, catalogue, digest }: Kept, manner: Manner): SeedStore {
  return {
    layout(sha256) {
      const blob = blobs.get(sha256)
      if (blob === undefined) return undefined
      const { bytes, pieceLengthBytes } = blob
      return { sizeBytes: bytes.length, pieceLengthBytes, count: Math.ceil(bytes.length / pieceLengthBytes) }
    },
    pieces(sha256) {
      const blob = blobs.get(sha256)
      if (blob === undefined) return undefined
      const pieces = createBitfield(Math.ceil(blob.bytes.length / blob.pieceLengthBytes))
      for (let at = 0; at < pieces.length; at++) pieces.add(toPieceIndex(at))
      return pieces
    },
    async readPiece(sha256, piece) {
      const blob = blobs.get(sha256)
      const bytes = blob?.bytes.slice(piece * blob.pieceLengthBytes, (piece + 1) * blob.pieceLengthBytes)
      return bytes === undefined || sha256 !== digest ? bytes : (manner.gives?.(bytes) ?? bytes)
    },
    catalogue: async () => catalogue,
    trustUpdate: async () => undefined,
  }
}

async function read(url: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url, { cache: 'no-store' })
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

function leave(): void {
  for (const { mesh } of opened) mesh.close()
}

Object.assign(globalThis, {
  hostilePage: {
    open,
    leave,
    hurry() {
      for (const { rate } of opened) rate.bytesPerSecond = undefined
    },
  },
})
