import type { Failure } from '../errors.ts'
import type { ArtifactName, Sha256, SourceId } from '../model/ids.ts'
import type { SignatureVerdict } from '../verify/identity-policy.ts'
import type { BundleOpinion } from '../verify/vouch.ts'

/** What one source did for one artifact. */
export interface SourceTally {
  readonly source: SourceId
  readonly tier: 'cdn' | 'gateway' | 'mesh'
  /** Pieces delivered and verified, as half-open index ranges in ascending order. */
  readonly pieces: readonly { readonly start: number; readonly end: number }[]
  readonly verifiedBytes: number
  /** All bytes received, wasted ones included. */
  readonly receivedBytes: number
  readonly failures: readonly Failure[]
}

/** How one download went: which source served each piece, and every verdict. Kept in the browser; exported by the user. */
export interface AuditRecord {
  readonly schema: 1
  readonly id: string
  readonly startedAtSeconds: number
  readonly endedAtSeconds: number
  readonly name: ArtifactName
  readonly version: string
  readonly artifact: { readonly sha256: Sha256; readonly sizeBytes: number; readonly pieces: number; readonly pieceLengthBytes: number }
  readonly outcome:
    | { readonly kind: 'delivered' }
    | { readonly kind: 'refused' | 'failed'; readonly failure: Failure }
    | { readonly kind: 'cancelled' }
  readonly catalogue: {
    readonly version: number
    readonly sha256: Sha256
    readonly source: SourceId
    readonly freshness: 'fresh' | 'stale' | 'pinned'
    /** To compare with `startedAtSeconds`, which is this machine's clock. Absent in older records. */
    readonly expiresAtSeconds?: number | undefined
    readonly verdict: SignatureVerdict
  }
  /** What was made of each bundle of the artifact: accepted ones first, then refused ones with the reason. */
  readonly verdicts: readonly BundleOpinion[]
  readonly sources: readonly SourceTally[]
  readonly policySha256: Sha256
  /** SHA-256 of the record before this one: a chain shows tampering only where its head is kept elsewhere too. */
  readonly previous: Sha256 | undefined
}
