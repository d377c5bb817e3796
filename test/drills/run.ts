import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { restoreStack, startStack, type Stack } from '../../demo/stack/stack.ts'
import { basicScenarios } from './basic.ts'
import { launchBrowser, openChromium, openFirefox, type FoundBrowser } from './browser.ts'
import { bypassScenarios } from './bypass.ts'
import { hasFakeTime } from './client-machine.ts'
import { clientScenarios } from './client.ts'
import { inLanes } from './lanes.ts'
import { longScenarios } from './long.ts'
import { writeOutages } from './matrix/outages-page.ts'
import type { MatrixCell } from './matrix/cell.ts'
import { MATRIX, runMatrix, whyNot, type MatrixFacts, type MatrixRow } from './matrix/run-matrix.ts'
import { peersScenarios } from './peers.ts'
import { startReceiver, type Receiver } from './receiver.ts'
import { refusalScenarios } from './refusal.ts'
import { resumeScenarios } from './resume.ts'
import { NO_SOURCES, type DrillRoom, type Scenario, type SourceCounts } from './scenario.ts'
import { signalingScenarios } from './signaling.ts'
import { orAborted } from '../../src/core/or-aborted.ts'

export interface DrillRow {
  readonly group: string
  readonly name: string
  readonly browser: string
  readonly passed: boolean
  readonly recoveryMs: number | null
  readonly sources: SourceCounts
  readonly error: string | null
  /** Of a cell of the fault matrix: deadlines and percentiles. */
  readonly matrix?: MatrixFacts | null
}

export interface DrillReport {
  readonly passed: number
  readonly total: number
  readonly rows: readonly DrillRow[]
}

const SCENARIOS: readonly Scenario[] = [
  ...basicScenarios,
  ...resumeScenarios,
  ...refusalScenarios,
  ...bypassScenarios,
  ...clientScenarios,
  ...peersScenarios,
  ...signalingScenarios,
  ...longScenarios,
]
/** Below what a browser takes in: else whatever fills its buffers when an origin dies would count as sent in vain. */
const CDN_BYTES_PER_SECOND = 32 * 2 ** 20
/** Longer than any scenario takes on a busy machine. */
const SCENARIO_MS = 240_000
const PROJECT = resolve(import.meta.dirname, '..', '..', '..')
const OUTAGES = join(PROJECT, 'docs', 'outages.md')
const AGENT = 'edge-agent'
const SMALL = 'sealift'

/** Only run when they are named: they take minutes, or another browser, or a machine that does nothing else. */
const ON_DEMAND: ReadonlySet<string> = new Set(['client', 'long', 'cdn-firefox', 'gateway-firefox'])

/**
 * `npm run drill`: every outage that is promised to be survived, on real servers and in a real browser.
 * @param args `--json` for one JSON line at the end, `--only GROUP` or `--only "part of a name"`, `--list`, `--repeat N` for the
 *   matrix, `--lanes N` for N groups at once, on which times depend, `--write-docs` to run the whole matrix and put its figures into docs/outages.md
 * @param found the browser to use; undefined when there is none
 * @param firefox the Firefox to use besides; without one, what is about Firefox is not run
 * @returns exit status: 0 when all passed
 */
