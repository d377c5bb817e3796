import type { Signer } from '../verify/identity-policy.ts'
import { parseSiteConfig } from './parse-site-config.ts'
import type { SiteConfig } from './site-config.ts'

/**
 * `/sealift.json`, indented for the people who edit it. Reads back what it wrote.
 * @throws {DeliveryError} `config-invalid`, `policy-missing`
 */
export function encodeSiteConfig(config: SiteConfig): Uint8Array<ArrayBuffer> {
  const { catalogueSigners, artifactSigners, trustedRoot, thresholds, requireProvenance, minimumVersion } = config.trust
  const document = {
    schema: config.schema,
    repository: config.repository,
    origins: config.origins,
    gateways: config.gateways,
    preset: config.preset,
    tiers: config.tiers,
    mesh: config.mesh,
    trust: {
      catalogueSigners: catalogueSigners.map(writeSigner),
      artifactSigners: artifactSigners.map(writeSigner),
      trustedRoot,
      thresholds,
      requireProvenance,
      minimumVersion,
    },
    maxGraceSeconds: config.maxGraceSeconds,
  }
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, undefined, 2)}\n`)
  parseSiteConfig(bytes, 'https://only-absolute-urls.invalid/')
  return bytes
}

function writeSigner(signer: Signer): object {
  return signer.kind === 'key' ? { publicKey: signer.publicKeyPem } : { identity: signer.identity, issuer: signer.issuer }
}
