import type { BenchOutput } from './output.ts'

/** One contestant's run in one bench: what it did and how long it took. */
export interface BenchRow {
  readonly contestant: string
  /** Median over the rounds. */
  readonly value: number
  readonly unit: string
  /** Against the first contestant of the same run; above 1 is better than it. Null where the value is none. */
  readonly ratio: number | null
}

export interface BenchReport {
  readonly bench: string
  readonly rows: readonly BenchRow[]
  /** What a reader has to know before comparing: who could not take part, and why. */
  readonly remarks?: readonly string[]
}

/** Does the work once and says how much per second. */
export type Contestant = readonly [name: string, run: () => Promise<number>]

/** Runs all contestants in turn, round after round, so that a busy machine is busy for all of them; compares medians. */
export async function contest(
  bench: string,
  options: { readonly unit: string; readonly rounds: number },
  contestants: readonly Contestant[],
): Promise<BenchReport> {
  const figures = new Map<string, number[]>(contestants.map(([name]) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, run] of contestants) figures.get(name)?.push(await run())
  }
  const medians = contestants.map(([name]) => [name, medianOf(figures.get(name) ?? [])] as const)
  const reference = medians[0]?.[1] ?? 1
  return {
    bench,
    rows: medians.map(([contestant, value]) => ({
      contestant,
      value: round2(value),
      unit: options.unit,
      ratio: round2(value / reference),
    })),
  }
}

export function printContest(report: BenchReport): BenchOutput {
  const rows = report.rows.map(
    ({ contestant, value, unit, ratio }) => `${contestant.padEnd(40)} ${value} ${unit}${ratio === null ? '' : `  (${ratio} x)`}`,
  )
  return { lines: [...rows, ...(report.remarks ?? [])], result: report }
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

export function round2(value: number): number {
  return Math.round(value * 100) / 100
}
