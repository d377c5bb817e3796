import { findNginx } from '../../../src/node/nginx-gateway.ts'
import { startChromium, startFirefox, type FoundChromium, type LaunchedBrowser } from '../../browser/start-browser.ts'
import { NO_SOURCES, type SourceCounts } from '../scenario.ts'
import type { CellTools, MatrixCell, MatrixGroup, VariantOutcome } from './cell.ts'
import { LOST_HOSTS } from './http-cell.ts'
import { httpCells } from './http-cells.ts'
import { HOSTS, lnaCells } from './lna-cells.ts'
import { nginxCells } from './nginx-cells.ts'
import { hasOpenssl } from './certificate.ts'
import { openMatrixRoom, type MatrixRoom } from './matrix-room.ts'

export const MATRIX: readonly MatrixCell[] = [
  ...httpCells('cdn', ''),
  ...httpCells('gateway', ''),
  ...nginxCells,
  ...lnaCells,
  ...httpCells('cdn', '-firefox'),
  ...httpCells('gateway', '-firefox'),
]

/** What a row of the matrix tells besides. */
export interface MatrixFacts {
  readonly limitMs: number | null
  /** Over all runs, each counted by its slowest fault. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly runs: number
  /** The most that any run received in vain. */
  readonly wastedBytes: number
  readonly faults: readonly { readonly fault: string; readonly recoveryMs: number | null; readonly wastedBytes: number }[]
}

export interface MatrixRow {
  readonly group: MatrixGroup
  readonly name: string
  readonly browser: string
  readonly passed: boolean
  readonly recoveryMs: number | null
  readonly sources: SourceCounts
  readonly error: string | null
  readonly matrix: MatrixFacts | null
}

export interface MatrixBrowsers {
  readonly found: FoundChromium
  readonly firefox: string | undefined
}

/** Longer than any cell takes on a busy machine. */
const CELL_MS = 240_000
/** A run that missed its deadline is made again so often: another program may have had the processor. Never one that failed. */
const SECOND_CHANCES = 4

export interface MatrixOptions {
  readonly cells: readonly MatrixCell[]
  readonly browsers: MatrixBrowsers
  /** With more than one, the deadline holds for the 95th percentile. */
  readonly repeat: number
  readonly onRow: (row: MatrixRow, tookMs: number) => void
}

/** Runs the cells group by group, each group in one browser. */
export async function runMatrix({ cells, browsers, repeat, onRow }: MatrixOptions, signal: AbortSignal): Promise<readonly MatrixRow[]> {
  const rows: MatrixRow[] = []
  if (cells.length === 0) return rows
  const room = await openMatrixRoom()
  try {
    for (const group of new Set(cells.map((cell) => cell.group))) {
      const desk = openDesk(group, browsers)
      try {
        for (const cell of cells.filter((one) => one.group === group)) {
          if (signal.aborted) break
          const startedMs = performance.now()
          const row = await runCell({ cell, room, desk, repeat }, signal)
          rows.push(row)
          onRow(row, performance.now() - startedMs)
        }
      } finally {
        await desk.close()
      }
    }
  } finally {
    await room.close()
  }
  return rows
}

/** Hands out the browsers of one group. */
interface BrowserDesk {
  readonly launch: CellTools['launch']
  /** For rows: `chrome/156.0.0.0`. */
  version(): string
  /** Ends those that cells had for themselves. */
  closeOwn(): Promise<void>
  close(): Promise<void>
}

function openDesk(group: MatrixGroup, browsers: MatrixBrowsers): BrowserDesk {
  let shared: LaunchedBrowser | undefined
  const own: LaunchedBrowser[] = []
  let version = group.endsWith('-firefox') ? 'firefox' : 'chromium'
  const closeOwn = async (): Promise<void> => {
    for (const one of own.splice(0)) await one.close()
  }
  return {
    async launch(args) {
      if (args === undefined && shared !== undefined) return shared.browser
      const launched = await launchFor(group, browsers, args ?? [])
      if (args === undefined) shared = launched
      else own.push(launched)
      version = (await launched.browser.version()).replace(/^Headless/, '').toLowerCase()
      return launched.browser
    },
    version: () => version,
    closeOwn,
    async close() {
      await closeOwn()
      await shared?.close()
    },
  }
}

