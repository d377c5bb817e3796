export interface Candidate {
  readonly role: 'leech' | 'seed'
  readonly lan: boolean
  /** Peers that it knows already. */
  readonly knows: number
}

export interface Choice {
  /** Most to choose. */
  readonly limit: number
  /** Places of those that LAN peers leave to seeds elsewhere, where there are any. */
  readonly forSeeds: number
  /** 0 to below 1. */
  readonly random: () => number
}

/** Of those who are told of. Anybody may say that it is a seed: were they all that a newcomer meets, a few liars could be all that it meets. */
const SHARE_OF_SEEDS = 0.5

/**
 * Who knows few is so much likelier to be chosen: twice as many make it an eighth as likely. By chance alone some know a third of what others do, and
 * those fetch an artifact more slowly than all others, whom they keep waiting at the end.
 */
const FAVOUR = 3

/** Whom a newcomer is told of: peers of its LAN first; among those, and among the others, seeds for half of the places, then anybody by chance, whoever knows few sooner. */
export function choosePeers<T extends Candidate>(candidates: readonly T[], { limit, forSeeds, random }: Choice): readonly T[] {
  if (candidates.length === 0 || limit <= 0) return []
  // Everybody comes at once when a CDN dies: each is looked at once, and no more are sorted than may be chosen.
  const groups = { nearSeeds: new Lowest<T>(limit), near: new Lowest<T>(limit), farSeeds: new Lowest<T>(limit), far: new Lowest<T>(limit) }
  for (const candidate of candidates) {
    const draw = random() * Math.max(1, candidate.knows) ** FAVOUR
    const isSeed = candidate.role === 'seed'
    const group = candidate.lan ? (isSeed ? groups.nearSeeds : groups.near) : isSeed ? groups.farSeeds : groups.far
    group.offer(candidate, draw)
  }
  const mostSeeds = Math.ceil(limit * SHARE_OF_SEEDS)
  const near = groups.nearSeeds.before(groups.near, mostSeeds)
  const far = groups.farSeeds.before(groups.far, mostSeeds)
  const first = near.slice(0, Math.max(0, limit - Math.min(forSeeds, groups.farSeeds.size)))
  return [...first, ...far, ...near.slice(first.length)].slice(0, limit)
}

/** Those with the lowest draws, lowest first. */
class Lowest<T> {
  readonly #limit: number
  readonly #items: T[] = []
  readonly #draws: number[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#items.length
  }

  offer(item: T, draw: number): void {
    let at = this.#draws.length
    while (at > 0 && (this.#draws[at - 1] ?? 0) > draw) at--
    if (at >= this.#limit) return
    this.#items.splice(at, 0, item)
    this.#draws.splice(at, 0, draw)
    if (this.#draws.length <= this.#limit) return
    this.#items.pop()
    this.#draws.pop()
  }

  /** The first `most` of these, then all others of both by their draws. */
  before(others: Lowest<T>, most: number): readonly T[] {
    const sorted = this.#items.slice(0, most)
    let [own, other] = [sorted.length, 0]
    while (sorted.length < this.size + others.size) {
      const isOwn = other >= others.size || (own < this.size && (this.#draws[own] ?? 0) <= (others.#draws[other] ?? 0))
      sorted.push(...(isOwn ? this.#items.slice(own, ++own) : others.#items.slice(other, ++other)))
    }
    return sorted
  }
}
