import { printContest } from './contest.ts'
import { benchFaults } from './faults.ts'
import { benchFirstVisits } from './first-visits.ts'
import { benchHash } from './hash.ts'
import { benchHttp } from './http.ts'
import { benchMemory } from './memory.ts'
import { benchMesh } from './mesh.ts'
import type { BenchOutput } from './output.ts'
import { benchSignaling } from './signaling.ts'
import { benchSignalingProcesses } from './signaling-processes.ts'
import { benchSignalingDrain } from './signaling-drain.ts'
import { benchSignalingSoak } from './signaling-soak.ts'
import { benchSwarm } from './swarm.ts'
import type { BenchTools } from './tools.ts'
import { benchTrust } from './trust.ts'

const BENCHES: Readonly<Record<string, (tools: BenchTools, args: readonly string[]) => Promise<BenchOutput>>> = {
  faults: benchFaults,
  'first-visits': benchFirstVisits,
  hash: async () => printContest(await benchHash()),
  http: benchHttp,
  memory: benchMemory,
  mesh: benchMesh,
  signaling: (_, args) => benchSignaling(args),
  'signaling-processes': (_, args) => benchSignalingProcesses(args),
  'signaling-drain': (_, args) => benchSignalingDrain(args),
  'signaling-soak': (_, args) => benchSignalingSoak(args),
  swarm: (_, args) => benchSwarm(args),
  trust: async (tools, args) => printContest(await benchTrust(tools, args)),
}

const USAGE = `Usage: npm run bench -- NAME [--json]

Measures contestants in one run and prints how they compare. What each prints, and its options: docs/benches.md.

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
  const { lines, result } = await bench(tools, args)
  for (const line of lines) process.stdout.write(`${line}\n`)
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(result)}\n`)
  return 0
}
