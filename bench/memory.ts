import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { Page } from 'puppeteer-core'
import { launchBrowser } from '../test/drills/browser.ts'
import { round2 } from './contest.ts'
import { startContentFarm } from './delivery/content-farm.ts'
import type { HeldBytes } from './delivery/counting-engine.ts'
import { openPortal, type ArtifactRun, type Visit } from './delivery/portal.ts'
import { publishContents } from './delivery/publication.ts'
import { watchRenderers } from './delivery/renderer-memory.ts'
import { built } from './trust/contestants.ts'
import { readOption, type BenchOutput } from './output.ts'
import type { BenchTools } from './tools.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const SIZES_GIB = [1.25, 2.5, 5]
const DEADLINE_MS = 900_000
const RENDERER_LIMIT_MIB = 256
const HELD_LIMIT_MIB = 32

/**
 * An artifact of 5 GiB, and of half and a quarter of that, streams through: what the renderer grows by, what the engine holds, and what each
 * GiB costs. Nothing of it lies on a disk but what the browser keeps.
 * @param args `--gib A,B,C` other sizes
 */
export async function benchMemory(tools: BenchTools, args: readonly string[]): Promise<BenchOutput> {
  const { browser: found } = tools
  if (found === undefined) throw new Error('There is no Chromium on this machine. npm run browser gets one.')
  const sizes = readOption(args, '--gib')?.split(',').map(Number) ?? SIZES_GIB
  await requireRoom(Math.max(...sizes) * GIB)
  const specs = sizes.map((gib, seed) => ({ name: `image-${seed}`, seed: seed + 1, sizeBytes: gib * GIB, pieceLengthBytes: MIB }))
  const publication = await publishContents(specs)
  const engine = await tools.bundle({ entry: built('../delivery/counting-engine.js'), name: 'engine' })
  const farm = await startContentFarm(publication, 1)
  try {
    const rows: Row[] = []
    for (const [at, gib] of sizes.entries()) {
      // A browser of its own: what one size left in a renderer must not count for the next.
      const launched = await launchBrowser(found)
      try {
        const portal = await openPortal({ browser: launched.browser, files: { '/counting.js': engine }, deadlineMs: DEADLINE_MS })
        await farm.shape([undefined])
        const configuration = publication.siteConfig(farm.urls)
        const visit = await portal.visit(configuration, { engineUrl: '/counting.js' })
        const memory = await watchRenderers(launched.browser)
        const run = await visit.runLong(`image-${at}`)
        const held = await askHeld(visit.page)
        const peakMiB = (await memory.peakMiB()) ?? Number.NaN
        await visit.close()
        const again = await portal.visit(configuration, { engineUrl: '/counting.js', isReturning: true })
        rows.push({ gib, run, held, peakMiB, reopened: await reopen(again, `image-${at}`) })
        process.stderr.write(`${gib} GiB after ${round2(run.tookMs / 1000)} s\n`)
      } finally {
        await launched.close()
      }
    }
    return report(rows)
  } finally {
    await farm.close()
  }
}

interface Row {
  readonly gib: number
  readonly run: ArtifactRun
  readonly held: HeldBytes
  readonly peakMiB: number
  /** Of a later visit that has it all. */
  readonly reopened: ArtifactRun
}

async function reopen(visit: Visit, name: string): Promise<ArtifactRun> {
  try {
    return await visit.runLong(name)
  } finally {
    await visit.close()
  }
}

async function requireRoom(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(tmpdir())
  const room = bavail * bsize
  // The browser gives one site no more than a part of what is free.
  if (room < 4 * bytes) throw new Error(`${Math.ceil((4 * bytes) / GIB)} GiB have to be free in ${tmpdir()}, ${Math.floor(room / GIB)} are`)
}

async function askHeld(page: Page): Promise<HeldBytes> {
  return await page.evaluate(
    () =>
      new Promise<HeldBytes>((resolve) => {
        const channel = new BroadcastChannel('held-bytes')
        channel.addEventListener('message', ({ data }) => resolve(data))
        channel.postMessage('tell')
      }),
  )
}

/**
 * Seconds that each quarter of the pieces took, in the order in which they were kept. Within one download, since the machine may be busier in the
 * next one: whatever grows with what is kept already shows here.
 */
function quartersS({ trace, sizeBytes }: ArtifactRun): readonly number[] {
  const ends: number[] = []
  let kept = 0
  for (const { atMs, what } of trace) {
    const [, start, end] = / pieces (\d+)-(\d+)$/.exec(what) ?? []
    kept += Number(end ?? 0) - Number(start ?? 0)
    while (ends.length < 4 && kept * MIB >= ((ends.length + 1) * sizeBytes) / 4) ends.push(atMs)
  }
  const begin = trace.find(({ what }) => what === 'fetching')?.atMs ?? 0
  return ends.map((endMs, at) => round2((endMs - (ends[at - 1] ?? begin)) / 1000))
}

function report(rows: readonly Row[]): BenchOutput {
  const at = ({ trace }: ArtifactRun, what: string): number => trace.find((line) => line.what === what)?.atMs ?? Number.NaN
  const figures = rows.map(({ gib, run, held, peakMiB, reopened }) => ({
    gib,
    /** Manifest and piece list fetched and read, the file opened. */
    resolvedMs: at(run, 'resolved'),
    totalS: round2(run.tookMs / 1000),
    totalSPerGiB: round2(run.tookMs / 1000 / gib),
    quartersS: quartersS(run),
    /** The same with every piece kept: flags and piece list read again. */
    reopenedMs: at(reopened, 'resolved'),
    rehashedSPerGiB: round2(reopened.tookMs / 1000 / gib),
    rendererPeakMiB: round2(peakMiB),
    heldPeakMiB: round2(held.peakBytes / MIB),
    heldLeftMiB: round2(held.leftBytes / MIB),
  }))
  const [peak, held] = [Math.max(...figures.map((one) => one.rendererPeakMiB)), Math.max(...figures.map((one) => one.heldPeakMiB))]
  const costs = figures.map((one) => one.totalSPerGiB)
  const verdict = (isHeld: boolean, text: string): string => `${isHeld ? 'holds ' : 'MISSED'} ${text}`
  return {
    lines: [
      ...figures.map((one) =>
        [
          `${one.gib} GiB`.padEnd(9),
          `${one.totalS} s, ${one.totalSPerGiB} s per GiB, its quarters ${one.quartersS.join(', ')} s`,
          `documents and file opened after ${one.resolvedMs} ms, with all kept after ${one.reopenedMs} ms`,
          `hashed again ${one.rehashedSPerGiB} s per GiB`,
          `renderer +${one.rendererPeakMiB} MiB`,
          `held ${one.heldPeakMiB} MiB (${one.heldLeftMiB} left)`,
        ].join('  '),
      ),
      '',
      verdict(peak <= RENDERER_LIMIT_MIB, `the renderer grew by ${peak} MiB, at most ${RENDERER_LIMIT_MIB}`),
      verdict(held <= HELD_LIMIT_MIB, `the engine held ${held} MiB of pieces, at most ${HELD_LIMIT_MIB}`),
      `A GiB of the largest cost ${round2((costs.at(-1) ?? Number.NaN) / (costs[0] ?? Number.NaN))} times one of the smallest.`,
    ],
    result: { bench: 'memory', rows: figures, peakMiB: peak, heldMiB: held },
  }
}
