import type { BenchReport } from './contest.ts'
import { benchHash } from './hash.ts'
import type { BenchTools } from './tools.ts'
import { benchTrust } from './trust.ts'

const BENCHES: Readonly<Record<string, (tools: BenchTools, args: readonly string[]) => Promise<BenchReport>>> = {
  hash: benchHash,
  trust: benchTrust,
}

const USAGE = `Usage: npm run bench -- NAME [--json]

Measures contestants in one run and prints their ratio to the first. Asserts nothing.

  ${Object.keys(BENCHES).join('\n  ')}
`

/** Runs one bench by name. @returns the exit status: 2 when there is no such bench */
export async function runBench(args: readonly string[], tools: BenchTools): Promise<number> {
  const [name = ''] = args
  const bench = BENCHES[name]
  if (bench === undefined || args.includes('--help')) {
    process.stdout.write(USAGE)
    return args.includes('--help') ? 0 : 2
  }
  const report = await bench(tools, args)
  for (const row of report.rows)
    process.stdout.write(`${row.contestant.padEnd(40)} ${row.value} ${row.unit}${row.ratio === null ? '' : `  (${row.ratio} x)`}\n`)
  for (const remark of report.remarks ?? []) process.stdout.write(`${remark}\n`)
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(report)}\n`)
  return 0
}
