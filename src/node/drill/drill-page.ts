import type { BrowserContext, Page } from 'puppeteer-core'

/** As much of `sealift/page` as a drill uses. What is below `in the page` runs there, and sees nothing of this file. */
interface PagePort {
  readonly mesh: { setConsent(hasConsent: boolean): void }
  list(): Promise<{ readonly artifacts: readonly PageArtifact[] }>
  download(
    name: string,
    options: { readonly version: string; readonly platform: string | undefined; onEvent(event: PageEvent): void },
  ): { readonly result: Promise<{ readonly record: PageRecord; readonly file: { readonly size: number } }> }
}

export interface PageArtifact {
  readonly name: string
  readonly version: string
  readonly platform: string | undefined
  readonly sizeBytes: number
  readonly sha256: string
  readonly isYanked: boolean
  readonly isDenied: boolean
}

interface PageEvent {
  readonly kind: string
  readonly pieces?: readonly { readonly start: number; readonly end: number; readonly source: string; readonly tier: string }[]
}

interface PageRecord {
  readonly artifact: { readonly sha256: string }
  readonly sources: readonly { readonly source: string; readonly tier: 'cdn' | 'gateway' | 'mesh'; readonly verifiedBytes: number }[]
}

/** Pieces that were verified, and when, in milliseconds since the download started. */
export interface Arrival {
  readonly atMs: number
  readonly tier: string
  readonly pieces: number
}

export interface PageEnding {
  readonly startedAtMs: number
  readonly endedAtMs: number
  readonly arrivals: readonly Arrival[]
  readonly ending:
    | { readonly kind: 'delivered'; readonly sha256: string; readonly sizeBytes: number; readonly sources: PageRecord['sources'] }
    | { readonly kind: 'failed'; readonly message: string; readonly nextStep: string }
}

/** Where a deployment has the scripts, as `sealift init` puts them. Relative to the portal's URL. */
export interface ScriptPlaces {
  readonly script: string
  readonly worker: string
  readonly engine: string
  readonly config: string
  readonly scope: string
}

interface Trial {
  readonly port: PagePort
  readonly arrivals: { readonly atMs: number; readonly tier: string; readonly pieces: number }[]
  startedAtMs: number
  result: Omit<PageEnding, 'arrivals'> | undefined
}

declare const window: {
  sealiftModule?: { register(options: object): Promise<PagePort> }
  sealiftTrial?: Trial
}
declare const navigator: { readonly serviceWorker: { readonly ready: Promise<unknown>; readonly controller: unknown } }

const POLLING = { polling: 50 } as const

/** Opens the portal, starts Sealift in it, and waits until the service worker is there. */
export async function openVisit(context: BrowserContext, url: string, places: ScriptPlaces, timeoutMs: number): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(timeoutMs)
  await page.goto(url, { waitUntil: 'domcontentloaded' })
  await startSealift(page, places)
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null, POLLING)
  return page
}

/** Opens it again, as far as it can be opened. */
export async function reopenVisit(page: Page, places: ScriptPlaces): Promise<void> {
  await page.reload({ waitUntil: 'domcontentloaded' })
  await startSealift(page, places)
}

async function startSealift(page: Page, places: ScriptPlaces): Promise<void> {
  // As text, for the compiler rewrites an import of what it does not know.
  await page.evaluate(`import(${JSON.stringify(places.script)}).then((module) => { window.sealiftModule = module })`)
  await page.evaluate(async ({ worker, engine, config, scope }) => {
    // in the page
    const port = await window.sealiftModule?.register({ workerUrl: worker, engineUrl: engine, configUrl: config, scope })
    if (port === undefined) throw new Error('there is no register in the script of the page')
    window.sealiftTrial = { port, arrivals: [], startedAtMs: 0, result: undefined }
  }, places)
}

export async function listArtifacts(page: Page): Promise<readonly PageArtifact[]> {
  // in the page
  return await page.evaluate(async () => (await window.sealiftTrial?.port.list())?.artifacts ?? [])
}

export async function consent(page: Page): Promise<void> {
  // in the page
  await page.evaluate(() => window.sealiftTrial?.port.mesh.setConsent(true))
}

/** Starts a download and leaves it to itself. */
export async function startVisit(page: Page, wanted: PageArtifact): Promise<void> {
  await page.evaluate(({ name, version, platform }) => {
    // in the page
    const trial = window.sealiftTrial
    if (trial === undefined) throw new Error('Sealift is not started')
    trial.startedAtMs = Date.now()
    const onEvent = ({ kind, pieces = [] }: PageEvent): void => {
      if (kind !== 'progress') return
      for (const { start, end, tier } of pieces) trial.arrivals.push({ atMs: Date.now(), tier, pieces: end - start })
    }
    const end = (ending: PageEnding['ending']): void => {
      trial.result = { startedAtMs: trial.startedAtMs, endedAtMs: Date.now(), ending }
    }
    trial.port.download(name, { version, platform, onEvent }).result.then(
      ({ file, record }) => end({ kind: 'delivered', sha256: record.artifact.sha256, sizeBytes: file.size, sources: record.sources }),
      (error: unknown) => {
        const told: { readonly nextStep?: unknown } = typeof error === 'object' && error !== null ? error : {}
        const message = error instanceof Error ? error.message : String(error)
        end({ kind: 'failed', message, nextStep: typeof told.nextStep === 'string' ? told.nextStep : '' })
      },
    )
  }, wanted)
}

/** Waits until so many pieces are verified, or it is over. */
export async function waitForArrivals(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      // in the page
      const trial = window.sealiftTrial
      return trial?.result !== undefined || (trial?.arrivals.reduce((sum, { pieces }) => sum + pieces, 0) ?? 0) >= wanted
    },
    POLLING,
    count,
  )
}

export async function waitForEnding(page: Page): Promise<PageEnding> {
  // in the page
  await page.waitForFunction(() => window.sealiftTrial?.result !== undefined, POLLING)
  const found = await page.evaluate(() => {
    const trial = window.sealiftTrial
    return trial?.result === undefined ? undefined : { ...trial.result, arrivals: trial.arrivals }
  })
  if (found === undefined) throw new Error('the page was replaced while its download went on')
  return found
}
