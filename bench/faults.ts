import { launchBrowser } from '../test/drills/browser.ts'
import { loadavg } from 'node:os'
import { ARIA2_FLAGS, hasAria2, runAria2, type Aria2Run } from './delivery/aria2.ts'
import { startFaultFarm, type FaultFarm } from './delivery/fault-farm.ts'
import { FAULT_ROWS, MAJORITY_ROWS, RATE, SIZES, idealS, type FaultRow, type Size } from './delivery/fault-rows.ts'
import { judgeRow, printRow, toResult, type Figures } from './delivery/fault-verdicts.ts'
import { openPortal, type ArtifactRun, type Portal } from './delivery/portal.ts'
import { publishContents, type Publication, type PublishedArtifact } from './delivery/publication.ts'
import { medianOf, round2 } from './contest.ts'
import type { BenchOutput } from './output.ts'
import { readOption } from './output.ts'
import type { BenchTools } from './tools.ts'

/** An aria2 that takes longer is stopped; its figure is then a floor. */
const ARIA2_LIMIT_S = 30
const DEADLINE_MS = 120_000

/**
 * aria2 with its defaults and as somebody would tune it, and Sealift in a browser, from the same sources, one of which fails. Contestants take
 * turns within each round.
 * @param args `--n ROUNDS` (9), `--only FAULT`, `--size small|large`, `--limit SECONDS` for aria2 (30), `--trace`: what the first round of ours did
 */
export async function benchFaults(tools: BenchTools, args: readonly string[]): Promise<BenchOutput> {
  const { browser: found } = tools
  if (found === undefined) throw new Error('There is no Chromium on this machine. npm run browser gets one.')
  if (!hasAria2()) throw new Error('There is no aria2c on this machine. apt-get install aria2 gets one.')
  const rows = chooseRows(args)
  if (rows.length === 0) throw new Error(`No such row. There are: ${[...FAULT_ROWS, ...MAJORITY_ROWS].map((row) => row.name).join('; ')}`)
  const rounds = Number(readOption(args, '--n') ?? 9)
  const publication = await publishContents(
    (['small', 'large'] as const).map((size, seed) => ({ name: `file-${size}`, seed: seed + 1, ...SIZES[size] })),
  )
  const farm = await startFaultFarm(publication, RATE)
  const launched = await launchBrowser(found)
  try {
    const portal = await openPortal({ browser: launched.browser, deadlineMs: DEADLINE_MS })
    const limitMs = Number(readOption(args, '--limit') ?? ARIA2_LIMIT_S) * 1000
    const match: Match = { farm, portal, publication, limitMs, isTraced: args.includes('--trace'), coldMs: [] }
    const all: Figures[] = rows.map(({ row, size }) => emptyFigures(row, size))
    // Round by round over all rows, so that a busy quarter of an hour touches one round of each and not one row as a whole.
    for (let round = 0; round < rounds; round++) {
      for (const figures of all) await runRound(match, figures, round)
      process.stderr.write(`round ${round + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}\n`)
    }
    await portal.close()
    return report(all, { coldMs: match.coldMs, limitMs })
  } finally {
    await launched.close()
    await farm.close()
  }
}

interface Match {
  readonly farm: FaultFarm
  readonly portal: Portal
  readonly publication: Publication
  readonly limitMs: number
  readonly isTraced: boolean
  readonly coldMs: number[]
}

interface ChosenRow {
  readonly row: FaultRow
  readonly size: Size
}

function chooseRows(args: readonly string[]): readonly ChosenRow[] {
  const only = readOption(args, '--only')
  const size = readOption(args, '--size')
  return [
    ...FAULT_ROWS.map((row) => ({ row, size: 'small' as const })),
    ...[...FAULT_ROWS, ...MAJORITY_ROWS].map((row) => ({ row, size: 'large' as const })),
  ].filter((chosen) => (only === undefined || chosen.row.name === only) && (size === undefined || chosen.size === size))
}

function emptyFigures(row: FaultRow, size: Size): Figures {
  return { row, size, idealS: idealS(row, size), aria2: [], tuned: [], ours: [], goodOnly: [] }
}

