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
export function choosePeers<T extends Candidate>(candidates: readonly T[], choice: Choice): readonly T[] {
  const drawn = candidates
    .map((candidate) => ({ candidate, draw: choice.random() * Math.max(1, candidate.knows) ** FAVOUR }))
    .toSorted((a, b) => a.draw - b.draw)
    .map(({ candidate }) => candidate)
  const mostSeeds = Math.ceil(choice.limit * SHARE_OF_SEEDS)
  const near = someSeedsFirst(
    drawn.filter(({ lan }) => lan),
    mostSeeds,
  )
  const far = someSeedsFirst(
    drawn.filter(({ lan }) => !lan),
    mostSeeds,
  )
  const kept = Math.min(choice.forSeeds, far.filter(({ role }) => role === 'seed').length)
  const first = near.slice(0, Math.max(0, choice.limit - kept))
  return [...first, ...far, ...near.slice(first.length)].slice(0, choice.limit)
}

function someSeedsFirst<T extends Candidate>(drawn: readonly T[], most: number): readonly T[] {
  const seeds = drawn.filter(({ role }) => role === 'seed').slice(0, most)
  return [...seeds, ...drawn.filter((candidate) => !seeds.includes(candidate))]
}
