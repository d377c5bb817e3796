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
  const [near, far] = [new Group<T>(limit), new Group<T>(limit)]
  for (const candidate of candidates) {
    const draw = random() * handicapOf(candidate)
    const group = isNear(candidate) ? near : far
    group.offer(candidate, draw)
  }
  const nearby = near.ordered()
  const first = nearby.slice(0, Math.max(0, limit - Math.min(forSeeds, far.seeds.length)))
  return [...first, ...far.ordered(), ...nearby.slice(first.length)].slice(0, limit)
}

interface Drawn<T> {
  readonly candidate: T
  readonly draw: number
}

/** Seeds and others with the lowest draws, lowest first. */
class Group<T extends Candidate> {
  readonly #limit: number
  readonly seeds: Drawn<T>[] = []
  readonly #others: Drawn<T>[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  offer(candidate: T, draw: number): void {
    const list = candidate.role === 'seed' ? this.seeds : this.#others
    let at = list.length
    if (at === this.#limit && (list[at - 1]?.draw ?? 0) <= draw) return
    // By index, and no function called: this runs for each of dozens of candidates, whenever somebody joins.
    for (let before = list[at - 1]; before !== undefined && before.draw > draw; before = list[at - 1]) {
      if (at < this.#limit) list[at] = before
      at--
    }
    list[at] = { candidate, draw }
  }

  ordered(): readonly T[] {
    const most = Math.ceil(this.#limit * SHARE_OF_SEEDS)
    const rest = this.seeds.length > most ? [...this.seeds.slice(most), ...this.#others].toSorted((a, b) => a.draw - b.draw) : this.#others
    return [...this.seeds.slice(0, most), ...rest].map(({ candidate }) => candidate)
  }
}
