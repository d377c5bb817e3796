import type { TrustConfig } from '../manifest/site-config.ts'
import { requirePolicy, type SignaturePolicy } from './identity-policy.ts'
import { ANY_PROVENANCE, type ProvenancePolicy } from './provenance-policy.ts'

/** Whose signatures count for a site. */
export interface SiteTrust {
  readonly catalogue: SignaturePolicy
  readonly artifacts: SignaturePolicy
  readonly provenance: ProvenancePolicy
}

/** @throws {DeliveryError} `policy-missing`, `config-invalid` */
export function siteTrust({ catalogueSigners, artifactSigners, minSigners, provenance, ...under }: TrustConfig): SiteTrust {
  const { trustedRoot, thresholds } = under
  return {
    catalogue: requirePolicy(catalogueSigners, {
      trustedRoot,
      thresholds,
      minSigners: minSigners.catalogue,
      path: 'trust.catalogueSigners',
    }),
    artifacts: requirePolicy(artifactSigners, { trustedRoot, thresholds, minSigners: minSigners.artifacts, path: 'trust.artifactSigners' }),
    provenance,
  }
}

/** One policy for all that a site publishes. */
export function trustOfPolicy(policy: SignaturePolicy): SiteTrust {
  return { catalogue: policy, artifacts: policy, provenance: ANY_PROVENANCE }
}
