import type { Signer } from '../verify/identity-policy.ts'
import { parseSiteConfig } from './parse-site-config.ts'
import type { SiteConfig } from './site-config.ts'

/**
 * `/sealift.json`, indented for the people who edit it. Reads back what it wrote.
 * @throws {DeliveryError} `config-invalid`, `policy-missing`
 */
export function encodeSiteConfig(config: SiteConfig): Uint8Array<ArrayBuffer> {
  const { catalogueSigners, artifactSigners, trustedRoot, thresholds, requireProvenance, minimumVersion } = config.trust
  const { mode, signaling, ticketUrl, iceServers } = config.mesh
  const document = {
    schema: config.schema,
    repository: config.repository,
    origins: config.origins.map(({ id, url }) => ({ id, url })),
    gateways: config.gateways.map(({ id, url, addressSpace }) => ({ id, url, addressSpace })),
    preset: config.preset,
    tiers: config.tiers,
    mesh: { mode, signaling, ticketUrl, iceServers: iceServers.map(({ urls, username, credential }) => ({ urls, username, credential })) },
    trust: {
      catalogueSigners: catalogueSigners.map(writeSigner),
      artifactSigners: artifactSigners.map(writeSigner),
      trustedRoot,
      thresholds: { log: thresholds.log, sct: thresholds.sct, timestamp: thresholds.timestamp },
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
