import { DeliveryError } from '../errors.ts'
import type { Sha256 } from '../model/ids.ts'
import type { Catalogue } from './catalogue.ts'

/** The newest catalogue this machine has accepted for a repository. */
export interface CatalogueFloor {
  readonly version: number
  /** Of the payload, since several signatures may stand over one payload. */
  readonly sha256: Sha256
  /** The trust update that counted when it was accepted: a later one may have put another floor in its place. */
  readonly trust?: number | undefined
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

/** The publisher's clock and the witnesses' may differ by so much. */
const MAX_WITNESS_SKEW_SECONDS = 3600

/** Whether a version is a time that no honest signer has seen yet, by this clock. */
export function isFromFuture(version: number, nowSeconds: number): boolean {
  return version > nowSeconds + MAX_CLOCK_SKEW_SECONDS
}

/**
 * Whether this catalogue may take the place of the one before it. Says nothing of its age: see `judgeFreshness`.
 * @throws {DeliveryError} `catalogue-repository`, `catalogue-rollback`, `catalogue-equivocation`; `catalogue-future` when nothing else is wrong
 */
export function acceptCatalogue(offer: CatalogueOffer): void {
  const { offered, offeredSha256, floor, nowSeconds } = offer
  if (offered.repository !== offer.repository) {
    throw new DeliveryError({ code: 'catalogue-repository', expected: offer.repository, offered: offered.repository })
  }
  const lowest = Math.max(floor?.version ?? 0, offer.minimumVersion)
  if (offered.version < lowest) throw new DeliveryError({ code: 'catalogue-rollback', floor: lowest, offered: offered.version })
  if (floor?.version === offered.version && floor.sha256 !== offeredSha256) {
    throw new DeliveryError({ code: 'catalogue-equivocation', version: offered.version, known: floor.sha256, offered: offeredSha256 })
  }
  // A catalogue from the far future would raise the floor above everything published until then. The floor itself is no
  // future: where its version is ahead of the clock, the clock was set back.
  if (isFromFuture(offered.version, nowSeconds) && offered.version > (floor?.version ?? 0)) {
    throw new DeliveryError({ code: 'catalogue-future', version: offered.version, nowSeconds })
  }
}

/**
 * A version is when it was signed. Where a witness of the signature says when that was, no version may be far ahead of it: one made up to block
 * all that follow would have to wait for its time.
 * @throws {DeliveryError} `catalogue-future`, with the time of the witness
 */
export function requireSigningTime({ version }: Catalogue, signedAtSeconds: number | undefined): void {
  if (signedAtSeconds !== undefined && version > signedAtSeconds + MAX_WITNESS_SKEW_SECONDS)
    throw new DeliveryError({ code: 'catalogue-future', version, nowSeconds: signedAtSeconds })
}

export interface FreshnessQuestion {
  readonly nowSeconds: number
  /** The site's ceiling on the publisher's grace. */
  readonly maxGraceSeconds: number
}

/**
 * Whether names may still be resolved in an accepted catalogue, the newest that any source has: so grace bridges an outage, and
 * never passes over what is fresher. `stale` is said aloud and goes into the audit record.
 * A version is a time in the past. A clock that is far behind it was set back: then nobody knows how old it is, and it is `stale` at best.
 * @throws {DeliveryError} `catalogue-expired`
 */
export function judgeFreshness(catalogue: Catalogue, question: FreshnessQuestion): 'fresh' | 'stale' {
  const { expiresAtSeconds } = catalogue
  const nowSeconds = Math.max(question.nowSeconds, catalogue.version)
  const graceSeconds = Math.min(catalogue.graceSeconds, question.maxGraceSeconds)
  if (nowSeconds > expiresAtSeconds + graceSeconds)
    throw new DeliveryError({ code: 'catalogue-expired', expiredAtSeconds: expiresAtSeconds, nowSeconds })
  return nowSeconds > expiresAtSeconds || isFromFuture(catalogue.version, question.nowSeconds) ? 'stale' : 'fresh'
}

/** True when it is time to ask the sources for a newer catalogue, or when a clock that was set back cannot tell. Nothing is refused for this. */
export function isRefreshDue(catalogue: Catalogue, nowSeconds: number): boolean {
  return nowSeconds >= catalogue.refreshAfterSeconds || isFromFuture(catalogue.version, nowSeconds)
}
