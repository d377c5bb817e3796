export interface Candidate {
  readonly role: 'leech' | 'seed'
  /** Peers that it knows already. */
  readonly known: { readonly length: number }
}

export interface Choice<T> {
  /** Most to choose. */
  readonly limit: number
  /** Places of those that LAN peers leave to seeds elsewhere, where there are any. */
  readonly forSeeds: number
  /** In the newcomer's LAN. */
  readonly isNear: (candidate: T) => boolean
  /** 0 to below 1. */
  readonly random: () => number
}

/** Of those who are told of. Anybody may say that it is a seed: were they all that a newcomer meets, a few liars could be all that it meets. */
const SHARE_OF_SEEDS = 0.5

/**
 * Who knows few is likelier to be chosen: twice as many make it an eighth as likely. By chance alone some know a third of what others do, and those
 * fetch an artifact more slowly than all others, whom they keep waiting at the end.
 */
function handicapOf({ known }: Candidate): number {
  const count = Math.max(1, known.length)
  // A power would take several times as long.
  return count * count * count
}

/** Whom a newcomer is told of: peers of its LAN first; among those, and among the others, seeds for half of the places, then anybody by chance, whoever knows few sooner. */
export function choosePeers<T extends Candidate>(candidates: readonly T[], { limit, forSeeds, isNear, random }: Choice<T>): readonly T[] {
  if (candidates.length === 0 || limit <= 0) return []
  // Everybody comes at once when a CDN dies: each is looked at once, and no more are kept in order than may be chosen.
  const near = new Group<T>(limit)
  const far = new Group<T>(limit)
  for (const candidate of candidates) {
    const group = isNear(candidate) ? near : far
    const ranking = candidate.role === 'seed' ? group.seeds : group.others
    ranking.offer(candidate, random() * handicapOf(candidate))
  }
  const nearby = near.ordered()
  const first = nearby.slice(0, Math.max(0, limit - Math.min(forSeeds, far.seeds.items.length)))
  return [...first, ...far.ordered(), ...nearby.slice(first.length)].slice(0, limit)
}

class Group<T extends Candidate> {
  readonly seeds: Ranking<T>
  readonly others: Ranking<T>

  constructor(limit: number) {
    this.seeds = new Ranking(limit)
    this.others = new Ranking(limit)
  }

  ordered(): readonly T[] {
    const { seeds, others } = this
    const most = Math.ceil(seeds.limit * SHARE_OF_SEEDS)
    // Those beyond their half are as good as anybody.
    for (const [at, seed] of seeds.items.slice(most).entries()) others.offer(seed, seeds.draws[most + at] ?? 0)
    return [...seeds.items.slice(0, most), ...others.items]
  }
}

/** The lowest draws, lowest first. Two lists, and no object for each entry: this runs for dozens whenever somebody joins. */
class Ranking<T> {
  readonly limit: number
  readonly items: T[] = []
  readonly draws: number[] = []

  constructor(limit: number) {
    this.limit = limit
  }

  offer(item: T, draw: number): void {
    const { items, draws, limit } = this
    let at = Math.min(items.length, limit - 1)
    if (at < items.length && (draws[at] ?? 0) <= draw) return
    for (; at > 0; at--) {
      const before = items[at - 1]
      const drawBefore = draws[at - 1]
      if (before === undefined || drawBefore === undefined || drawBefore <= draw) break
      items[at] = before
      draws[at] = drawBefore
    }
    items[at] = item
    draws[at] = draw
  }
}
