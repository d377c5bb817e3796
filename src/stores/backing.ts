import type { Artifact, PieceSpace } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../core/model/ids.ts'
import type { VerifiedPiece } from '../core/verify/piece.ts'
import type { LastingBacking } from './index-schema.ts'

/** A place where the bytes of pieces can lie. */
export interface Backing {
  readonly kind: LastingBacking | 'memory'
  /** Opens what it keeps, for whoever holds the artifact's lock: flags whose bytes are gone are taken back. Reserves nothing yet. */
  open(artifact: PieceSpace, signal: AbortSignal): Promise<OpenBacking>
  /** What it keeps, for everybody else: nothing is changed. */
  view(artifact: PieceSpace, signal: AbortSignal): Promise<OpenBacking>
  /** The bytes of one piece that is flagged as kept here, without opening the artifact. Not re-hashed. */
  readPiece(artifact: PieceSpace, piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
  /** Forgets the artifact's bytes. The flags are gone already. */
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

/** One artifact's pieces in one backing. Calls come one after another. */
export interface OpenBacking {
  readonly kind: LastingBacking | 'memory'
  readonly isWritable: boolean
  /** What was kept when it was opened. */
  readonly kept: ReadonlyMap<PieceIndex, SourceId>
  /** Reserves room for the whole artifact, so that a full disk is noticed before the download. May be called again. */
  prepare(signal: AbortSignal): Promise<void>
  /**
   * True when what it writes to has been cleared under it, as browsers clear an origin under an open page. Looks once in a while, so that
   * it may be asked before each `keep`.
   */
  isGone(signal: AbortSignal): Promise<boolean>
  /** Keeps all or none: a flag appears only when its bytes are safe. */
  keep(pieces: readonly VerifiedPiece[], signal: AbortSignal): Promise<void>
  read(piece: PieceIndex, signal: AbortSignal, room?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>>
  /** The bytes of adjoining pieces, held by the platform and not by us. */
  parts(first: PieceIndex, count: number, signal: AbortSignal): Promise<readonly Blob[]>
  forget(pieces: readonly PieceIndex[], signal: AbortSignal): Promise<void>
  /** Lets go of what other tabs may want, such as a file's handle. `keep` takes it again. Never rejects. */
  close(): Promise<void>
  /** Nobody will use it any more: comes after `close`. May be called again. */
  release(): void
}

/** The rows that say which artifacts are kept. */
export interface ArtifactBook {
  begin(artifact: Artifact, signal: AbortSignal): Promise<void>
  markVerified(artifact: PieceSpace, signal: AbortSignal): Promise<void>
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}