/** Everybody once. Who begins changes from round to round. */
async function runRound(match: Match, figures: Figures, round: number): Promise<void> {
  const { row, size } = figures
  const faults = row.faults(size)
  const turns: (() => Promise<void>)[] = [
    async () => void figures.aria2.push(await runRival(match, figures, ARIA2_FLAGS.default)),
    async () => void figures.tuned.push(await runRival(match, figures, ARIA2_FLAGS.tuned)),
    async () => {
      const run = await runOurs(match, { size, faults })
      figures.ours.push(run)
      if (match.isTraced && round === 0) printTrace(figures, run)
    },
  ]
  if (row.mostOfGoodOnly !== undefined) {
    const good = faults.filter((fault) => fault === 'none')
    turns.push(async () => void figures.goodOnly.push((await runOurs(match, { size, faults: good })).tookMs / 1000))
  }
  for (const at of turns.keys()) await turns[(at + round) % turns.length]?.()
}

function artifactOf({ publication }: Match, size: Size): PublishedArtifact {
  const artifact = publication.artifacts.find(({ name }) => name === `file-${size}`)
  if (artifact === undefined) throw new RangeError(`expected a published file, got none for ${size}`)
  return artifact
}

async function runRival(match: Match, { row, size }: Figures, flags: readonly string[]): Promise<Figures['aria2'][number]> {
  const { farm, limitMs } = match
  const faults = row.faults(size)
  const artifact = artifactOf(match, size)
  await farm.arm(faults)
  const run: Aria2Run = await runAria2({ artifact, urls: farm.urls(faults), limitMs }, flags)
  const sent = (await farm.counts(faults)).reduce((sum, one) => sum + one.sentBytes, 0)
  return { ...run, wastedBytes: Math.max(0, sent - artifact.sizeBytes) }
}

async function runOurs(
  match: Match,
  { size, faults }: { readonly size: Size; readonly faults: ReturnType<FaultRow['faults']> },
): Promise<Figures['ours'][number]> {
  const { farm, portal, publication } = match
  const artifact = artifactOf(match, size)
  await farm.calm()
  const visit = await portal.visit(publication.siteConfig(farm.urls(faults)))
  match.coldMs.push(visit.coldMs)
  await farm.arm(faults)
  const run: ArtifactRun = await visit.run(artifact.name)
  // Closing it ends whatever was still asked for.
  await visit.close()
  const counts = await farm.counts(faults)
  const requests = counts.flatMap((one, at) =>
    one.requests.map(({ atMs, path, range, sentBytes, isArtifact }) => {
      const what = isArtifact ? `${range?.start ?? 0}-${range?.end ?? artifact.sizeBytes}` : path.slice(0, 30)
      return { atMs, text: `source ${at}: ${what} sent ${sentBytes}` }
    }),
  )
  const sent = counts.reduce((sum, one) => sum + one.sentBytes, 0)
  if (run.sizeBytes !== artifact.sizeBytes) throw new Error(`expected ${artifact.sizeBytes} bytes, got ${run.sizeBytes}`)
  return {
    ...run,
    wastedBytes: Math.max(0, sent - artifact.sizeBytes),
    requests,
    artifactRequests: counts.reduce((sum, one) => sum + one.requests.filter((request) => request.isArtifact).length, 0),
  }
}

function printTrace({ row, size }: Figures, run: Figures['ours'][number]): void {
  const start = Math.min(...run.requests.map(({ atMs }) => atMs))
  process.stderr.write(`--- ${size}, ${row.name}: ${round2(run.tookMs)} ms\n`)
  for (const { atMs, what } of run.trace) process.stderr.write(`  page   ${String(atMs).padStart(6)} ms ${what}\n`)
  for (const { atMs, text } of run.requests.toSorted((a, b) => a.atMs - b.atMs))
    process.stderr.write(`  server ${String(atMs - start).padStart(6)} ms ${text}\n`)
}

function report(
  all: readonly Figures[],
  { coldMs, limitMs }: { readonly coldMs: readonly number[]; readonly limitMs: number },
): BenchOutput {
  const healthySmall = all.find(({ row, size }) => size === 'small' && row.name === 'none')
  const verdicts = all.flatMap((figures) => judgeRow(figures, { limitMs, healthySmall }))
  const failed = verdicts.filter((verdict) => !verdict.isHeld)
  return {
    lines: [
      ...all.flatMap((figures) => printRow(figures, { limitMs })),
      '',
      ...verdicts.map(({ isHeld, text }) => `${isHeld ? 'holds ' : 'MISSED'} ${text}`),
      '',
      `${verdicts.length - failed.length} of ${verdicts.length} limits hold.`,
      `Cold start of ours, not counted above: ${round2(medianOf(coldMs))} ms from opening the engine to the verified catalogue.`,
    ],
    result: {
      bench: 'faults',
      rows: all.map((figures) => toResult(figures, { limitMs })),
      coldStartMs: round2(medianOf(coldMs)),
      missed: failed.map(({ text }) => text),
    },
  }
}
