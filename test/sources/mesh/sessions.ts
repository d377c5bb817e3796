import { createBitfield } from '../../../src/core/model/bitfield.ts'
import { toPieceIndex, toSourceId, type Sha256 } from '../../../src/core/model/ids.ts'
import type { Clock } from '../../../src/core/ports.ts'
import { openPeerSession, type PeerSession, type SessionOptions } from '../../../src/sources/mesh/peer-session.ts'
import { emptySeedStore, type SeedStore } from '../../../src/sources/mesh/seed-store.ts'
import { createUploadSlots } from '../../../src/sources/mesh/upload-slots.ts'
import { createSeededRandom, seededBytes } from '../../fakes/seeded-random.ts'
import { createLinkPair, type LinkPair } from './memory-link.ts'

export const SWARM_KEY = new Uint8Array(32).fill(3)
export const never = new AbortController().signal

/** A store that gives away these bytes, all but the pieces that are missing. */
export function seedStore(blob: {
  readonly sha256: Sha256
  readonly bytes: Uint8Array
  readonly pieceLengthBytes: number
  readonly missing?: readonly number[]
}): SeedStore {
  const count = Math.ceil(blob.bytes.length / blob.pieceLengthBytes)
  const pieces = createBitfield(count)
  for (let i = 0; i < count; i++) if (!blob.missing?.includes(i)) pieces.add(toPieceIndex(i))
  const start = (piece: number): number => piece * blob.pieceLengthBytes
  return {
    layout: (digest) =>
      digest === blob.sha256 ? { sizeBytes: blob.bytes.length, pieceLengthBytes: blob.pieceLengthBytes, count } : undefined,
    pieces: (digest) => (digest === blob.sha256 ? pieces : undefined),
    readPiece: async (_digest, piece) => blob.bytes.slice(start(piece), start(piece + 1)),
    catalogue: async () => seededBytes(4, 200_000),
    trustUpdate: async (version) => (version === 7 ? seededBytes(7, 100_000) : undefined),
  }
}

let serial = 0

export function sessionOptions(clock: Clock, changes: Partial<SessionOptions> = {}): SessionOptions {
  const random = createSeededRandom(++serial)
  return {
    source: toSourceId(`peer:test-${serial}`),
    swarmKey: SWARM_KEY,
    store: emptySeedStore,
    slots: createUploadSlots(),
    clock,
    random,
    randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
    onOffer: () => undefined,
    onPath: () => undefined,
    ...changes,
  }
}

export interface SessionPair extends LinkPair {
  /** Offers, and asks. */
  readonly asking: PeerSession
  readonly serving: PeerSession
}

/** Two sessions that have greeted each other over a link in memory. */
export async function openPair(
  clock: Clock,
  asking: Partial<SessionOptions> = {},
  serving: Partial<SessionOptions> = {},
): Promise<SessionPair> {
  const { a, b } = createLinkPair()
  const [first, second] = await Promise.all([
    openPeerSession(a, sessionOptions(clock, asking), never),
    openPeerSession(b, sessionOptions(clock, serving), never),
  ])
  return { a, b, asking: first, serving: second }
}
