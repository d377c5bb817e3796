import type { AuditRecord } from '../audit/record.ts'
import type { Failure } from '../errors.ts'
import type { ArtifactName, Sha256, SourceId } from '../model/ids.ts'
import type { Tier } from '../ports.ts'
import type { SignatureVerdict } from '../verify/identity-policy.ts'

/** Which artifact is wanted. */
export type ArtifactRequest =
  | {
      readonly kind: 'name'
      readonly name: string
      readonly version: string | undefined
      readonly platform: string | undefined
      readonly channel: string | undefined
    }
  | { readonly kind: 'digest'; readonly sha256: Sha256 }
  | { readonly kind: 'alias'; readonly url: string }

/** An artifact as a page sees it. */
export interface ArtifactFacts {
  readonly name: ArtifactName
  readonly version: string
  readonly platform: string | undefined
  readonly filename: string
  readonly mediaType: string
  readonly sizeBytes: number
  readonly sha256: Sha256
  readonly pieceCount: number
  readonly pieceLengthBytes: number
}

/** Which catalogue the artifact was found in. */
export interface CatalogueFacts {
  readonly version: number
  /** `pinned`: expired or ahead of the clock, and asked for by digest. `expired`: names in it are no longer resolved. */
  readonly freshness: 'fresh' | 'stale' | 'pinned' | 'expired'
  readonly source: SourceId
  readonly signedBy: SignatureVerdict
  readonly expiresAtSeconds: number
  /** This machine's clock when that was judged. */
  readonly nowSeconds: number
  /** The publisher signed this version more than a day later than this machine's clock says it is: the clock is wrong. */
  readonly isClockSuspect: boolean
}

/** Pieces `start` to below `end` that one source delivered. */
export interface PieceSpan {
  readonly start: number
  readonly end: number
  readonly source: SourceId
  readonly tier: Tier
}

/** `waiting`: another tab of this origin is fetching the same. It may come before `resolved`; `progress` then tells what that tab keeps. */
export type DeliveryPhase = 'resolving' | 'waiting' | 'fetching' | 'checking' | 'paused'

/** What a download tells, in the order it happens. Every event is plain data. */
export type DeliveryEvent =
  | { readonly kind: 'phase'; readonly phase: DeliveryPhase }
  /** The catalogue is verified and the artifact chosen. `kept` are the pieces of an earlier visit. */
  | {
      readonly kind: 'resolved'
      readonly artifact: ArtifactFacts
      readonly catalogue: CatalogueFacts
      readonly kept: readonly PieceSpan[]
    }
  /** Pieces verified and kept since the last event, and bytes received from everybody, wasted ones included. At most 10 a second. */
  | {
      readonly kind: 'progress'
      readonly pieces: readonly PieceSpan[]
      readonly verifiedBytes: number
      readonly receivedBytes: number
      readonly sizeBytes: number
    }
  | {
      readonly kind: 'trouble'
      readonly source: SourceId
      readonly tier: Tier
      readonly failure: Failure
      readonly isBanned: boolean
    }
  /** The signatures of the artifact itself are verified. */
  | { readonly kind: 'signed'; readonly verdicts: readonly SignatureVerdict[] }

/** How a download ended well. */
export interface DeliveredArtifact {
  readonly artifact: ArtifactFacts
  readonly record: AuditRecord
}
