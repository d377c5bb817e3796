import type { Browser, BrowserContext } from 'puppeteer-core'
import { DeliveryError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import { readConfig } from '../verify/read-config.ts'
import {
  consent,
  listArtifacts,
  openVisit,
  reopenVisit,
  startVisit,
  waitForArrivals,
  waitForEnding,
  type PageArtifact,
  type PageEnding,
  type ScriptPlaces,
} from './drill-page.ts'
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts'
import { faultFor, type NetworkFault } from './network-fault.ts'
import { hasMesh, rolesOf, scenariosFor, type Deployment, type Scenario } from './scenario.ts'
import { startBrowser, type BrowserChoice } from './start-browser.ts'

export interface DrillOptions {
  /** A page of the portal, on the origin that has the service worker. */
  readonly url: string
  readonly places: ScriptPlaces
  /** Default: the largest artifact that has at most 64 MiB, or the smallest when all are larger. */
  readonly name?: string | undefined
  /** Names of scenarios. Default: all that fit the deployment. */
  readonly only?: readonly string[] | undefined
  readonly browser: BrowserChoice
  /** For each step of a scenario. */
  readonly timeoutMs: number
  readonly clock: Clock
  /** Hears of each scenario as soon as it is over. */
  readonly onResult?: (result: DrillResult) => void
}

export interface DrillResult {
  readonly scenario: string
  readonly title: string
  readonly isDelivered: boolean
  /** Of the whole download. */
  readonly seconds: number | undefined
  /** From the fault, or the start of the download when that was later, to the first verified piece of a place that it left alone. */
  readonly recoveryMs: number | undefined
  readonly sources: readonly { readonly source: string; readonly tier: string; readonly verifiedBytes: number }[]
  /** Why not, in words. */
  readonly detail: string | undefined
}

export interface DrillReport {
  readonly artifact: { readonly name: string; readonly version: string; readonly sizeBytes: number }
  readonly results: readonly DrillResult[]
  readonly delivered: number
}

const MIB = 1024 * 1024
const LARGEST_BYTES = 64 * MIB
/** Until a fault comes in the middle: slow enough to step in. */
const STEADY = { kind: 'slow', bytesPerSecond: MIB } as const
const MIDWAY_PIECES = 2

interface Stage {
  readonly options: DrillOptions
  readonly signal: AbortSignal
  readonly browser: Browser
  readonly deployment: Deployment
  readonly artifact: PageArtifact
}

/**
 * Takes one thing after the other away from a browser that visits a deployment, and sees whether it still gets a verified file. The deployment
 * itself is left alone: whatever fails, fails between this browser and the network.
 * @throws {DeliveryError} `config-*` of the deployment's configuration, `artifact-unknown`, `input-invalid`, `tool-missing`; `signal.reason`
 */
export async function runDrill(options: DrillOptions, signal: AbortSignal): Promise<DrillReport> {
  const config = await readConfig(new URL(options.places.config, options.url).href, signal)
  const deployment = { portalUrl: options.url, config }
  const scenarios = chosenOf(scenariosFor(deployment), options.only)
  const browser = await startBrowser(options.browser)
  const stop = (): void => void browser.close().catch(() => undefined) // it may be closing already
  signal.addEventListener('abort', stop, { once: true })
  try {
    // It may have been said while the browser started.
    signal.throwIfAborted()
    return await play({ options, signal, browser, deployment }, scenarios)
  } catch (error) {
    // Whatever the browser said when it was closed.
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await browser.close()
  }
}

function chosenOf(all: readonly Scenario[], only: readonly string[] | undefined): readonly Scenario[] {
  if (only === undefined) return all
  const names = all.map(({ name }) => name)
  const unknown = only.find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw new DeliveryError({ code: 'input-invalid', path: '--only', detail: `${unknown} is none of ${names.join(', ')}` })
  return all.filter(({ name }) => only.includes(name))
}

async function play(stage: Omit<Stage, 'artifact'>, scenarios: readonly Scenario[]): Promise<DrillReport> {
  const { options, browser, deployment } = stage
  const results: DrillResult[] = []
  // Whoever has it already: asks for it while all is well, and stays.
  const giver = await browser.createBrowserContext()
  const page = await openVisit(giver, options.url, options.places, options.timeoutMs)
  const artifact = choose(await listArtifacts(page), options.name)
  if (hasMesh(deployment.config.mesh)) {
    await consent(page)
    await startVisit(page, artifact)
    await waitForEnding(page)
  }
  for (const scenario of scenarios) {
    const result = await playOne({ ...stage, artifact }, scenario)
    results.push(result)
    options.onResult?.(result)
  }
  const { name, version, sizeBytes } = artifact
  return { artifact: { name, version, sizeBytes }, results, delivered: results.filter(({ isDelivered }) => isDelivered).length }
}

function choose(listed: readonly PageArtifact[], name: string | undefined): PageArtifact {
  const all = listed.filter((one) => !one.isYanked && !one.isDenied && (name === undefined || one.name === name))
  const bySize = all.toSorted((a, b) => b.sizeBytes - a.sizeBytes)
  const found = bySize.find(({ sizeBytes }) => sizeBytes <= LARGEST_BYTES) ?? bySize.at(-1)
  if (found === undefined) throw new DeliveryError({ code: 'artifact-unknown', name: name ?? 'anything', version: undefined })
  return found
}

async function playOne(stage: Stage, scenario: Scenario): Promise<DrillResult> {
  const { name, title, lacking } = scenario
  const failed = (detail: string): DrillResult => ({
    scenario: name,
    title,
    isDelivered: false,
    seconds: undefined,
    recoveryMs: undefined,
    sources: [],
    detail,
  })
  if (lacking !== undefined) return failed(lacking)
  const proxy = await startFaultProxy(stage.options.clock)
  let context: BrowserContext | undefined
  try {
    context = await stage.browser.createBrowserContext({ proxyServer: proxy.url, proxyBypassList: ['<-loopback>'] })
    return await visit({ ...stage, context, proxy }, scenario)
  } catch (error) {
    stage.signal.throwIfAborted()
    // A page that does not open is what a drill is there to find.
    return failed(explain(error, scenario))
  } finally {
    // It may be gone with the browser.
    await context?.close().catch(() => undefined)
    await proxy.close()
  }
}

async function visit(
  stage: Stage & { readonly context: BrowserContext; readonly proxy: FaultProxy },
  scenario: Scenario,
): Promise<DrillResult> {
  const { options, deployment, context, proxy, artifact } = stage
  const page = await openVisit(context, options.url, options.places, options.timeoutMs)
  if (hasMesh(deployment.config.mesh)) await consent(page)
  const roles = rolesOf(deployment)
  let faultAtMs = options.clock.nowMs()
  const strike = (): void => {
    faultAtMs = options.clock.nowMs()
    proxy.setFaults((authority) => (scenario.refused.includes(authority) ? { kind: 'refused' } : faultFor(authority, roles, scenario.plan)))
  }
  if (scenario.isMidway) proxy.setFaults((authority): NetworkFault | undefined => faultFor(authority, roles, { cdn: STEADY }))
  else strike()
  if (scenario.reopens) await reopenVisit(page, options.places)
  await startVisit(page, artifact)
  if (scenario.isMidway) {
    await waitForArrivals(page, MIDWAY_PIECES)
    strike()
  }
  return judge(await waitForEnding(page), { scenario, artifact, faultAtMs })
}

function judge(
  { startedAtMs, endedAtMs, arrivals, ending }: PageEnding,
  { scenario, artifact, faultAtMs }: { readonly scenario: Scenario; readonly artifact: PageArtifact; readonly faultAtMs: number },
): DrillResult {
  const sinceMs = Math.max(startedAtMs, faultAtMs)
  const spared = (tier: string): boolean => tier !== 'cdn' || scenario.plan.cdn === undefined
  const first = arrivals.find(({ atMs, tier }) => atMs >= sinceMs && spared(tier))
  const isWhole = ending.kind === 'delivered' && ending.sha256 === artifact.sha256 && ending.sizeBytes === artifact.sizeBytes
  return {
    scenario: scenario.name,
    title: scenario.title,
    isDelivered: isWhole,
    seconds: (endedAtMs - startedAtMs) / 1000,
    recoveryMs: first === undefined ? undefined : first.atMs - sinceMs,
    sources: ending.kind === 'delivered' ? ending.sources : [],
    detail: ending.kind === 'failed' ? `${ending.message} ${ending.nextStep}`.trim() : isWhole ? undefined : 'another file was delivered',
  }
}

function explain(error: unknown, { reopens }: Scenario): string {
  const said = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  return reopens && /net::ERR_|Failed to fetch/.test(said)
    ? `the page did not open without its origin: list its files with \`sealift init --shell\` (${said})`
    : said
}
