import { resolve } from 'node:path'
import { restoreStack, startStack, type Stack } from '../../demo/stack/stack.ts'
import { basicScenarios } from './basic.ts'
import { launchBrowser, openFirefox, type FoundBrowser } from './browser.ts'
import { bypassScenarios } from './bypass.ts'
import { hasFakeTime } from './client-machine.ts'
import { clientScenarios } from './client.ts'
import { startReceiver, type Receiver } from './receiver.ts'
import { refusalScenarios } from './refusal.ts'
import { resumeScenarios } from './resume.ts'
import { NO_SOURCES, type DrillRoom, type Scenario, type SourceCounts } from './scenario.ts'

export interface DrillRow {
  readonly group: string
  readonly name: string
  readonly browser: string
  readonly passed: boolean
  readonly recoveryMs: number | null
  readonly sources: SourceCounts
  readonly error: string | null
}

export interface DrillReport {
  readonly passed: number
  readonly total: number
  readonly rows: readonly DrillRow[]
}

const SCENARIOS: readonly Scenario[] = [...basicScenarios, ...resumeScenarios, ...refusalScenarios, ...bypassScenarios, ...clientScenarios]
/** Below what a browser takes in: else whatever fills its buffers when an origin dies would count as sent in vain. */
const CDN_BYTES_PER_SECOND = 32 * 2 ** 20
/** Longer than any scenario takes on a busy machine. */
const SCENARIO_MS = 240_000
const AGENT = 'edge-agent'
const SMALL = 'sealift'

/**
 * `npm run drill`: every outage that is promised to be survived, on real servers and in a real browser.
 * @param args `--json` for one JSON line at the end, `--only GROUP` or `--only "part of a name"`, `--list`
 * @param found the browser to use; undefined when there is none
 * @param firefox the Firefox to use besides; without one, what is about Firefox is not run
 * @returns exit status: 0 when all passed
 */
export async function runDrill(args: readonly string[], found: FoundBrowser | undefined, firefox?: string): Promise<number> {
  const isJson = args.includes('--json')
  const only = args.includes('--only') ? args[args.indexOf('--only') + 1] : undefined
  const groups = new Set<string>(SCENARIOS.map(({ group }) => group))
  const chosen = SCENARIOS.filter(({ group, name }) => only === undefined || (groups.has(only) ? group === only : name.includes(only)))
  if (args.includes('--list')) {
    for (const { group, name } of chosen) console.log(`${group}: ${name}`)
    return 0
  }
  if (chosen.length === 0) {
    console.error(`No scenario is called ${String(only)}. Groups: ${[...groups].join(', ')}; --list names all.`)
    return 2
  }
  if (found === undefined) {
    console.error('There is no Chromium on this machine. npm run browser gets one.')
    return 2
  }
  const has = { firefox: firefox !== undefined, libfaketime: hasFakeTime() }
  const runnable = chosen.filter(({ needs }) => needs === undefined || has[needs])
  for (const { group, name, needs } of chosen)
    if (needs !== undefined && !has[needs]) console.log(`not run, no ${needs} here: ${group}: ${name}`)
  const report = await drill(runnable, { found, firefox }, (row, tookMs) =>
    console.log(`${describe(row)}  [${(tookMs / 1000).toFixed(1)} s]`),
  )
  console.log(`${report.passed} of ${report.total} passed`)
  if (isJson) console.log(JSON.stringify({ drill: report }))
  return report.passed === report.total ? 0 : 1
}

async function drill(
  scenarios: readonly Scenario[],
  browsers: Pick<Place, 'found' | 'firefox'>,
  onRow: (row: DrillRow, tookMs: number) => void,
): Promise<DrillReport> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort(new Error('the drill was ended'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  const project = resolve(import.meta.dirname, '..', '..', '..')
  const stack = await startStack({ project, cdnBytesPerSecond: CDN_BYTES_PER_SECOND }, stop.signal)
  const receiver = await startReceiver()
  const rows: DrillRow[] = []
  try {
    for (const scenario of scenarios) {
      if (stop.signal.aborted) break
      const startedMs = performance.now()
      const row = await runScenario(
        scenario,
        { stack, receiver, ...browsers },
        AbortSignal.any([stop.signal, AbortSignal.timeout(SCENARIO_MS)]),
      )
      rows.push(row)
      onRow(row, performance.now() - startedMs)
    }
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
    await receiver.close()
    await stack.close()
  }
  return { passed: rows.filter(({ passed }) => passed).length, total: scenarios.length, rows }
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

/** `work`, or the abort, whichever comes first; what is left of the work ends with its browsers. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stopListening = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    stopListening = () => signal.removeEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    stopListening()
  }
}

function entryOf(stack: Stack, name: string) {
  const entry = stack.published.catalogue.artifacts.find((candidate) => candidate.name === name)
  if (entry === undefined) throw new RangeError(`expected ${name} in the catalogue`)
  return entry
}

function describe({ group, name, passed, recoveryMs, sources, error }: DrillRow): string {
  const pieces = Object.entries(sources)
    .filter(([, count]) => count > 0)
    .map(([tier, count]) => `${tier} ${count}`)
  const facts = [recoveryMs === null ? '' : `recovered in ${recoveryMs} ms`, pieces.join(', '), error ?? ''].filter((fact) => fact !== '')
  return `${passed ? 'ok  ' : 'FAIL'} ${group}: ${name}${facts.length === 0 ? '' : `  (${facts.join('; ')})`}`
}
