import type { Origin } from '../core/manifest/catalogue.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import { toSourceId, type SourceId } from '../core/model/ids.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import type { CatalogueSource, Clock, Source, SourceSet, Tier, WindowSources } from '../core/ports.ts'
import { createHttpSource, type HttpSource } from '../sources/http/http-source.ts'

/** All sources of an engine: its own HTTP ones, and those that live in a window. */
export interface SourceHub extends SourceSet {
  /** Origins that a verified catalogue names beside the site's own. */
  addOrigins(origins: readonly Origin[]): void
  /** Says that this artifact is being fetched, until the returned function is called. */
  interest(blob: BlobRef): () => void
  /** The tier of a source, also of one that is gone: audit records name them long after. */
  tierOf(source: SourceId): Tier
}

export interface HubOptions {
  readonly clock: Clock
  /** Where requests run from. A worker on an https page may not reach an http gateway, so the window serves that one. */
  readonly isSecurePage: boolean
  /** Sources behind the bridge; undefined where there is no window, as in a service worker that works alone. */
  readonly windowSources: WindowSources | undefined
}

export function createSourceHub(config: SiteConfig, options: HubOptions): SourceHub {
  const own: HttpSource[] = []
  const tiers = new Map<SourceId, Tier>()
  const listeners = new Set<() => void>()
  const add = (origin: { readonly id: string; readonly tier: 'cdn' | 'gateway'; readonly url: string }): void => {
    const id = toSourceId(origin.id)
    if (tiers.has(id)) return
    tiers.set(id, origin.tier)
    own.push(createHttpSource({ id, tier: origin.tier, baseUrl: origin.url, clock: options.clock, fetch: (url, init) => fetch(url, init) }))
  }
  for (const { id, url } of config.origins) add({ id, tier: 'cdn', url })
  for (const gateway of config.gateways) {
    if (isForWorker(gateway.url, options.isSecurePage)) add({ id: gateway.id, tier: 'gateway', url: gateway.url })
    else tiers.set(toSourceId(gateway.id), 'gateway')
  }
  const window = options.windowSources
  return {
    current: () => [...own, ...(window?.current() ?? [])] satisfies Source[],
    catalogues: () => [...own, ...(window?.catalogues() ?? [])] satisfies CatalogueSource[],
    onChange(listener) {
      listeners.add(listener)
      const stop = window?.onChange(listener)
      return () => {
        listeners.delete(listener)
        stop?.()
      }
    },
    want: (tier) => window?.want(tier),
    isGrowing: () => window?.isGrowing() ?? false,
    addOrigins(origins) {
      const before = own.length
      for (const origin of origins) if (isForWorker(origin.url, options.isSecurePage)) add(origin)
      if (own.length > before) for (const listener of listeners) listener()
    },
    interest: (blob) => window?.interest(blob) ?? (() => undefined),
    tierOf: (source) => tiers.get(source) ?? (source.startsWith('peer:') ? 'mesh' : 'cdn'),
  }
}

/** Mixed content: an https page's worker reaches https only. */
function isForWorker(url: string, isSecurePage: boolean): boolean {
  return !isSecurePage || url.startsWith('https:')
}
