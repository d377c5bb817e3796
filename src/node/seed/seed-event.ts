import type { Failure } from '../../core/errors.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import type { SourceId } from '../../core/model/ids.ts'

/** An artifact that a seed has, as its log names it. */
export interface SeededArtifact extends BlobRef {
  readonly name: string
  readonly version: string
  readonly platform: string | undefined
}

/** What a seed does, for whoever watches it. No addresses: a peer is named as the signaling server does, for one session. */
export type SeedEvent =
  | { readonly event: 'offered'; readonly artifact: SeededArtifact }
  /** Not offered, or no longer: damaged, withdrawn, or not signed by whom the site trusts now. */
  | { readonly event: 'refused'; readonly artifact: SeededArtifact; readonly failure: Failure }
  | { readonly event: 'withdrawn'; readonly artifact: SeededArtifact }
  /** The site could not be read again, or is not believed. What was offered stays so. */
  | { readonly event: 'site-refused'; readonly failure: Failure }
  | { readonly event: 'signaling'; readonly url: string; readonly isOnline: boolean; readonly failure: Failure | undefined }
  | { readonly event: 'peer-met'; readonly peer: SourceId }
  /** A peer has taken every piece of an artifact, or has left with a part of it. Pieces asked for twice count once. */
  | {
      readonly event: 'served'
      readonly peer: SourceId
      readonly artifact: SeededArtifact
      readonly pieces: number
      readonly pieceCount: number
    }
  | { readonly event: 'peer-left'; readonly peer: SourceId; readonly sentBytes: number }
  | { readonly event: 'ticket-ending'; readonly expiresAtSeconds: number }

export type SeedLog = (event: SeedEvent) => void
