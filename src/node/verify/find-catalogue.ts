import { DeliveryError, type Failure } from '../../core/errors.ts'
import { acceptCatalogue, judgeFreshness } from '../../core/manifest/freshness.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import type { SignaturePolicy } from '../../core/verify/identity-policy.ts'
import type { SiteReader } from '../site/site-reader.ts'
import { vouchForCatalogue, type VouchedCatalogue } from '../../core/verify/vouch.ts'

export interface CatalogueSearch {
  readonly sites: readonly SiteReader[]
  readonly policy: SignaturePolicy
  readonly verifier: SignatureVerifier
  /** Undefined: of any repository. */
  readonly repository: string | undefined
  readonly minimumVersion: number
  readonly maxGraceSeconds: number
  readonly nowSeconds: number
}

/** The catalogue that counts, and where it came from. */
export interface FoundCatalogue extends VouchedCatalogue {
  readonly site: SiteReader
  readonly freshness: 'fresh' | 'stale'
}

/**
 * The newest catalogue that is signed and not too old, over all places that have one.
 * @throws {DeliveryError} `catalogue-expired`; the only place's own failure; `catalogue-unavailable` naming all of them
 */
export async function findCatalogue(search: CatalogueSearch, signal: AbortSignal): Promise<FoundCatalogue> {
  const reasons: DeliveryError[] = []
  let best: { readonly site: SiteReader; readonly verified: VouchedCatalogue } | undefined
  for (const site of search.sites) {
    try {
      const verified = await readVerified(site, search, signal)
      if (verified !== undefined && verified.catalogue.version > (best?.verified.catalogue.version ?? -1)) best = { site, verified }
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      reasons.push(error)
    }
  }
  if (best !== undefined) {
    const { nowSeconds, maxGraceSeconds } = search
    const freshness = judgeFreshness(best.verified.catalogue, { nowSeconds, maxGraceSeconds })
    return { ...best.verified, site: best.site, freshness }
  }
  const [only] = reasons
  if (only !== undefined && search.sites.length === 1) throw only
  const cause = reasons.length > 1 ? new AggregateError(reasons, 'no place gave an acceptable catalogue') : only
  throw new DeliveryError({ code: 'catalogue-unavailable', reasons: reasons.map(({ failure }): Failure => failure) }, { cause })
}

async function readVerified(site: SiteReader, search: CatalogueSearch, signal: AbortSignal): Promise<VouchedCatalogue | undefined> {
  const file = await site.readCatalogue(signal)
  if (file === undefined) return undefined
  const verified = await vouchForCatalogue(file, search.policy, search.verifier)
  acceptCatalogue({
    offered: verified.catalogue,
    offeredSha256: verified.payloadSha256,
    floor: undefined,
    minimumVersion: search.minimumVersion,
    repository: search.repository ?? verified.catalogue.repository,
    nowSeconds: search.nowSeconds,
  })
  return verified
}