export async function runDrill(args: readonly string[], found: FoundBrowser | undefined, firefox?: string): Promise<number> {
  const isJson = args.includes('--json')
  const only = valueOf(args, '--only')
  const groups = new Set<string>([...SCENARIOS, ...MATRIX].map(({ group }) => group))
  const isForDocs = args.includes('--write-docs')
  const isCalled = ({ name }: { readonly name: string }): boolean => only !== undefined && name.includes(only)
  // What is only run when it is named can be named by a part of its name too, where no other drill is called that.
  const isOnDemand = ![...SCENARIOS, ...MATRIX].some((one) => isCalled(one) && !ON_DEMAND.has(one.group))
  const isChosen = ({ group, name }: { readonly group: string; readonly name: string }): boolean => {
    if (isForDocs) return MATRIX.some((cell) => cell.group === group)
    if (only === undefined) return !ON_DEMAND.has(group)
    if (groups.has(only)) return group === only
    return isCalled({ name }) && (isOnDemand || !ON_DEMAND.has(group))
  }
  const [scenarios, cells] = [SCENARIOS.filter(isChosen), MATRIX.filter(isChosen)]
  if (args.includes('--list')) {
    for (const { group, name } of [...scenarios, ...cells]) console.log(`${group}: ${name}`)
    return 0
  }
  if (scenarios.length + cells.length === 0) {
    console.error(`No scenario is called ${String(only)}. Groups: ${[...groups].join(', ')}; --list names all.`)
    return 2
  }
  if (found === undefined) {
    console.error('There is no Chromium on this machine. npm run browser gets one.')
    return 2
  }
  const repeat = Number(valueOf(args, '--repeat') ?? 1)
  if (!Number.isInteger(repeat) || repeat < 1) {
    console.error('--repeat takes a whole number from 1 on.')
    return 2
  }
  const lanes = Number(valueOf(args, '--lanes') ?? 1)
  if (!Number.isInteger(lanes) || lanes < 1) {
    console.error('--lanes takes a whole number from 1 on.')
    return 2
  }
  const browsers = { found, firefox }
  const has = { firefox: firefox !== undefined, libfaketime: hasFakeTime() }
  const possible = scenarios.filter(({ needs }) => needs === undefined || has[needs])
  for (const { group, name, needs } of scenarios)
    if (needs !== undefined && !has[needs]) console.log(`not run, no ${needs} here: ${group}: ${name}`)
  const runnable = cells.filter((cell) => whyNot(cell, browsers) === undefined)
  for (const cell of cells.filter((one) => !runnable.includes(one)))
    console.log(`not run, ${whyNot(cell, browsers)}: ${cell.group}: ${cell.name}`)
  const onRow = (row: DrillRow, tookMs: number): void => console.log(`${describe(row)}  [${(tookMs / 1000).toFixed(1)} s]`)
  const rows = await interruptible(async (signal) => {
    // A group at a time where times count; else each group is a batch, with servers of its own.
    const matrixRows: MatrixRow[] = []
    const measure = async (some: readonly MatrixCell[]): Promise<readonly DrillRow[]> => {
      const measured = await runMatrix({ cells: some, browsers, repeat, onRow }, signal)
      matrixRows.push(...measured)
      return measured
    }
    const batches = [
      ...batchesOf(possible, lanes).map((some) => () => drill(some, { ...browsers, onRow }, signal)),
      ...batchesOf(runnable, lanes).map((some) => () => measure(some)),
    ]
    const all = await inLanes<DrillRow>(batches, lanes)
    if (isForDocs && !signal.aborted)
      await writeFile(OUTAGES, writeOutages(await readFile(OUTAGES, 'utf8'), MATRIX, { rows: matrixRows, repeat }))
    return all
  })
  const report: DrillReport = { passed: passedOf(rows), total: possible.length + runnable.length, rows }
  for (const group of new Set(rows.map((row) => row.group))) {
    const members = rows.filter((row) => row.group === group)
    console.log(`${group}: ${passedOf(members)} of ${members.length}`)
  }
  console.log(`${report.passed} of ${report.total} passed`)
  if (isJson) console.log(JSON.stringify({ drill: report }))
  return report.passed === report.total ? 0 : 1
}

function batchesOf<T extends { readonly group: string }>(all: readonly T[], lanes: number): readonly (readonly T[])[] {
  if (lanes === 1) return all.length === 0 ? [] : [all]
  return [...new Set(all.map(({ group }) => group))].map((group) => all.filter((one) => one.group === group))
}

function valueOf(args: readonly string[], option: string): string | undefined {
  return args.includes(option) ? args[args.indexOf(option) + 1] : undefined
}

function passedOf(rows: readonly DrillRow[]): number {
  return rows.filter(({ passed }) => passed).length
}

