import { LIMITS, ROOMS_PER_CONNECTION } from 'sealift/protocol'

const KIB = 1024

/** Every limit of the server, in one table. A deployment overrides what it must. */
export const SIGNALING_LIMITS = {
  /** Open sockets in all; the next upgrade is answered 503. */
  connections: 10_000,
  /** Sockets per address (IPv6: per /64). Above the size of an office behind one NAT; lower it where peers come from afar. */
  connectionsPerAddress: 256,
  /** Connections of an address that are no open socket: half-open requests, pages being read. One more is cut without an answer. */
  requestsPerAddress: 32,
  /** Upgrades per address: so many at once, and so many per second from then on. A whole office returns after a restart. */
  upgradeBurst: 256,
  upgradesPerSecond: 16,
  /** Sockets that one ticket may hold open, and with them its seats in any one room. */
  connectionsPerTicket: 4,
  messageBytes: LIMITS.signalBytes,
  messageBurst: LIMITS.signalBurst,
  messagesPerSecond: LIMITS.signalsPerSecond,
  /** Messages dropped for coming too fast before the socket is closed. */
  messagesTooFast: 40,
  /** Messages that no parser accepts before the socket is closed. */
  badMessages: 8,
  helloTimeoutMs: 5000,
  /** As many as may be connected at all: when a CDN dies, everybody wants the same. What one member learns of the room is bounded instead. */
  roomPeers: 10_000,
  /** Once a room holds so many, an address (IPv6: a /64) with its share of seats is introduced to its own network alone. */
  crowdedRoomPeers: 32,
  seatsPerAddress: 8,
  roomsPerConnection: ROOMS_PER_CONNECTION,
  /** Peers that the server chooses for one who joins. */
  chosenPeers: 8,
  /** Peers of one room that a member is told of in all: as many as it would connect to. */
  knownPeers: 24,
  /** Of those who are chosen, places that peers of the same LAN leave to seeds elsewhere: a LAN without a seed would starve. */
  chosenForSeeds: 2,
  /** Joins of one room that change anything, per connection: so many at once, and so many per second from then on. */
  joinBurst: 8,
  joinsPerSecond: 0.1,
  /** Bytes queued for a slow reader; what comes on top is dropped. */
  queuedBytes: 64 * KIB,
  /** Messages dropped before a slow reader is disconnected. */
  droppedMessages: 8,
  pingIntervalMs: 25_000,
  missedPings: 2,
  /** How long a close handshake may take. */
  closeTimeoutMs: 2000,
  /** Clients are told to come back after a random part of this. */
  drainSpreadMs: 10_000,
  /** How often deadlines are looked at. */
  sweepIntervalMs: 500,
  /** A request's header, and all of it: what a slow-sending attacker may hold. */
  headersTimeoutMs: 5000,
  requestTimeoutMs: 8000,
  headerBytes: 8 * KIB,
} as const

export type SignalingLimits = { readonly [Name in keyof typeof SIGNALING_LIMITS]: number }

/** @throws {RangeError} when a limit is not a positive number */
export function withLimits(overrides: Partial<SignalingLimits>): SignalingLimits {
  for (const [name, value] of Object.entries(overrides)) {
    if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`expected ${name} to be above 0, got ${value}`)
  }
  return { ...SIGNALING_LIMITS, ...overrides }
}
