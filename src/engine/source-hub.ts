import type { Origin } from '../core/manifest/catalogue.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import { isPeerSourceId, type Sha256, type SourceId } from '../core/model/ids.ts'
import type { CatalogueSource, Source, SourceSet, Tier, WindowNeeds, WindowSources } from '../core/ports.ts'
import { createHttpOrigins, type HttpOriginsOptions } from './http-origins.ts'

/** All sources of an engine: its own HTTP ones, and those that live in a window. */
export interface SourceHub {
  /** The sources for one task. Its wishes count until it is closed. @param artifact what is fetched, where peers may have it */
  openTask(artifact: Sha256 | undefined): SourceTask
  /** Origins that the newest verified catalogue names beside the site's own. Those that it leaves out are not asked any more. */
  setOrigins(origins: readonly Origin[]): void
  /** This source sent wrong bytes. Own ones are not asked again anyway; one of the window shall not be met again. */
  ban(source: SourceId): void
  /** The tier of a source, also of one that is gone: audit records name them long after. */
  tierOf(source: SourceId): Tier
}

/** All sources, on behalf of one task. */
export interface SourceTask extends SourceSet {
  close(): void
}

export interface HubOptions extends HttpOriginsOptions {
  /** Sources behind the bridge; undefined where there is no window, as in a service worker that works alone. */
  readonly windowSources: WindowSources | undefined
}

export function createSourceHub(config: SiteConfig, options: HubOptions): SourceHub {
  const http = createHttpOrigins(config, options)
  const listeners = new Set<() => void>()
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
        current: () => [...http.current(), ...(window?.current() ?? [])] satisfies Source[],
        catalogues: () => [...http.current(), ...(window?.catalogues() ?? [])] satisfies CatalogueSource[],
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
      if (http.tierOf(source) === undefined) window?.ban(source)
    },
    setOrigins(origins) {
      if (http.setListed(origins)) for (const listener of listeners) listener()
    },
    tierOf: (source) => http.tierOf(source) ?? (isPeerSourceId(source) ? 'mesh' : 'cdn'),
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
