import { toSourceId, type SourceId } from '../model/ids.ts'
import { createSourceHealth, type SourceHealth } from './source-health.ts'

/** What is kept of one source between visits: `[id, bytes per second, newest first-byte times, out of favour until, Unix ms]`. */
type Row = readonly [id: string, bytesPerSecond: number, firstBytesMs: readonly number[], suspectUntilMs: number]

/** Plain data, as the index keeps it. */
export interface SourceHistory {
  /** Unix milliseconds. */
  readonly atMs: number
  readonly rows: readonly Row[]
}

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
  const rows = [...known].slice(0, MOST_SOURCES).map(([id, health]): Row => {
    const outFor = Math.max(0, health.suspectUntilMs - monotonicMs)
    return [id, health.bytesPerSecond, health.firstBytesMs.slice(-ANSWERS_KEPT), outFor === 0 ? 0 : nowMs + outFor]
  })
  return { atMs: nowMs, rows }
}

/** Reads what an earlier visit kept. Anything else, or older than a day, counts as nothing: it only ever saves time. */
export function fromHistory(kept: unknown, { nowMs, monotonicMs }: Moment): ReadonlyMap<SourceId, SourceHealth> {
  const known = new Map<SourceId, SourceHealth>()
  if (!isHistory(kept) || kept.atMs > nowMs || nowMs - kept.atMs > MAX_AGE_MS) return known
  for (const row of kept.rows.slice(0, MOST_SOURCES)) {
    if (!isRow(row)) continue
    const [name, bytesPerSecond, firstBytesMs, suspectUntilMs] = row
    const suspectForMs = Math.min(60_000, Math.max(0, suspectUntilMs - nowMs))
    known.set(toSourceId(name), {
      ...createSourceHealth(),
      bytesPerSecond,
      firstBytesMs,
      suspectUntilMs: suspectForMs === 0 ? 0 : monotonicMs + suspectForMs,
    })
  }
  return known
}

function isHistory(kept: unknown): kept is { readonly atMs: number; readonly rows: readonly unknown[] } {
  return typeof kept === 'object' && kept !== null && 'atMs' in kept && isAmount(kept.atMs) && 'rows' in kept && Array.isArray(kept.rows)
}

function isRow(row: unknown): row is Row {
  if (!Array.isArray(row)) return false
  const [id, rate, answers, until] = row
  return (
    typeof id === 'string' &&
    id.length > 0 &&
    id.length <= 200 &&
    isAmount(rate) &&
    isAmount(until) &&
    Array.isArray(answers) &&
    answers.every(isAmount)
  )
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
