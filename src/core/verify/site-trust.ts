import type { TrustConfig } from '../manifest/site-config.ts'
import { requirePolicy, type SignaturePolicy } from './identity-policy.ts'
import { ANY_PROVENANCE, type ProvenancePolicy } from './provenance-policy.ts'

/** Whose signatures count for a site. */
export interface SiteTrust {
  readonly catalogue: SignaturePolicy
  readonly artifacts: SignaturePolicy
  readonly provenance: ProvenancePolicy
  /** Whose signatures change all this; undefined: nobody's. */
  readonly updates?: SignaturePolicy | undefined
}

/**
 * @throws {DeliveryError} `policy-missing`, `config-invalid`
 * @example
 * const { trust } = await readConfig('public/sealift.json', AbortSignal.timeout(10_000))
 * console.log(siteTrust(trust).artifacts.minSigners)
 */
export function siteTrust({ catalogueSigners, artifactSigners, minSigners, provenance, updates, ...under }: TrustConfig): SiteTrust {
  const { trustedRoot, thresholds } = under
  const policy = (signers: TrustConfig['catalogueSigners'], least: number, path: string): SignaturePolicy =>
    requirePolicy(signers, { trustedRoot, thresholds, minSigners: least, path })
  return {
    catalogue: policy(catalogueSigners, minSigners.catalogue, 'trust.catalogueSigners'),
    artifacts: policy(artifactSigners, minSigners.artifacts, 'trust.artifactSigners'),
    provenance,
    updates: updates && policy(updates.signers, updates.minSigners, 'trust.updates.signers'),
  }
}

/**
 * One policy for all that a site publishes.
 * @example
 * const { policy } = keySigner(await readSigningKey('keys/signing-key.pem'))
 * console.log(trustOfPolicy(policy).artifacts === policy)
 */
export function trustOfPolicy(policy: SignaturePolicy): SiteTrust {
  return { catalogue: policy, artifacts: policy, provenance: ANY_PROVENANCE }
}
