import type { Authority } from 'sealift/node'
import { DEMO_CLAIMS, DEMO_REPOSITORY } from './publish-demo.ts'

export interface SitePlaces {
  readonly origins: readonly { readonly id: string; readonly url: string }[]
  readonly gateways: readonly { readonly id: string; readonly url: string }[]
  readonly signaling: string
}

/** `/sealift.json` of both portals. */
export function siteConfig(places: SitePlaces, authority: Authority): string {
  const signer = { identity: DEMO_CLAIMS.identity, issuer: DEMO_CLAIMS.issuer }
  return JSON.stringify(
    {
      schema: 1,
      repository: DEMO_REPOSITORY,
      origins: places.origins,
      gateways: places.gateways,
      preset: 'cdn-first',
      mesh: { mode: 'lan', signaling: [places.signaling], ticketUrl: '/ticket' },
      trust: {
        catalogueSigners: [signer],
        artifactSigners: [signer],
        trustedRoot: authority.trustedRoot,
        provenance: {},
      },
    },
    undefined,
    2,
  )
}
