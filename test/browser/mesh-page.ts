/** Runs in a real page: one end of a mesh, driven by mesh.test.ts through `page.evaluate`. */

import { failureOf } from '../../src/core/errors.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { createBitfield, type Bitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex, toSha256 } from '../../src/core/model/ids.ts'
import { toHex } from '../../src/core/verify/digest.ts'
import { startMesh, type Mesh } from '../../src/sources/mesh/mesh.ts'
import type { SeedStore } from '../../src/sources/mesh/seed-store.ts'
import type { PeerLink, PendingLink } from '../../src/sources/mesh/peer-link.ts'
import { simplePeerLinks } from '../../src/sources/mesh/simple-peer-link.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { systemClock } from '../fakes/system-clock.ts'

const PIECE = 1024 * 1024

export interface Start {
  readonly url: string
  readonly ticket: string
  readonly seedPieces: number
}

let mesh: Mesh | undefined
const stop = new AbortController()

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

function seedOf(bytes: Uint8Array<ArrayBuffer>, digest: string): SeedStore {
  const pieces: Bitfield = createBitfield(bytes.length / PIECE)
  for (let i = 0; i < pieces.length; i++) pieces.add(toPieceIndex(i))
  return {
    layout: (wanted) => (wanted === digest ? { sizeBytes: bytes.length, pieceLengthBytes: PIECE, count: pieces.length } : undefined),
    pieces: (wanted) => (wanted === digest ? pieces : undefined),
    readPiece: async (_digest, piece) => bytes.slice(piece * PIECE, (piece + 1) * PIECE),
    catalogue: async () => new TextEncoder().encode('{"payload":"the newest"}'),
    trustUpdate: async () => undefined,
  }
}

async function start({ url, ticket, seedPieces }: Start): Promise<string> {
  const bytes = seededBytes(3, seedPieces * PIECE)
  const digest = toSha256(await sha256(bytes))
  const seedStore = seedOf(bytes, digest)
  const isEmpty = seedPieces === 0
  mesh = startMesh(
    {
      signalingUrls: [url],
      repository: 'https://portal.example/',
      ticket,
      seedStore: isEmpty ? { ...seedStore, pieces: () => undefined, layout: () => undefined, catalogue: async () => undefined } : seedStore,
      createLink: simplePeerLinks({ mode: 'lan', iceServers: [], clock: systemClock }),
      WebSocket,
      clock: systemClock,
      random: Math.random,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    },
    stop.signal,
  )
  if (!isEmpty) mesh.join(digest, 'seed')
  addEventListener('pagehide', () => mesh?.close())
  return digest
}

async function waitForPeers(count: number): Promise<void> {
  const sources = mesh?.sources()
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if ((sources?.current().length ?? -1) === count) resolve()
    }
    sources?.onChange(look)
    look()
  })
}

/** Fetches the whole blob piece by piece, several at a time, each checked against its own hash. */
async function fetchAll(digestText: string, pieces: number): Promise<unknown> {
  if (mesh === undefined) throw new Error('not started')
  const digest = toSha256(digestText)
  const expected = seededBytes(3, pieces * PIECE)
  const hashes = await Promise.all(Array.from({ length: pieces }, (_, i) => sha256(expected.slice(i * PIECE, (i + 1) * PIECE))))
  const blob: BlobRef = { sha256: digest, sizeBytes: pieces * PIECE }
  const startedMs = performance.now()
  mesh.join(digest, 'leech')
  await waitForPeers(1)
  const connectedMs = performance.now()
  const [source] = mesh.sources().current()
  if (source === undefined) throw new Error('no peer')
  let next = 0
  let wrong = 0
  let firstByteMs = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < pieces; index = next++) {
      const bytes = new Uint8Array(PIECE)
      let offset = 0
      for await (const chunk of source.read(blob, { start: index * PIECE, end: (index + 1) * PIECE }, stop.signal)) {
        firstByteMs ||= performance.now()
        bytes.set(chunk, offset)
        offset += chunk.length
      }
      if ((await sha256(bytes)) !== hashes[index]) wrong++
    }
  }
  await Promise.all([work(), work(), work()])
  const endedMs = performance.now()
  const [catalogue] = mesh.sources().catalogues()
  const file = await catalogue?.readCatalogue(1000, stop.signal)
  return {
    wrong,
    connectMs: Math.round(connectedMs - startedMs),
    firstByteMs: Math.round(firstByteMs - startedMs),
    megabytesPerSecond: (pieces * PIECE) / 1e3 / (endedMs - firstByteMs),
    stats: await mesh.stats(),
    catalogue: new TextDecoder().decode(file),
  }
}

