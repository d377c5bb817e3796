import type { Artifact } from '../model/artifact.ts'
import type { SourceId } from '../model/ids.ts'
import type { Tier } from '../ports.ts'

/**
 * How sources share an artifact. `hedged`: one after the other, the next as soon as one is in trouble. `parallel`: all of the first tier from
 * the start, each after a piece that proves it. `race`: every HTTP source from the start, for the same pieces.
 */
export type Mode = 'hedged' | 'parallel' | 'race'

/** Below, a second source would cost more in requests than it brings in time. */
const PARALLEL_FROM_BYTES = 8 * 1024 * 1024
/** Above, the same bytes from several sources are no small price any more. */
const RACE_UP_TO_BYTES = 1024 * 1024
/** Sources that start together, at most. */
export const MOST_AT_ONCE = 4

export function modeFor({ sizeBytes, priority }: Pick<Artifact, 'sizeBytes' | 'priority'>): Mode {
  if (priority === 'critical' && sizeBytes <= RACE_UP_TO_BYTES) return 'race'
  return sizeBytes >= PARALLEL_FROM_BYTES ? 'parallel' : 'hedged'
}

/** Peers are let in together, an HTTP source by itself. Sources come and go, so places in a list would not do. */
export type Admitted = SourceId | 'mesh'

/** One source, as the question who may work sees it. */
export interface Candidate {
  readonly id: SourceId
  readonly tier: Tier
  /** It has not left, was not banned, and has not said that it lacks this artifact. */
  readonly isUsable: boolean
  /** Usable, and neither resting nor suspect. */
  readonly isReady: boolean
  /** It was in trouble in this delivery, so that others were let in. */
  readonly isLeftBehind: boolean
}

export function admissionOf({ id, tier }: Pick<Candidate, 'id' | 'tier'>): Admitted {
  return tier === 'mesh' ? 'mesh' : id
}

/** Who starts, or starts when none of those let in is of use any more. @param candidates in order of preference */
export function firstWave(candidates: readonly Candidate[], mode: Mode): readonly Admitted[] {
  const pool = readyElseUsable(candidates)
  const [first] = pool
  if (first === undefined) return []
  const together = pool.filter(({ tier }) => (mode === 'race' && first.tier !== 'mesh' ? tier !== 'mesh' : tier === first.tier))
  return (mode === 'hedged' ? [first] : together.slice(0, MOST_AT_ONCE)).map(admissionOf)
}

/** Who joins when `from` is in trouble: nobody, while another that was let in is well. */
export function nextWave(candidates: readonly Candidate[], admitted: ReadonlySet<Admitted>, from: SourceId): readonly Admitted[] {
  const isWell = (one: Candidate): boolean => one.id !== from && one.isReady && !one.isLeftBehind && admitted.has(admissionOf(one))
  if (candidates.some(isWell)) return []
  return readyElseUsable(candidates.filter((one) => !admitted.has(admissionOf(one))))
    .slice(0, 1)
    .map(admissionOf)
}

function readyElseUsable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter(({ isReady }) => isReady)
  return ready.length > 0 ? ready : candidates.filter(({ isUsable }) => isUsable)
}
