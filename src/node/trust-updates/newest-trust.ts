import { DeliveryError } from '../../core/errors.ts'
import type { SiteConfig } from '../../core/manifest/site-config.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import { advanceTrust, beginTrust, type TrustState } from '../../core/verify/trust-chain.ts'
import { createSigstoreVerifier } from '../../trust/sigstore-verifier.ts'
import type { SiteReader } from '../site/site-reader.ts'

/**
 * Whom a site trusts now: the section in its sealift.json, and every trust update on top of it that one of `sites` has. A place that cannot
 * be read, or that serves what is no update, has none.
 */
export async function newestTrust(
  config: Pick<SiteConfig, 'repository' | 'trust'>,
  sites: readonly SiteReader[],
  signal: AbortSignal,
): Promise<TrustState> {
  const verifier = createSigstoreVerifier()
  let state = beginTrust(config.trust)
  for (;;) {
    const next = await nextTrust(state, { repository: config.repository, sites, verifier }, signal)
    if (next === undefined) return state
    state = next
  }
}

interface Places {
  readonly repository: string
  readonly sites: readonly SiteReader[]
  readonly verifier: SignatureVerifier
}

async function nextTrust(state: TrustState, { repository, sites, verifier }: Places, signal: AbortSignal): Promise<TrustState | undefined> {
  if (state.site.updates === undefined) return undefined
  for (const site of sites) {
    try {
      const file = await site.readTrustUpdate(state.config.version + 1, signal)
      if (file !== undefined) return await advanceTrust(state, { file, repository }, verifier)
    } catch (error) {
      // As in a page: another place may have a good one.
      if (!(error instanceof DeliveryError)) throw error
    }
  }
  return undefined
}
