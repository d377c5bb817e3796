import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, CDPSession, Page } from 'puppeteer-core'
import { packageRoot } from '../../src/node/package-root.ts'
import { serveFiles } from '../../test/browser/serve.ts'

declare global {
  interface Window {
    warmUp?: (configUrl: string, engineUrl: string) => Promise<number>
    fetchArtifact?: (name: string) => Promise<ArtifactRun>
    longRun?: ArtifactRun | { readonly error: string }
  }
}

/** One download in a page whose engine is warm and knows the catalogue. */
export interface ArtifactRun {
  /** From `download()` to the verified file. */
  readonly tookMs: number
  readonly sizeBytes: number
  /** Pieces that were there already: such a run does not count. */
  readonly keptPieces: number
  readonly trace: readonly TraceLine[]
}

interface TraceLine {
  readonly atMs: number
  readonly what: string
}

/** A page in which nothing was ever fetched. */
export interface Visit {
  readonly page: Page
  /** From opening the engine to the verified catalogue. */
  readonly coldMs: number
  run(name: string): Promise<ArtifactRun>
  /** As `run`, for one that takes minutes: longer than the browser may be asked one question. Pieces may be there already. */
  runLong(name: string): Promise<ArtifactRun>
  close(): Promise<void>
}

export interface PortalOptions {
  readonly browser: Browser
  /** By path, beside the built scripts. */
  readonly files?: Readonly<Record<string, string>>
  readonly deadlineMs: number
}

export interface VisitOptions {
  /** Default: the built one. */
  readonly engineUrl?: string
  /** What an earlier visit kept is there. Default false. */
  readonly isReturning?: boolean
}

/** A portal of its own with the built scripts, in the one profile of a browser: what is kept lies on the disk. */
export interface Portal {
  readonly url: string
  /** @param configuration of the site, as JSON */
  visit(configuration: string, options?: VisitOptions): Promise<Visit>
  /** A page of the portal that does not run the SDK. */
  plainPage(): Promise<Page>
  close(): Promise<void>
}

const POLL_MS = 500

const APP = `
import { register } from '/page.js'
let sealift
window.warmUp = async (configUrl, engineUrl) => {
  const started = performance.now()
  sealift = await register({ configUrl, engineUrl })
  await sealift.list()
  return performance.now() - started
}
window.fetchArtifact = async (name) => {
  const trace = []
  let keptPieces = 0
  const started = performance.now()
  const onEvent = (event) => {
    const atMs = Math.round(performance.now() - started)
    if (event.kind === 'resolved') keptPieces = event.kept.reduce((sum, span) => sum + span.end - span.start, 0)
    if (event.kind === 'phase') trace.push({ atMs, what: event.phase })
    else if (event.kind === 'trouble') trace.push({ atMs, what: event.source + ' ' + JSON.stringify(event.failure) + (event.isBanned ? ' banned' : '') })
    else if (event.kind !== 'progress') trace.push({ atMs, what: event.kind })
    else for (const { start, end, source } of event.pieces) trace.push({ atMs, what: source + ' pieces ' + start + '-' + end })
  }
  const { file } = await sealift.download(name, { onEvent }).result
  const tookMs = performance.now() - started
  return { tookMs, sizeBytes: file.size, keptPieces, trace }
}
`

export async function openPortal({ browser, files = {}, deadlineMs }: PortalOptions): Promise<Portal> {
  const configurations: Record<string, string> = {}
  const served = {
    '/index.html': '<!doctype html><title>portal</title><body><script type="module" src="/app.js"></script>',
    '/plain.html': '<!doctype html><title>plain</title><body>',
    '/app.js': APP,
    ...(await readScripts()),
    ...files,
  }
  // One object, so that a configuration that comes later is served as well.
  const site = await serveFiles(Object.assign(configurations, served))
  const keeper = await browser.newPage()
  const cdp = await keeper.createCDPSession()
  const open = async (path: string): Promise<Page> => {
    const page = await browser.newPage()
    page.setDefaultTimeout(deadlineMs)
    await page.goto(`${site.url}${path}`)
    return page
  }
  return {
    url: site.url,
    plainPage: () => open('plain.html'),
    async visit(configuration, { engineUrl = '/engine.js', isReturning = false } = {}) {
      configurations['/site.json'] = configuration
      if (!isReturning) await forgetAll(cdp, site.url)
      const page = await open('index.html')
      await page.waitForFunction(() => window.warmUp !== undefined)
      const coldMs = await page.evaluate((url) => window.warmUp?.('/site.json', url) ?? 0, engineUrl)
      return {
        page,
        coldMs,
        async run(name) {
          const run = await page.evaluate((wanted) => window.fetchArtifact?.(wanted), name)
          if (run === undefined) throw new Error('the portal did not load')
          if (run.keptPieces > 0) throw new Error(`${run.keptPieces} pieces were there already`)
          return run
        },
        runLong: (name) => runLong(page, { name, deadlineMs }),
        close: () => page.close(),
      }
    },
    async close() {
      await keeper.close()
      await site.close()
    },
  }
}

async function runLong(page: Page, { name, deadlineMs }: { readonly name: string; readonly deadlineMs: number }): Promise<ArtifactRun> {
  await page.evaluate((wanted) => {
    window.fetchArtifact?.(wanted).then(
      (run) => (window.longRun = run),
      (error: unknown) => (window.longRun = { error: String(error) }),
    )
  }, name)
  const endsAtMs = performance.now() + deadlineMs
  while (performance.now() < endsAtMs) {
    const run = await page.evaluate(() => window.longRun)
    if (run !== undefined && 'error' in run) throw new Error(run.error)
    if (run !== undefined) return run
    await sleep(POLL_MS)
  }
  throw new Error(`${name} was not there within ${deadlineMs} ms`)
}

/** Whatever an earlier page of this origin kept: pieces, statistics, service worker. */
async function forgetAll(cdp: CDPSession, url: string): Promise<void> {
  await cdp.send('Storage.clearDataForOrigin', { origin: new URL(url).origin, storageTypes: 'all' })
}

/** What `npm run build` made for a portal, by path. */
export async function readScripts(): Promise<Readonly<Record<string, string>>> {
  const dist = join(packageRoot(), 'dist')
  const chunks = (await readdir(join(dist, 'chunks'))).filter((name) => name.endsWith('.js')).map((name) => `chunks/${name}`)
  const names = ['page.js', 'engine.js', 'sw.js', ...chunks]
  return Object.fromEntries(await Promise.all(names.map(async (name) => [`/${name}`, await readFile(join(dist, name), 'utf8')] as const)))
}
