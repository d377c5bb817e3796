import { parseSiteConfig } from './parse-site-config.ts'
import type { SiteConfig } from './site-config.ts'
import { writeTrust } from './trust-field.ts'

/**
 * `/sealift.json`, indented for the people who edit it. Reads back what it wrote.
 * @throws {DeliveryError} `config-invalid`, `policy-missing`
 * @example
 * import { writeFile } from 'node:fs/promises'
 *
 * const config = await readConfig('https://portal.example/sealift.json', AbortSignal.timeout(10_000))
 * await writeFile('sealift.json', encodeSiteConfig({ ...config, preset: 'lan-first' }))
 */
export function encodeSiteConfig(config: SiteConfig): Uint8Array<ArrayBuffer> {
  const { mode, signaling, ticketUrl, iceServers, upload } = config.mesh
  const document = {
    schema: config.schema,
    repository: config.repository,
    origins: config.origins.map(({ id, url }) => ({ id, url })),
    gateways: config.gateways.map(({ id, url, addressSpace }) => ({ id, url, addressSpace })),
    preset: config.preset,
    tiers: config.tiers,
    mesh: {
      mode,
      signaling,
      ticketUrl,
      iceServers: iceServers.map(({ urls, username, credential }) => ({ urls, username, credential })),
      upload,
    },
    trust: writeTrust(config.trust),
    maxGraceSeconds: config.maxGraceSeconds,
  }
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, undefined, 2)}\n`)
  parseSiteConfig(bytes, 'https://only-absolute-urls.invalid/')
  return bytes
}
