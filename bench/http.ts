import { loadavg } from 'node:os'
import { launchBrowser } from '../test/drills/browser.ts'
import { medianOf, round2 } from './contest.ts'
import { startContentFarm, type ContentFarm } from './delivery/content-farm.ts'
import { openPortal, type Portal } from './delivery/portal.ts'
import { publishContents, type Publication } from './delivery/publication.ts'
import { watchRenderers } from './delivery/renderer-memory.ts'
import { RIVALS_WORKER } from './delivery/rivals-worker.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { BenchTools } from './tools.ts'
import { built } from './trust/contestants.ts'
import type { Browser } from 'puppeteer-core'

const MIB = 1024 * 1024
/** As lines are sold: millions of bytes. */
const MB = 1_000_000
const SIZE_BYTES = 256 * MIB
const NAME = 'image'
const DEADLINE_MS = 180_000

type RivalKind = 'drained' | 'pieces' | 'pieces and whole'

/** One comparison: how the sources are shaped, and who else takes part. Times in ms, by contestant. */
interface Course {
  readonly name: string
  readonly rates: readonly (number | undefined)[]
  readonly rivals: readonly RivalKind[]
}

const COURSES = {
  at25: { name: '25 MB/s', rates: [25 * MB], rivals: ['drained'] },
  at50: { name: '50 MB/s', rates: [50 * MB], rivals: ['drained'] },
  unshaped: { name: 'unshaped', rates: [undefined], rivals: ['drained', 'pieces', 'pieces and whole'] },
  toSum: { name: 'two of 25 MB/s', rates: [25 * MB, 25 * MB], rivals: ['drained'] },
} as const satisfies Readonly<Record<string, Course>>

type CourseName = keyof typeof COURSES

/**
 * 256 MiB to a verified, stored file with its whole digest, beside what a page could do itself with the same sources: read them and keep nothing.
 * @param args `--n ROUNDS` (5), `--only at25|at50|unshaped|toSum`, `--size MIB` (256)
 */
export async function benchHttp(tools: BenchTools, args: readonly string[]): Promise<BenchOutput> {
  const { browser: found } = tools
  if (found === undefined) throw new Error('There is no Chromium on this machine. npm run browser gets one.')
  const rounds = Number(readOption(args, '--n') ?? 5)
  const only = readOption(args, '--only')
  const sizeBytes = Number(readOption(args, '--size') ?? SIZE_BYTES / MIB) * MIB
  const names = (Object.keys(COURSES) as CourseName[]).filter((name) => only === undefined || name === only)
  if (names.length === 0) throw new Error(`No such course. There are: ${Object.keys(COURSES).join(', ')}`)
  const publication = await publishContents([{ name: NAME, seed: 1, sizeBytes, pieceLengthBytes: MIB }])
  const farm = await startContentFarm(publication, 2)
  const launched = await launchBrowser(found)
  try {
    const portal = await openPortal({
      browser: launched.browser,
      files: { '/rivals.js': RIVALS_WORKER, '/wasm-hasher.js': await bundleWasm(tools) },
      deadlineMs: DEADLINE_MS,
    })
    const match: Match = { browser: launched.browser, portal, farm, publication, times: new Map(), peaksMiB: [] }
    for (let round = 0; round < rounds; round++) {
      for (const name of names) await runCourse(match, name, round)
      process.stderr.write(`round ${round + 1} of ${rounds}, load ${round2(loadavg()[0] ?? 0)}\n`)
    }
    await portal.close()
    return report(match, sizeBytes)
  } finally {
    await launched.close()
    await farm.close()
  }
}

async function bundleWasm(tools: BenchTools): Promise<string> {
  return await tools.bundle({ entry: built('../../src/engine/wasm-hasher.js'), name: 'wasmHasher' })
}

interface Match {
  readonly browser: Browser
  readonly portal: Portal
  readonly farm: ContentFarm
  readonly publication: Publication
  /** By course, then by contestant, in ms. */
  readonly times: Map<CourseName, Map<string, number[]>>
  readonly peaksMiB: number[]
}

