import { DeliveryError } from '../errors.ts'
import type { Sha256 } from '../model/ids.ts'
import type { Catalogue } from './catalogue.ts'

/** The newest catalogue this machine has accepted for a repository. */
export interface CatalogueFloor {
  readonly version: number
  /** Of the payload, since several signatures may stand over one payload. */
  readonly sha256: Sha256
}

export interface CatalogueOffer {
  /** Its signature is verified already. */
  readonly offered: Catalogue
  /** Of the payload. */
  readonly offeredSha256: Sha256
  readonly floor: CatalogueFloor | undefined
  /** Pinned by the portal: the floor of a first visit. */
  readonly minimumVersion: number
  readonly repository: string
  readonly nowSeconds: number
}

/** A version is a signing time; clocks that differ by more than this are a publisher's mistake or an attack. */
export const MAX_CLOCK_SKEW_SECONDS = 86_400

/** Whether a version is a time that no honest signer has seen yet, by this clock. */
export function isFromFuture(version: number, nowSeconds: number): boolean {
  return version > nowSeconds + MAX_CLOCK_SKEW_SECONDS
}

/**
 * Whether this catalogue may take the place of the one before it. Says nothing of its age: see `judgeFreshness`.
 * @throws {DeliveryError} `catalogue-repository`, `catalogue-future`, `catalogue-rollback`, `catalogue-equivocation`
 */
export function acceptCatalogue(offer: CatalogueOffer): void {
  const { offered, offeredSha256, floor, nowSeconds } = offer
  if (offered.repository !== offer.repository) {
    throw new DeliveryError({ code: 'catalogue-repository', expected: offer.repository, offered: offered.repository })
  }
  // A catalogue from the far future would raise the floor above everything published until then. The floor itself is no
  // future: where its version is ahead of the clock, the clock was set back.
  if (isFromFuture(offered.version, nowSeconds) && offered.version > (floor?.version ?? 0)) {
    throw new DeliveryError({ code: 'catalogue-future', version: offered.version, nowSeconds })
  }
  const lowest = Math.max(floor?.version ?? 0, offer.minimumVersion)
  if (offered.version < lowest) throw new DeliveryError({ code: 'catalogue-rollback', floor: lowest, offered: offered.version })
  if (floor?.version === offered.version && floor.sha256 !== offeredSha256) {
    throw new DeliveryError({ code: 'catalogue-equivocation', version: offered.version, known: floor.sha256, offered: offeredSha256 })
  }
}

export interface FreshnessQuestion {
  readonly nowSeconds: number
  /** The site's ceiling on the publisher's grace. */
  readonly maxGraceSeconds: number
}

/**
 * Whether names may still be resolved in an accepted catalogue, the newest that any source has: so grace bridges an outage, and
 * never passes over what is fresher. `stale` is said aloud and goes into the audit record.
 * @throws {DeliveryError} `catalogue-expired`
 */
export function judgeFreshness(catalogue: Catalogue, question: FreshnessQuestion): 'fresh' | 'stale' {
  const { expiresAtSeconds } = catalogue
  const { nowSeconds } = question
  if (nowSeconds <= expiresAtSeconds) return 'fresh'
  const graceSeconds = Math.min(catalogue.graceSeconds, question.maxGraceSeconds)
  if (nowSeconds <= expiresAtSeconds + graceSeconds) return 'stale'
  throw new DeliveryError({ code: 'catalogue-expired', expiredAtSeconds: expiresAtSeconds, nowSeconds })
}

/** True when it is time to ask the sources for a newer catalogue. Nothing is refused for this. */
export function isRefreshDue(catalogue: Catalogue, nowSeconds: number): boolean {
  return nowSeconds >= catalogue.refreshAfterSeconds
}
