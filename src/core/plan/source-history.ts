import { toSourceId, type SourceId } from '../model/ids.ts'
import { createSourceHealth, SUSPECT_MS, type SourceHealth } from './source-health.ts'

/** What is kept of one source between visits. Times are Unix milliseconds, but for those of first bytes. */
type Row = readonly [id: string, learntAtMs: number, bytesPerSecond: number, firstBytesMs: readonly number[], suspectUntilMs: number]

/** Plain data, as the index keeps it: the sources of which something was learnt last come first. */
export type SourceHistory = readonly Row[]

/** A day later a network may be another one. */
const MAX_AGE_MS = 86_400_000
const MOST_SOURCES = 64
const ANSWERS_KEPT = 4

/** Both clocks at one moment: what is kept must mean something after a restart. */
export interface Moment {
  readonly nowMs: number
  readonly monotonicMs: number
}

export function toHistory(known: Iterable<readonly [SourceId, SourceHealth]>, { nowMs, monotonicMs }: Moment): SourceHistory {
  const toUnix = (atMs: number): number => nowMs + atMs - monotonicMs
  return [...known]
    .flatMap(([id, { learntAtMs, ...health }]): Row[] => {
      if (learntAtMs === undefined) return []
      const suspectUntilMs = health.suspectUntilMs > monotonicMs ? toUnix(health.suspectUntilMs) : 0
      return [[id, toUnix(learntAtMs), health.bytesPerSecond, health.firstBytesMs.slice(-ANSWERS_KEPT), suspectUntilMs]]
    })
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MOST_SOURCES)
}

/** Reads what an earlier visit kept. Anything else, and what is older than a day, counts as nothing: it only ever saves time. */
export function fromHistory(kept: unknown, { nowMs, monotonicMs }: Moment): ReadonlyMap<SourceId, SourceHealth> {
  const known = new Map<SourceId, SourceHealth>()
  const toMonotonic = (atMs: number): number => monotonicMs + atMs - nowMs
  for (const row of Array.isArray(kept) ? kept.slice(0, MOST_SOURCES) : []) {
    if (!isRow(row)) continue
    const [name, learntAtMs, bytesPerSecond, firstBytesMs, suspectUntilMs] = row
    if (learntAtMs > nowMs || nowMs - learntAtMs > MAX_AGE_MS) continue
    known.set(toSourceId(name), {
      ...createSourceHealth(),
      learntAtMs: toMonotonic(learntAtMs),
      bytesPerSecond,
      firstBytesMs,
      suspectUntilMs: toMonotonic(Math.min(suspectUntilMs, nowMs + SUSPECT_MS)),
    })
  }
  return known
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row)) return false
  const [id, learntAtMs, rate, answers, until] = row
  const isNamed = typeof id === 'string' && id.length > 0 && id.length <= 200
  return isNamed && [learntAtMs, rate, until].every(isAmount) && Array.isArray(answers) && answers.every(isAmount)
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
