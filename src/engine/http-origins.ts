import type { Origin } from '../core/manifest/catalogue.ts'
import type { SiteConfig } from '../core/manifest/site-config.ts'
import { toSourceId, type SourceId } from '../core/model/ids.ts'
import type { Clock, Tier } from '../core/ports.ts'
import { createHttpSource, type HttpSource } from '../sources/http/http-source.ts'

/** The HTTP sources that this engine asks itself: those that the site names, and those of its newest catalogue. */
export interface HttpOrigins {
  current(): readonly HttpSource[]
  /** Takes the place of what an earlier catalogue listed. No catalogue takes the place of what the site names. @returns whether anything changed */
  setListed(origins: readonly Origin[]): boolean
  /** Undefined for what was never named here. Known also of origins that are gone. */
  tierOf(id: SourceId): Tier | undefined
}

export interface HttpOriginsOptions {
  readonly clock: Clock
  /** Where requests run from. A worker on an https page may not reach an http gateway, so the window serves that one. */
  readonly isSecurePage: boolean
}

export function createHttpOrigins(config: SiteConfig, { clock, isSecurePage }: HttpOriginsOptions): HttpOrigins {
  const tiers = new Map<SourceId, Tier>()
  const named = [...config.origins.map(({ id, url }): Place => ({ id, tier: 'cdn', url })), ...config.gateways.map(toGateway)]
  const namedIds = new Set(named.map(({ id }) => id))
  const isForWorker = ({ url }: Place): boolean => !isSecurePage || url.startsWith('https:')
  const open = (place: Place): OpenPlace => {
    const id = toSourceId(place.id)
    tiers.set(id, place.tier)
    return { place, source: createHttpSource({ id, tier: place.tier, baseUrl: place.url, clock, fetch: (url, init) => fetch(url, init) }) }
  }
  for (const { id, tier } of named) tiers.set(toSourceId(id), tier)
  const own = named.filter(isForWorker).filter(isFirstOfItsId).map(open)
  let listed: readonly OpenPlace[] = []
  return {
    current: () => [...own, ...listed].map(({ source }) => source),
    setListed(origins) {
      const before = listed
      const usable = origins.filter((origin) => !namedIds.has(origin.id) && isForWorker(origin)).filter(isFirstOfItsId)
      listed = usable.map((place) => before.find((known) => isSamePlace(known.place, place)) ?? open(place))
      return listed.length !== before.length || listed.some((one, i) => one !== before[i])
    },
    tierOf: (id) => tiers.get(id),
  }
}

interface Place {
  readonly id: string
  readonly tier: 'cdn' | 'gateway'
  readonly url: string
}

interface OpenPlace {
  readonly place: Place
  readonly source: HttpSource
}

function toGateway({ id, url }: { readonly id: string; readonly url: string }): Place {
  return { id, tier: 'gateway', url }
}

function isFirstOfItsId(place: Place, at: number, all: readonly Place[]): boolean {
  return all.findIndex(({ id }) => id === place.id) === at
}

/** Then the source stays the same object, and whoever reads from it goes on. */
function isSamePlace(a: Place, b: Place): boolean {
  return a.id === b.id && a.tier === b.tier && a.url === b.url
}
