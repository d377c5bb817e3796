import type { SiteConfig } from '../manifest/site-config.ts'
import { requirePolicy, type SignaturePolicy } from './identity-policy.ts'

/** Whose signatures count for a site. */
export interface SiteTrust {
  readonly catalogue: SignaturePolicy
  readonly artifacts: SignaturePolicy
  /** Refuse an artifact without SLSA provenance. */
  readonly requireProvenance: boolean
}

/** @throws {DeliveryError} `policy-missing` */
export function trustOfConfig({ trust }: Pick<SiteConfig, 'trust'>): SiteTrust {
  return {
    catalogue: requirePolicy(trust.catalogueSigners, trust.trustedRoot, trust.thresholds),
    artifacts: requirePolicy(trust.artifactSigners, trust.trustedRoot, trust.thresholds),
    requireProvenance: trust.requireProvenance,
  }
}

/** One policy for all that a site publishes. */
export function trustOfPolicy(policy: SignaturePolicy): SiteTrust {
  return { catalogue: policy, artifacts: policy, requireProvenance: false }
}