/** Two links in this page, joined without a server. Afterwards the signal path is misused. */
async function lateSignals(): Promise<unknown> {
  const createLink = simplePeerLinks({ mode: 'lan', iceServers: [], clock: systemClock })
  const ends: PendingLink[] = []
  for (const isInitiator of [true, false]) {
    const send = (negotiation: Parameters<PendingLink['accept']>[0]): void => ends[isInitiator ? 1 : 0]?.accept(negotiation)
    ends.push(createLink({ isInitiator, offeredIceServers: [], send }, stop.signal))
  }
  const [a, b] = await Promise.all(ends.map((end) => end.connected))
  if (a === undefined || b === undefined) throw new Error('not connected')
  for (let i = 0; i < 1000; i++) {
    for (const end of ends) {
      end.accept({ kind: 'offer', sdp: { type: 'offer', sdp: `junk ${i}` } })
      end.accept({
        kind: 'candidate',
        candidate: { candidate: `candidate:1 1 udp 1 10.0.0.1 ${2000 + i} typ host`, sdpMid: '0', sdpMLineIndex: 0 },
      })
      end.accept({ kind: 'end' })
    }
  }
  const heard = new Promise<number>((resolve) =>
    b.listen({ onFrame: (frame) => resolve(frame.length), onDrain: () => undefined, onClose: () => resolve(0) }),
  )
  a.send(new Uint8Array(65_536))
  const same = (x: Uint8Array, y: Uint8Array): boolean => x.join() === y.join()
  const isBound =
    same(a.localFingerprint, b.remoteFingerprint) &&
    same(a.remoteFingerprint, b.localFingerprint) &&
    !same(a.localFingerprint, a.remoteFingerprint)
  const result = { heard: await heard, isBound }
  closeAll([a, b])
  return result
}

function closeAll(links: readonly PeerLink[]): void {
  for (const link of links) link.close()
}

/** Negotiates with somebody who names these places, in the description and beside it, and lets the stack knock at them. */
async function knockAt(candidates: readonly string[], isFiltered: boolean): Promise<void> {
  const stranger = new RTCPeerConnection()
  stranger.createDataChannel('x')
  const offer = await stranger.createOffer()
  const named = candidates.map((candidate) => `a=${candidate}\r\n`).join('')
  const sdp = `${offer.sdp ?? ''}${named}`
  if (isFiltered) {
    const link = simplePeerLinks({ mode: 'full', iceServers: [], clock: systemClock, connectTimeoutMs: 4000 })(
      { isInitiator: false, offeredIceServers: [], send: () => undefined },
      stop.signal,
    )
    link.accept({ kind: 'offer', sdp: { type: 'offer', sdp: sdp.slice(0, 12_000) } })
    for (const candidate of candidates) link.accept({ kind: 'candidate', candidate: { candidate, sdpMid: '0', sdpMLineIndex: 0 } })
    await link.connected.catch(() => undefined)
  } else {
    const own = new RTCPeerConnection()
    await own.setRemoteDescription({ type: 'offer', sdp: offer.sdp ?? '' })
    await own.setLocalDescription(await own.createAnswer())
    for (const candidate of candidates) await own.addIceCandidate({ candidate, sdpMid: '0', sdpMLineIndex: 0 })
    // It knocks as long as the page is there.
    return
  }
  stranger.close()
}

/** What becomes of a link whose other side never answers, or offers more than a data channel. */
async function refusals(): Promise<unknown> {
  const createLink = simplePeerLinks({ mode: 'lan', iceServers: [], clock: systemClock, connectTimeoutMs: 300 })
  const outcome = (pending: PendingLink): Promise<unknown> =>
    pending.connected.then(
      () => 'connected',
      (error: unknown) => failureOf(error)?.code,
    )
  const silent = createLink({ isInitiator: true, offeredIceServers: [], send: () => undefined }, stop.signal)
  const media = createLink({ isInitiator: false, offeredIceServers: [], send: () => undefined }, stop.signal)
  const offer = await new RTCPeerConnection().createOffer({ offerToReceiveAudio: true })
  media.accept({ kind: 'offer', sdp: { type: 'offer', sdp: offer.sdp ?? '' } })
  return [await outcome(silent), await outcome(media)]
}

Object.assign(globalThis, {
  meshPage: {
    start,
    lateSignals,
    refusals,
    knockAt,
    fetchAll,
    waitForPeers,
    stats: () => mesh?.stats(),
    peers: () => mesh?.sources().current().length,
    close: () => mesh?.close(),
  },
})
