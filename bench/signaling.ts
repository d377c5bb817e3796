import { loadavg } from 'node:os'
import { withinLimit, type LoadPlan } from '../test/load/plan.ts'
import { round2 } from './contest.ts'
import { startChild } from './delivery/child.ts'
import { installApart } from './install-apart.ts'
import { readOption, type BenchOutput } from './output.ts'
import { reportSignaling } from './signaling/report.ts'
import { measureWork, type Costs } from './signaling/work.ts'

const TRACKER_VERSION = '11.2.3'
const ORIGIN = 'https://portal.example'
const DEFAULT_SOCKETS = 10_000
const DEFAULT_ROUNDS = 3
const DEFAULT_ROOM = 50
const SDP_BYTES = 1500

interface Contestant {
  readonly name: string
  readonly dialect: LoadPlan['dialect']
  readonly script: URL
  readonly argument: unknown
}

/**
 * One server process with many sockets: ours, and bittorrent-tracker's WebSocket server on the same work.
 * @param args `--sockets N` (10000), `--n ROUNDS` (3), `--room N` (50), `--who sealift,bittorrent-tracker`
 */
export async function benchSignaling(args: readonly string[]): Promise<BenchOutput> {
  const { sockets, remark } = withinLimit(Number(readOption(args, '--sockets') ?? DEFAULT_SOCKETS))
  const rounds = Number(readOption(args, '--n') ?? DEFAULT_ROUNDS)
  const roomSize = Number(readOption(args, '--room') ?? DEFAULT_ROOM)
  const who = readOption(args, '--who')?.split(',') ?? ['sealift', 'bittorrent-tracker']
  const remarks = remark === undefined ? [] : [remark]
  const contestants = [ours(), await rival().catch((error: unknown) => void remarks.push(String(error)))].filter(
    (one) => one !== undefined && who.includes(one.name),
  )
  const costs = new Map<string, readonly Costs[]>(contestants.map((one) => [one?.name ?? '', []]))
  for (let round = 0; round < rounds; round++) {
    for (const at of contestants.keys()) {
      const contestant = contestants[(at + round) % contestants.length]
      if (contestant === undefined) continue
      const once = await runRound(contestant, sockets, roomSize)
      costs.set(contestant.name, [...(costs.get(contestant.name) ?? []), once])
      const { kibPerSocket, joinCpuMs, relaysPerCpuS } = once
      process.stderr.write(
        `${contestant.name}: ${round2(kibPerSocket)} KiB per socket, ${round2(joinCpuMs)} ms per join, ${Math.round(relaysPerCpuS)} relays per CPU s\n`,
      )
    }
    process.stderr.write(`round ${round + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}\n`)
  }
  return reportSignaling(costs, remarks)
}

async function runRound({ dialect, script, argument }: Contestant, sockets: number, roomSize: number): Promise<Costs> {
  const server = await startChild(script)
  try {
    const url = await server.call<string>('start', argument)
    return await measureWork(server, { url, dialect, origin: ORIGIN, roomSize, sdpBytes: SDP_BYTES, key: undefined }, sockets)
  } finally {
    await server.close()
  }
}

function ours(): Contestant {
  return {
    name: 'sealift',
    dialect: 'sealift',
    script: new URL('./signaling/sealift-process.js', import.meta.url),
    // A tracker lets in whoever comes.
    argument: { admission: { kind: 'open' }, origins: [ORIGIN] },
  }
}

async function rival(): Promise<Contestant> {
  return {
    name: 'bittorrent-tracker',
    dialect: 'tracker',
    script: new URL('./signaling/tracker-process.js', import.meta.url),
    argument: await installApart('bittorrent-tracker', TRACKER_VERSION),
  }
}
