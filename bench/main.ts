import type { BenchReport } from './contest.ts'
import { benchHash } from './hash.ts'

const BENCHES: Readonly<Record<string, () => Promise<BenchReport>>> = { hash: benchHash }

const USAGE = `Usage: npm run bench -- NAME [--json]

Measures contestants in one run and prints their ratio to the first. Asserts nothing.

  ${Object.keys(BENCHES).join('\n  ')}
`

/** Runs one bench by name. @returns the exit status: 2 when there is no such bench */
export async function runBench(args: readonly string[]): Promise<number> {
  const [name = ''] = args.filter((arg) => !arg.startsWith('--'))
  const bench = BENCHES[name]
  if (bench === undefined || args.includes('--help')) {
    process.stdout.write(USAGE)
    return args.includes('--help') ? 0 : 2
  }
  const report = await bench()
  for (const row of report.rows) process.stdout.write(`${row.contestant.padEnd(40)} ${row.value} ${row.unit}  (${row.ratio} x)\n`)
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(report)}\n`)
  return 0
}
