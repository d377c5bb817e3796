import { loadavg } from 'node:os'
import { round2 } from './contest.ts'
import { publishContents, type Publication } from './delivery/publication.ts'
import type { Contestant } from './mesh/contestant.ts'
import { openRaw } from './mesh/raw.ts'
import { reportMesh, type Measured } from './mesh/report.ts'
import { openSealift } from './mesh/sealift.ts'
import { SETUP_NAMES, setupOf, type Setup } from './mesh/setups.ts'
import { openStage } from './mesh/stage.ts'
import { openWebTorrent } from './mesh/webtorrent.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { BenchTools } from './tools.ts'

const MIB = 1024 * 1024
const DEFAULT_MIB = 128
const DEFAULT_ROUNDS = 5
/** Some need minutes over a lossy line: what has come by then says enough. */
const LIMIT_MS = 30_000

/**
 * The same bytes between the same browsers: over bare data channels, with WebTorrent, and with Sealift as a page has it.
 * @param args `--n ROUNDS` (5), `--mib SIZE` (128), `--only SETUP,…`, `--who raw,webtorrent,sealift`, `--limit SECONDS` (30)
 */
export async function benchMesh(tools: BenchTools, args: readonly string[]): Promise<BenchOutput> {
  const only = readOption(args, '--only')?.split(',')
  const names = SETUP_NAMES.filter((name) => only === undefined || only.includes(name))
  if (names.length === 0) throw new Error(`No such set-up. There are: ${SETUP_NAMES.join(', ')}`)
  const mib = Number(readOption(args, '--mib') ?? DEFAULT_MIB)
  const publication = await publishContents([{ name: 'image', seed: 1, sizeBytes: mib * MIB, pieceLengthBytes: MIB, mesh: true }])
  const match: Match = {
    tools,
    publication,
    mib,
    rounds: Number(readOption(args, '--n') ?? DEFAULT_ROUNDS),
    limitMs: Number(readOption(args, '--limit') ?? LIMIT_MS / 1000) * 1000,
    who: readOption(args, '--who')?.split(',') ?? ['raw', 'webtorrent', 'sealift'],
  }
  const rows: Measured[] = []
  for (const name of names) rows.push(await runSetup(match, setupOf(name)))
  return reportMesh(rows, mib)
}

interface Match {
  readonly tools: BenchTools
  readonly publication: Publication
  readonly mib: number
  readonly rounds: number
  readonly limitMs: number
  readonly who: readonly string[]
}

async function runSetup(match: Match, setup: Setup): Promise<Measured> {
  const { tools, rounds, limitMs } = match
  if (tools.browser === undefined) throw new Error('There is no Chromium on this machine. npm run browser gets one.')
  const stage = await openStage(setup, tools.browser)
  const measured: Measured = { setup, transfers: new Map(), remarks: [] }
  try {
    const contestants: Contestant[] = []
    if (match.who.includes('raw')) contestants.push(...(await openRaw(stage, tools, match.mib * MIB)))
    if (match.who.includes('webtorrent')) {
      // Without it the others are measured all the same.
      const rival = await openWebTorrent(stage, match.mib * MIB).catch((error: unknown) => void measured.remarks.push(String(error)))
      if (rival !== undefined) contestants.push(rival)
    }
    if (match.who.includes('sealift')) contestants.push(await openSealift(stage, match.publication))
    for (let round = 0; round < rounds; round++) {
      for (const at of contestants.keys()) {
        const contestant = contestants[(at + round) % contestants.length]
        if (contestant === undefined) continue
        const transfer = await contestant.run(limitMs)
        measured.transfers.set(contestant.name, [...(measured.transfers.get(contestant.name) ?? []), transfer])
        const mbps = round2(transfer.bytes / 1000 / transfer.tookMs)
        process.stderr.write(`${setup.name} ${contestant.name}: ${mbps} MB/s, ${round2(transfer.cpuSeconds)} CPU s\n`)
      }
      process.stderr.write(`${setup.name}, round ${round + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}\n`)
    }
    for (const contestant of contestants) await contestant.close()
  } finally {
    await stage.close()
  }
  return measured
}
