import { createSeededRandom } from '../test/fakes/seeded-random.ts'
import { simulate, type ScenarioName, type SimulationResult } from '../test/swarm/simulate.ts'
import { round2 } from './contest.ts'
import { readOption, type BenchOutput } from './output.ts'

const SCENARIOS: readonly ScenarioName[] = ['flash', 'churn', 'free-riders', 'polluters', 'two-lans']
const PEERS = [100, 1000]
const PEERS_ELSEWHERE = 100
const PIECES = 256

interface Row {
  readonly scenario: ScenarioName
  readonly peers: number
}

/**
 * Swarms of the product's scheduler under a virtual clock and network, against the fluid lower bound.
 * @param args `--peers N`, `--only SCENARIO`, `--seed N` (1)
 */
export async function benchSwarm(args: readonly string[]): Promise<BenchOutput> {
  const rows = chooseRows(args)
  if (rows.length === 0) throw new Error(`No such scenario. There are: ${SCENARIOS.join(', ')}`)
  const random = createSeededRandom(Number(readOption(args, '--seed') ?? 1))
  const done: (Row & SimulationResult)[] = []
  for (const row of rows) {
    const startedMs = performance.now()
    const result = await simulate({ ...row, pieces: PIECES, seed: Math.floor(random() * 2 ** 32) })
    done.push({ ...row, ...result })
    process.stderr.write(`${row.scenario}, ${row.peers} peers: simulated in ${round2((performance.now() - startedMs) / 1000)} s\n`)
  }
  return {
    lines: done.map(describe),
    result: {
      bench: 'swarm',
      rows: done.map(({ peers, scenario, toBound, completed, thinLinkCopies }) => ({
        peers,
        scenario,
        // No number of JSON says that it never ended.
        toBound: Number.isFinite(toBound) ? round2(toBound) : null,
        completed: round2(completed),
        thinLinkCopies: round2(thinLinkCopies),
      })),
    },
  }
}

function chooseRows(args: readonly string[]): readonly Row[] {
  const only = readOption(args, '--only')
  const peers = readOption(args, '--peers')
  return SCENARIOS.filter((scenario) => only === undefined || scenario === only).flatMap((scenario) => {
    const sizes = peers !== undefined ? [Number(peers)] : scenario === 'flash' ? PEERS : [PEERS_ELSEWHERE]
    return sizes.map((count) => ({ scenario, peers: count }))
  })
}

function describe({ scenario, peers, toBound, completed, thinLinkCopies, boundS, medianS, lastS }: Row & SimulationResult): string {
  const thin = scenario === 'two-lans' ? `, ${round2(thinLinkCopies)} copies over the thin line` : ''
  return (
    `${scenario.padEnd(12)} ${String(peers).padStart(6)} peers: bound ${round2(boundS)} s, median ${round2(medianS)} s, ` +
    `last ${round2(lastS)} s, ${round2(toBound)} x the bound, ${round2(completed * 100)} % have all${thin}`
  )
}
