import type { BlobRef } from '../model/artifact.ts'
import type { ArtifactName, Sha256 } from '../model/ids.ts'
import type { Tier } from '../ports.ts'

/** One artifact as the catalogue lists it: enough to choose a version, and the digests to hold it to. */
export interface CatalogueEntry {
  readonly name: ArtifactName
  readonly version: string
  /** `os/arch`, or undefined where one file serves all. */
  readonly platform: string | undefined
  readonly channel: string | undefined
  /** Plain https URLs that a controlled page may go on using; `fetch()` of one is answered with this artifact. */
  readonly aliases: readonly string[]
  readonly manifest: BlobRef
  readonly artifact: BlobRef
  /** True when peers may pass it on. */
  readonly mesh: boolean
  /** Percentage of clients that are offered it, 0 to 100. */
  readonly rollout: number
  readonly yanked: boolean
}

/** A place that serves the published layout. Never trusted, so anybody may be listed. */
export interface Origin {
  readonly id: string
  readonly tier: Exclude<Tier, 'mesh'>
  /** Base URL, ending in `/`; paths of the layout are appended. */
  readonly url: string
  readonly region: string | undefined
  readonly operator: string | undefined
}

/** Order and limits of delivery as the publisher sees them. Holds no trust. */
export interface DeliveryHints {
  readonly tiers: readonly Tier[] | undefined
}

/** The verified payload of `/catalogue.json`. */
export interface Catalogue {
  readonly schema: 1
  readonly repository: string
  /** Signing time in Unix seconds; never goes down for one repository. */
  readonly version: number
  readonly createdAtSeconds: number
  readonly refreshAfterSeconds: number
  readonly expiresAtSeconds: number
  /** How long after `expires` an outage may stretch it. 0: not at all. */
  readonly graceSeconds: number
  readonly previous: { readonly version: number; readonly sha256: Sha256 } | undefined
  readonly origins: readonly Origin[]
  readonly delivery: DeliveryHints
  readonly denied: readonly Sha256[]
  readonly artifacts: readonly CatalogueEntry[]
}

export const CATALOGUE_MEDIA_TYPE = 'application/vnd.sealift.catalogue.v1+json'