/** Why a cell cannot be run on this machine; undefined when it can. */
export function whyNot({ group }: MatrixCell, { firefox }: MatrixBrowsers): string | undefined {
  if (group.endsWith('-firefox') && firefox === undefined) return 'no Firefox here'
  if (group === 'nginx' && findNginx() === undefined) return 'no nginx here'
  return group === 'lna' && !hasOpenssl() ? 'no openssl here' : undefined
}

function launchFor(group: MatrixGroup, { found, firefox }: MatrixBrowsers, args: readonly string[]): Promise<LaunchedBrowser> {
  if (!group.endsWith('-firefox')) {
    const rules = [...LOST_HOSTS.map((host) => `MAP ${host} ~NOTFOUND`), ...HOSTS.map((host) => `MAP ${host} 127.0.0.1`)]
    return startChromium(found, { args: [`--host-resolver-rules=${rules.join(', ')}`, ...args] })
  }
  if (firefox === undefined) throw new Error('there is no Firefox on this machine')
  return startFirefox(firefox)
}

interface CellRun {
  readonly cell: MatrixCell
  readonly room: MatrixRoom
  readonly desk: BrowserDesk
  readonly repeat: number
}

async function runCell({ cell, room, desk, repeat }: CellRun, signal: AbortSignal): Promise<MatrixRow> {
  const { group, name, limitMs } = cell
  const runs: (readonly VariantOutcome[])[] = []
  try {
    const isLate = (): boolean => limitMs !== undefined && (fastest(runs) ?? 0) > limitMs
    while (runs.length < repeat || (repeat === 1 && isLate() && runs.length <= SECOND_CHANCES)) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(CELL_MS)])
      runs.push(await cell.run({ room, launch: desk.launch, signal: deadline }))
      await desk.closeOwn()
    }
  } catch (error) {
    await desk.closeOwn()
    const message = error instanceof Error ? error.message : String(error)
    return { group, name, browser: desk.version(), passed: false, recoveryMs: null, sources: NO_SOURCES, error: message, matrix: null }
  }
  const matrix = factsOf(runs, limitMs)
  const recoveryMs = repeat === 1 ? fastest(runs) : matrix.p95Ms
  const isInTime = limitMs === undefined || (recoveryMs ?? 0) <= limitMs
  return {
    group,
    name,
    browser: desk.version(),
    passed: isInTime,
    recoveryMs,
    sources: runs.at(-1)?.at(-1)?.sources ?? NO_SOURCES,
    error: isInTime ? null : `not so: verified bytes flow from elsewhere within ${limitMs} ms (${recoveryMs} ms)`,
    matrix,
  }
}

function fastest(runs: readonly (readonly VariantOutcome[])[]): number | null {
  return percentile(runs.map(slowestOf), 0)
}

function slowestOf(run: readonly VariantOutcome[]): number | null {
  return percentile(
    run.map(({ recoveryMs }) => recoveryMs),
    1,
  )
}

function factsOf(runs: readonly (readonly VariantOutcome[])[], limitMs: number | undefined): MatrixFacts {
  const slowest = runs.map(slowestOf)
  const faults = runs[0]?.map(({ fault }, at) => ({
    fault,
    recoveryMs: percentile(
      runs.map((run) => run[at]?.recoveryMs ?? null),
      0.5,
    ),
    wastedBytes: Math.max(...runs.map((run) => run[at]?.wastedBytes ?? 0)),
  }))
  return {
    limitMs: limitMs ?? null,
    p50Ms: percentile(slowest, 0.5),
    p95Ms: percentile(slowest, 0.95),
    runs: runs.length,
    wastedBytes: Math.max(...runs.flat().map(({ wastedBytes }) => wastedBytes)),
    faults: faults ?? [],
  }
}

/** By nearest rank, of those that are known. */
function percentile(values: readonly (number | null)[], share: number): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b)
  return known[Math.max(0, Math.ceil(share * known.length) - 1)] ?? null
}