async function runCourse(match: Match, name: CourseName, round: number): Promise<void> {
  const { farm } = match
  const { rates, rivals } = COURSES[name]
  const urls = farm.urls.slice(0, rates.length)
  await farm.shape(rates)
  const turns: (readonly [string, () => Promise<number>])[] = [
    ['Sealift', () => runOurs(match, urls)],
    ...rivals.map((kind): readonly [string, () => Promise<number>] => [kind, () => runRival(match, { kind, urls })]),
  ]
  for (const at of turns.keys()) {
    const turn = turns[(at + round) % turns.length]
    if (turn !== undefined) note(match, { course: name, contestant: turn[0] }, await turn[1]())
  }
}

function note({ times }: Match, of: { readonly course: CourseName; readonly contestant: string }, tookMs: number): void {
  const course = times.get(of.course) ?? new Map<string, number[]>()
  times.set(of.course, course.set(of.contestant, [...(course.get(of.contestant) ?? []), tookMs]))
}

async function runOurs({ browser, portal, publication, peaksMiB }: Match, urls: readonly string[]): Promise<number> {
  const visit = await portal.visit(publication.siteConfig(urls))
  const memory = await watchRenderers(browser)
  const run = await visit.run(NAME)
  const peakMiB = await memory.peakMiB()
  if (peakMiB !== undefined) peaksMiB.push(peakMiB)
  await visit.close()
  return run.tookMs
}

async function runRival(
  { portal, publication }: Match,
  job: { readonly kind: RivalKind; readonly urls: readonly string[] },
): Promise<number> {
  const [artifact] = publication.artifacts
  if (artifact === undefined) throw new RangeError('expected one artifact')
  const page = await portal.plainPage()
  const urls = job.urls.map((url) => `${url}by-hash/sha256/${artifact.sha256}`)
  const answer = await page.evaluate(
    async (given) =>
      await new Promise<{ readonly tookMs?: number; readonly bytes?: number; readonly error?: string }>((resolve) => {
        const worker = new Worker('/rivals.js')
        worker.addEventListener('message', ({ data }) => {
          if (data.ready === true) worker.postMessage(given)
          else resolve(data)
        })
      }),
    { kind: job.kind, urls, sizeBytes: artifact.sizeBytes },
  )
  await page.close()
  if (answer.tookMs === undefined || answer.bytes !== artifact.sizeBytes)
    throw new Error(`${job.kind}: ${answer.error ?? `${answer.bytes} bytes`}`)
  return answer.tookMs
}

function report({ times, peaksMiB }: Match, sizeBytes: number): BenchOutput {
  const of = (course: CourseName, contestant: string): number | undefined => {
    const measured = times.get(course)?.get(contestant)
    return measured === undefined ? undefined : medianOf(measured)
  }
  /** How much of the rival's throughput is left. */
  const ratio = (course: CourseName, rival: string): number | null => {
    const [theirs, ours] = [of(course, rival), of(course, 'Sealift')]
    return theirs === undefined || ours === undefined ? null : round3(theirs / ours)
  }
  const result = {
    bench: 'http',
    at25: ratio('at25', 'drained'),
    at50: ratio('at50', 'drained'),
    unshaped: ratio('unshaped', 'pieces and whole'),
    unshapedPiecesOnly: ratio('unshaped', 'pieces'),
    toSum: ratio('toSum', 'drained'),
    peakMiB: peaksMiB.length === 0 ? null : Math.round(Math.max(...peaksMiB)),
  }
  const limits = [
    ['at25', 0.95],
    ['at50', 0.9],
    ['unshaped', 0.85],
    ['toSum', 0.95],
  ] as const
  return {
    lines: [
      ...[...times].flatMap(([course, byName]) =>
        [...byName].map(([name, measured]) => {
          const tookMs = medianOf(measured)
          const spread = `${Math.round(Math.min(...measured))} to ${Math.round(Math.max(...measured))} ms`
          return `${COURSES[course].name.padEnd(16)} ${name.padEnd(18)} ${round2(sizeBytes / 1000 / tookMs)} MB/s  (${spread})`
        }),
      ),
      '',
      ...limits.flatMap(([name, least]) => {
        const value = result[name]
        return value === null ? [] : [`${value >= least ? 'holds ' : 'MISSED'} ${COURSES[name].name}: ${value}, at least ${least}`]
      }),
      `A renderer grew by at most ${result.peakMiB ?? 'an unknown number of'} MiB.`,
    ],
    result,
  }
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000
}
