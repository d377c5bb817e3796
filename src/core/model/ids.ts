/** Brands: strings and numbers that one checker has looked at. The only place where they are made. */

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** A SHA-256 digest: 64 lower-case hex digits. */
export type Sha256 = Brand<string, 'Sha256'>
/** Index of a piece within its artifact, from 0. */
export type PieceIndex = Brand<number, 'PieceIndex'>
/** Names one place that bytes come from: an origin, a gateway, a peer. Stable for the life of a page. */
export type SourceId = Brand<string, 'SourceId'>
/** An artifact's name in the catalogue, for example `edge-agent`. */
export type ArtifactName = Brand<string, 'ArtifactName'>
/** A signaling room: 43 base64url characters, the keyed hash of a digest. Tells nothing of the digest. */
export type SwarmId = Brand<string, 'SwarmId'>
/** A peer's id in a room, made by the signaling server. */
export type PeerId = Brand<string, 'PeerId'>

const SHA256 = /^[0-9a-f]{64}$/
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$/
const SWARM = /^[A-Za-z0-9_-]{43}$/
const PEER = /^[A-Za-z0-9_-]{8,32}$/

export function isSha256(text: unknown): text is Sha256 {
  return typeof text === 'string' && SHA256.test(text)
}

export function isArtifactName(text: unknown): text is ArtifactName {
  return typeof text === 'string' && NAME.test(text)
}

export function isSwarmId(text: unknown): text is SwarmId {
  return typeof text === 'string' && SWARM.test(text)
}

export function isPeerId(text: unknown): text is PeerId {
  return typeof text === 'string' && PEER.test(text)
}

/** @throws {TypeError} when `text` is not 64 lower-case hex digits */
export function toSha256(text: string): Sha256 {
  if (!isSha256(text)) throw new TypeError(`expected 64 lower-case hex digits, got ${JSON.stringify(text).slice(0, 80)}`)
  return text
}

/** @throws {TypeError} when `text` is not a catalogue name: lower-case letters, digits, `.`, `_`, `-`, at most 128 */
export function toArtifactName(text: string): ArtifactName {
  if (!isArtifactName(text)) throw new TypeError(`expected an artifact name, got ${JSON.stringify(text).slice(0, 80)}`)
  return text
}

/** @throws {RangeError} when `index` is not a whole number from 0 */
export function toPieceIndex(index: number): PieceIndex {
  if (!Number.isSafeInteger(index) || index < 0) throw new RangeError(`expected a piece index from 0, got ${index}`)
  return index as PieceIndex
}

/** @throws {TypeError} when `text` is empty or longer than 200 characters */
export function toSourceId(text: string): SourceId {
  if (text.length === 0 || text.length > 200) throw new TypeError(`expected 1 to 200 characters, got ${text.length}`)
  return text as SourceId
}

/** @throws {TypeError} when `text` is not 43 base64url characters */
export function toSwarmId(text: string): SwarmId {
  if (!isSwarmId(text)) throw new TypeError('expected 43 base64url characters')
  return text
}

/** @throws {TypeError} when `text` is not 8 to 32 base64url characters */
export function toPeerId(text: string): PeerId {
  if (!isPeerId(text)) throw new TypeError('expected 8 to 32 base64url characters')
  return text
}

const PEER_SOURCE = 'peer:'

/** The source that a peer is. @throws {TypeError} as `toSourceId` */
export function toPeerSourceId(peer: string): SourceId {
  return toSourceId(PEER_SOURCE + peer)
}

export function isPeerSourceId(source: SourceId): boolean {
  return source.startsWith(PEER_SOURCE)
}
