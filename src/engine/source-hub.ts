import type { Origin } from '../core/manifest/catalogue.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import { toSourceId, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { CatalogueSource, Clock, Source, SourceSet, Tier, WindowNeeds, WindowSources } from '../core/ports.ts'
import { createHttpSource, type HttpSource } from '../sources/http/http-source.ts'

/** All sources of an engine: its own HTTP ones, and those that live in a window. */
export interface SourceHub {
  /** The sources for one task. Its wishes count until it is closed. @param artifact what is fetched, where peers may have it */
  openTask(artifact: Sha256 | undefined): SourceTask
  /** Origins that a verified catalogue names beside the site's own. */
  addOrigins(origins: readonly Origin[]): void
  /** This source sent wrong bytes. Own ones are not asked again anyway; one of the window shall not be met again. */
  ban(source: SourceId): void
  /** The tier of a source, also of one that is gone: audit records name them long after. */
  tierOf(source: SourceId): Tier
}

/** All sources, on behalf of one task. */
export interface SourceTask extends SourceSet {
  close(): void
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
  const tasks = new Set<OpenTask>()
  const tellNeeds = (): void => window?.setNeeds(needsOf(tasks))
  const onChange = (listener: () => void): (() => void) => {
    listeners.add(listener)
    const stop = window?.onChange(listener)
    return () => {
      listeners.delete(listener)
      stop?.()
    }
  }
  return {
    openTask(artifact) {
      const task: OpenTask = { artifact, arePeersWanted: false }
      tasks.add(task)
      if (artifact !== undefined) tellNeeds()
      return {
        current: () => [...own, ...(window?.current() ?? [])] satisfies Source[],
        catalogues: () => [...own, ...(window?.catalogues() ?? [])] satisfies CatalogueSource[],
        onChange,
        isGrowing: () => task.arePeersWanted && (window?.isGrowing() ?? false),
        want(tier) {
          if (tier !== 'mesh' || task.arePeersWanted) return
          task.arePeersWanted = true
          tellNeeds()
        },
        close() {
          if (tasks.delete(task)) tellNeeds()
        },
      }
    },
    ban: (source) => {
      if (!tiers.has(source)) window?.ban(source)
    },
    addOrigins(origins) {
      const before = own.length
      for (const origin of origins) if (isForWorker(origin.url, options.isSecurePage)) add(origin)
      if (own.length > before) for (const listener of listeners) listener()
    },
    tierOf: (source) => tiers.get(source) ?? (source.startsWith('peer:') ? 'mesh' : 'cdn'),
  }
}

interface OpenTask {
  readonly artifact: Sha256 | undefined
  arePeersWanted: boolean
}

/** Wishes are counted by task: one that ends takes nothing from another that wants the same. */
function needsOf(tasks: ReadonlySet<OpenTask>): WindowNeeds {
  const artifacts = new Set([...tasks].flatMap((task) => (task.artifact === undefined ? [] : [task.artifact])))
  return { arePeersWanted: [...tasks].some((task) => task.arePeersWanted), artifacts: [...artifacts] }
}

/** Mixed content: an https page's worker reaches https only. */
function isForWorker(url: string, isSecurePage: boolean): boolean {
  return !isSecurePage || url.startsWith('https:')
}
