import type { DeliveryPreset } from '../manifest/site-config.ts'
import type { Source, Tier } from '../ports.ts'

/** Which sources, in what order. */
export interface DeliveryPolicy {
  /** Tiers that may be used, first choice first. Never empty. */
  readonly tiers: readonly [Tier, ...Tier[]]
}

const PRESETS: Readonly<Record<DeliveryPreset, DeliveryPolicy>> = {
  'cdn-first': { tiers: ['cdn', 'gateway', 'mesh'] },
  'lan-first': { tiers: ['gateway', 'mesh', 'cdn'] },
  'offline-lan': { tiers: ['gateway', 'mesh'] },
}

/**
 * The order in force: the site's own tiers, else the publisher's hint, else the preset.
 * A hint can reorder and leave out, never add: a site that is off the internet stays off it.
 */
export function deliveryPolicy(
  preset: DeliveryPreset,
  site: readonly Tier[] | undefined,
  hint: readonly Tier[] | undefined,
): DeliveryPolicy {
  const allowed = PRESETS[preset].tiers
  const [first, ...rest] = (site ?? hint ?? allowed).filter(
    (tier, at, all) => (site !== undefined || allowed.includes(tier)) && all.indexOf(tier) === at,
  )
  return first === undefined ? PRESETS[preset] : { tiers: [first, ...rest] }
}

/** Requests that may run at once against one source of a tier (I14: at most 4 a host). A peer's pipe must not run dry between pieces. */
export const LANES: Readonly<Record<Exclude<Tier, 'mesh'>, number>> = { cdn: 2, gateway: 3 }

/** A source with its place in the order: sources of one HTTP tier queue up behind each other, peers stand side by side. */
export interface RankedSource {
  readonly source: Source
  readonly rank: number
}

/** Sources of allowed tiers, each with its rank, best first. */
export function rankSources(sources: readonly Source[], policy: DeliveryPolicy): readonly RankedSource[] {
  const ranked: RankedSource[] = []
  let rank = 0
  for (const tier of policy.tiers) {
    const members = sources.filter((source) => source.tier === tier)
    for (const [at, source] of members.entries()) ranked.push({ source, rank: tier === 'mesh' ? rank : rank + at })
    rank += tier === 'mesh' ? 1 : members.length
  }
  return ranked
}
