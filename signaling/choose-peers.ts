export interface Candidate {
  readonly role: 'leech' | 'seed'
  readonly lan: boolean
}

export interface Choice {
  /** Most to choose. */
  readonly limit: number
  /** Places of those that LAN peers leave to seeds elsewhere, where there are any. */
  readonly forSeeds: number
  /** 0 to below 1. */
  readonly random: () => number
}

/** Whom a newcomer is told of: peers of its LAN first, then seeds, then anybody; by chance among equals. */
export function choosePeers<T extends Candidate>(candidates: readonly T[], choice: Choice): readonly T[] {
  const drawn = candidates.map((candidate) => ({ candidate, rank: rankOf(candidate), draw: choice.random() }))
  const ordered = drawn.toSorted((a, b) => a.rank - b.rank || a.draw - b.draw).map(({ candidate }) => candidate)
  const near = ordered.filter(({ lan }) => lan)
  const farSeeds = ordered.filter(({ lan, role }) => !lan && role === 'seed')
  const kept = Math.min(choice.forSeeds, farSeeds.length)
  const first = near.slice(0, Math.max(0, choice.limit - kept))
  return [...first, ...ordered.filter((candidate) => !first.includes(candidate) && !candidate.lan), ...near.slice(first.length)].slice(
    0,
    choice.limit,
  )
}

function rankOf({ role, lan }: Candidate): number {
  return (lan ? 0 : 2) + (role === 'seed' ? 0 : 1)
}
