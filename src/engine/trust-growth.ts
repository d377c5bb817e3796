import { failureOf } from '../core/errors.ts'
import type { SiteConfig, TrustConfig } from '../core/manifest/site-config.ts'
import type { Clock, SignatureVerifier } from '../core/ports.ts'
import type { Records } from '../stores/index-values.ts'
import { trustMaterialsOf } from '../trust/trust-root.ts'

/** What is used of `trust-refresh.js`, which tells only of what a chain of signatures from the pinned root vouches for. */
export interface TrustRefresher {
  followTrustedRoot(
    options: { readonly repositoryUrl: string; readonly initialRoot: object; readonly store: Records },
    onRoot: (trustedRoot: object) => void,
    signal: AbortSignal,
  ): Promise<void>
}

export type LoadTrustRefresher = () => Promise<TrustRefresher>

/** How long after the start a refusal waits for what may come in its favour. Nothing else ever waits. */
const REFUSAL_WAITS_MS = 1000

export interface TrustGrowth {
  /** The site's configuration, whose trusted roots are the pinned ones and, once it is there, the refreshed one. */
  readonly config: SiteConfig
  /** Judges again what was refused before the refreshed root was there. */
  patient(verifier: SignatureVerifier): SignatureVerifier
}

interface GrowthOptions {
  readonly config: SiteConfig
  readonly records: Records
  readonly clock: Clock
  /** None in a service worker, which may not import. */
  readonly load: LoadTrustRefresher | undefined
}

/**
 * Trust that grows in the background, where the site names a repository of trusted roots; undefined where it does not.
 * Whatever goes wrong with it leaves the pinned roots in use.
 */
export function growTrust({ config, records, clock, load }: GrowthOptions, signal: AbortSignal): TrustGrowth | undefined {
  let { trust } = config
  const { refresh, trustedRoot: pinned } = trust
  if (refresh === undefined || load === undefined) return undefined
  const ours: unknown[] = [pinned]
  const add = (root: object): void => {
    try {
      trustMaterialsOf(root)
      trust = { ...config.trust, trustedRoot: [pinned, root].flat() }
      ours.push(trust.trustedRoot)
    } catch {
      // Signed or not: one that the verifier cannot read would take the pinned ones with it. The next may be better.
    }
  }
  const growing = load().then((refresher) =>
    refresher.followTrustedRoot({ repositoryUrl: refresh.url, initialRoot: refresh.root, store: records }, add, signal),
  )
  const settled = Promise.race([growing, clock.sleep(REFUSAL_WAITS_MS, signal)]).catch(() => undefined)
  return {
    config: {
      ...config,
      get trust(): TrustConfig {
        return trust
      },
    },
    patient: ({ verify }) => ({
      verify: (bundle, subject, policy) =>
        verify(bundle, subject, policy).catch(async (error: unknown) => {
          // What a trust update says of roots stands as it says it: a root that it put out must not come back.
          if (failureOf(error)?.code !== 'signature-invalid' || !ours.includes(policy.trustedRoot)) throw error
          await settled
          const { trustedRoot } = trust
          if (trustedRoot === policy.trustedRoot) throw error
          return await verify(bundle, subject, { ...policy, trustedRoot })
        }),
    }),
  }
}