/** Runs until it is done, or until somebody ends the drill. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort(new Error('the drill was ended'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    return await work(stop.signal)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function drill(
  scenarios: readonly Scenario[],
  { onRow, ...browsers }: Pick<Place, 'found' | 'firefox'> & { readonly onRow: (row: DrillRow, tookMs: number) => void },
  stop: AbortSignal,
): Promise<readonly DrillRow[]> {
  const stack = await startStack({ project: PROJECT, cdnBytesPerSecond: CDN_BYTES_PER_SECOND }, stop)
  const receiver = await startReceiver()
  const rows: DrillRow[] = []
  try {
    for (const scenario of scenarios) {
      if (stop.aborted) break
      const startedMs = performance.now()
      const signal = AbortSignal.any([stop, AbortSignal.timeout(SCENARIO_MS)])
      const row = await runScenario(scenario, { stack, receiver, ...browsers }, signal)
      rows.push(row)
      onRow(row, performance.now() - startedMs)
    }
  } finally {
    await receiver.close()
    await stack.close()
  }
  return rows
}

interface Place {
  readonly stack: Stack
  readonly receiver: Receiver
  readonly found: FoundBrowser
  readonly firefox: string | undefined
}

/** One scenario on a stack as it was at the start, with browsers that are gone afterwards. */
async function runScenario(scenario: Scenario, { stack, receiver, found, firefox }: Place, signal: AbortSignal): Promise<DrillRow> {
  const { group, name } = scenario
  const launched: { close(): Promise<void> }[] = []
  let browser: string = scenario.needs === 'firefox' ? 'firefox' : 'chromium'
  const launch: DrillRoom['launch'] = async (choices) => {
    signal.throwIfAborted()
    const one = await launchBrowser(found, choices)
    launched.push(one)
    if (signal.aborted) await one.close()
    browser = (await one.browser.version()).replace(/^Headless/, '').toLowerCase()
    return one
  }
  const room: DrillRoom = {
    stack,
    receiver,
    agent: entryOf(stack, AGENT),
    small: entryOf(stack, SMALL),
    launch,
    async openFirefox(url) {
      if (firefox === undefined) throw new Error('there is no Firefox on this machine')
      launched.push(await openFirefox(firefox, url))
    },
    openChromium: async (url) => void launched.push(await openChromium(found, url)),
    signal,
  }
  try {
    await restoreStack(stack)
    const { recoveryMs, sources } = await orAborted(scenario.run(room), signal)
    return { group, name, browser, passed: true, recoveryMs, sources, error: null }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { group, name, browser, passed: false, recoveryMs: null, sources: NO_SOURCES, error: message }
  } finally {
    for (const one of launched) await one.close()
  }
}

function entryOf(stack: Stack, name: string) {
  const entry = stack.published.catalogue.artifacts.find((candidate) => candidate.name === name)
  if (entry === undefined) throw new RangeError(`expected ${name} in the catalogue`)
  return entry
}

function describe({ group, name, passed, recoveryMs, sources, error, matrix }: DrillRow): string {
  const pieces = Object.entries(sources)
    .filter(([, count]) => count > 0)
    .map(([tier, count]) => `${tier} ${count}`)
  const facts = [recoveryMs === null ? '' : `recovered in ${recoveryMs} ms`, matrixWords(matrix), pieces.join(', '), error ?? ''].filter(
    (fact) => fact !== '',
  )
  return `${passed ? 'ok  ' : 'FAIL'} ${group}: ${name}${facts.length === 0 ? '' : `  (${facts.join('; ')})`}`
}

function matrixWords(matrix: MatrixFacts | null | undefined): string {
  if (matrix === null || matrix === undefined) return ''
  const { runs, p50Ms, p95Ms, limitMs, faults } = matrix
  const each = faults.length > 1 ? faults.map(({ fault, recoveryMs }) => `${fault} ${recoveryMs ?? '-'}`).join(', ') : ''
  const spread = runs === 1 ? '' : `p50 ${p50Ms} ms, p95 ${p95Ms} ms in ${runs} runs`
  return [limitMs === null ? '' : `limit ${limitMs} ms`, spread, each].filter((words) => words !== '').join(', ')
}
