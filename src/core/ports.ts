import type { Artifact, BlobRef, ByteRange } from './model/artifact.ts'
import type { Bitfield } from './model/bitfield.ts'
import type { PieceIndex, Sha256, SourceId } from './model/ids.ts'
import type { SignaturePolicy, SignatureVerdict } from './verify/identity-policy.ts'
import type { VerifiedPiece } from './verify/piece.ts'

export type Tier = 'cdn' | 'gateway' | 'mesh'

/** Somewhere bytes may come from: a CDN origin, a LAN gateway, a peer. Never trusted. */
export interface Source {
  readonly id: SourceId
  readonly tier: Tier
  /** Most adjoining pieces that one read may span. A gateway cuts at its slices, a peer at its pieces: 1. */
  readonly maxRunPieces: number
  /**
   * Reads one range of a blob, in order, as non-empty chunks.
   * The chunks total exactly `range.end - range.start` bytes; all of the blob where the source ignores ranges and `start` is 0. They are unverified.
   * Each is good until the next one is asked for: its memory may be used again.
   *
   * @param range half-open, in bytes; `0 <= start < end <= blob.sizeBytes`
   * @param signal stops the transfer; the iterator then throws `signal.reason` unchanged
   * @throws {DeliveryError} a `SourceFailure`, or `peer-*` from a peer
   */
  read(blob: BlobRef, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** As `read`, past whatever the source has cached, which has turned out wrong. Missing where there is no such cache. */
  reread?(blob: BlobRef, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** True once it has sent a whole blob where a part was asked for: then it is of use for whole blobs alone. */
  ignoresRanges?(): boolean
  /** False when the source is known not to have this piece of this blob. A source that cannot know says true. */
  isOffered(blob: BlobRef, piece: PieceIndex): boolean
  /** The same for all pieces at once: of a peer, which without it offers nothing. Good until the source set says that it changed. */
  offered?(artifact: Artifact): Offered | undefined
  /** A peer: it is in our own network, and its bytes cost nobody else anything. It may come to be so while it is connected. */
  readonly isLan?: boolean
}

/** Pieces that a source has: bits as in `Bitfield`, or all of them. */
export type Offered = Uint8Array | 'all'

/** The sources of the moment: peers come and go while an artifact is fetched. */
export interface SourceSet {
  current(): readonly Source[]
  catalogues(): readonly CatalogueSource[]
  /** Calls `listener` after each change. Returns what stops it. */
  onChange(listener: () => void): () => void
  /** Says that sources of this tier are needed soon, so that slow ones (a mesh to join) can get ready. Idempotent. */
  want(tier: Tier): void
  /** True while more sources may still appear by themselves. */
  isGrowing(): boolean
}

/** What all tasks of an engine need of a window, taken together. */
export interface WindowNeeds {
  /** Some task has run out of better sources. */
  readonly arePeersWanted: boolean
  /** Artifacts that are being fetched: peers meet around them. */
  readonly artifacts: readonly Sha256[]
}

/** Sources that live in a window: peers, and gateways that only a window may reach. */
export interface WindowSources extends Omit<SourceSet, 'want'> {
  /** Replaces what was said before. */
  setNeeds(needs: WindowNeeds): void
  /** This source sent wrong bytes: it is not to be met again. */
  ban(source: SourceId): void
}

/** Where the signed catalogue can be had. Apart from `Source`, since it is the one mutable file. */
export interface CatalogueSource {
  readonly id: SourceId
  readonly tier: Tier
  /** The file as served, at most `limitBytes`. @throws {DeliveryError} a `SourceFailure` or `format-oversized` */
  readCatalogue(limitBytes: number, signal: AbortSignal): Promise<Uint8Array>
  /** `/trust/<version>.json` as served, at most `LIMITS.trustUpdateBytes`. @throws {DeliveryError} as `readCatalogue` */
  readTrustUpdate(version: number, signal: AbortSignal): Promise<Uint8Array>
}

/** Keeps the verified pieces of artifacts. Takes nothing but `VerifiedPiece`. */
export interface Store {
  /** Opens what is kept of the artifact, empty at first. One writer at a time: the caller holds the artifact's lock. */
  open(artifact: Artifact, signal: AbortSignal): Promise<StoredArtifact>
  /** Forgets every byte of it. Does nothing when none is kept. */
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

export interface StoredArtifact {
  /** Pieces whose bytes are safely kept. */
  readonly stored: Bitfield
  /** Which source served each kept piece. */
  origins(): ReadonlyMap<PieceIndex, SourceId>
  /**
   * Once it resolves, the bytes are the caller's again, to be written over: what is kept of them is a copy.
   * @throws {DeliveryError} `quota-exceeded`, `store-failed`; nothing is then half-written under a readable key
   */
  put(piece: VerifiedPiece, signal: AbortSignal): Promise<void>
  /**
   * The bytes of a kept piece. Re-hash before trust: disks lie.
   * @param room memory to read into, where it is long enough and the store can; it is given up
   * @throws {DeliveryError} `store-failed`
   */
  read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>>
  /** Drops pieces found altered, so that they are fetched again. */
  forget(pieces: readonly PieceIndex[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** SHA-256, by whatever the platform does fastest. */
export interface Hasher {
  digest(bytes: Uint8Array): Promise<Sha256>
  /** Of more than memory should hold at once. Rejects with what `content` throws. */
  digestStream(content: HashedContent): Promise<Sha256>
}

export interface HashedContent {
  readonly sizeBytes: number
  /**
   * In order, and given up: who hashes may take the memory. Called once more, from the start, where a hashing was lost.
   * @param spare memory of an earlier chunk, to be used again
   */
  readonly chunks: (spare: () => ArrayBuffer | undefined) => AsyncIterable<Uint8Array<ArrayBuffer>>
}

export interface Clock {
  /** Unix time in milliseconds. Jumps when the user sets the clock. */
  nowMs(): number
  /** Milliseconds from some start; never goes back. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with `signal.reason`. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** A bundle that passed, and for which signer of the policy: its place in `anyOf`. */
export interface Approval {
  readonly verdict: SignatureVerdict
  readonly signer: number
}

/** Judges one file of signature bundles. Synchronous work behind a promise; throws a `TrustFailure`. */
export interface SignatureVerifier {
  /**
   * Says nothing of `minSigners`: that is counted over all files, in `vouch.ts`.
   * @param file as fetched: one bundle as JSON, or one on each line
   * @param subject SHA-256 of what was signed
   * @returns those that pass, at least one
   * @throws {DeliveryError} `bundle-invalid`, `signature-invalid`, `identity-mismatch`, `subject-mismatch`, `provenance-refused`
   */
  verify(file: Uint8Array, subject: Sha256, policy: SignaturePolicy): Promise<readonly Approval[]>
}
