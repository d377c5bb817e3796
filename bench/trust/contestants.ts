import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'puppeteer-core'
import { serveFiles, type StaticSite } from '../../test/browser/serve.ts'
import type { BenchTools } from '../tools.ts'
import type { Outcome, TrustJob } from './job.ts'

type Module = { readonly run: (job: TrustJob) => Promise<Outcome> }

declare global {
  interface Window {
    readonly ours?: Module & { readonly runRemembering: (job: TrustJob) => Promise<Outcome & { readonly judged: number }> }
    readonly rival?: Module
  }
}

/** Judges the bundles of a job somewhere that nothing was judged before: a fresh renderer process, or a fresh process of Node. */
export interface Contestant {
  readonly name: string
  readonly run: (job: TrustJob, browser: Browser) => Promise<Outcome>
}

export interface Arena {
  readonly contestants: readonly Contestant[]
  close(): Promise<void>
}

const DEADLINE_MS = 60_000

export async function openArena(tools: BenchTools): Promise<Arena> {
  const ours = await tools.bundle({ entry: built('./ours.js'), name: 'ours' })
  const rival = await tools.bundle({ entry: built('./rival.js'), name: 'rival' })
  const site = await serveFiles({
    '/ours.html': '<!doctype html><title>ours</title><script src="/ours.js"></script>',
    '/rival.html': '<!doctype html><title>rival</title><script src="/rival.js"></script>',
    '/empty.html': '<!doctype html><title>empty</title>',
    '/ours.js': ours,
    '/rival.js': rival,
  })
  const inPage = (path: string, work: (page: Page, job: TrustJob) => Promise<Outcome>) => (job: TrustJob, browser: Browser) =>
    inFreshContext(browser, (open) => open(site, path).then((page) => work(page, job)))
  return {
    contestants: [
      { name: 'Sealift, in a page', run: inPage('ours.html', (page, job) => page.evaluate((given) => window.ours!.run(given), job)) },
      {
        name: '@freedomofpress/sigstore-browser 0.1.11, in a page',
        run: inPage('rival.html', (page, job) => page.evaluate((given) => window.rival!.run(given), job)),
      },
      { name: 'Sealift, in a worker', run: inPage('empty.html', runInWorker) },
      { name: 'Sealift, in a service worker', run: inPage('empty.html', runInServiceWorker) },
      { name: 'Sealift, remembered from an earlier page', run: (job, browser) => runRemembered(site, job, browser) },
      { name: 'Sealift, in Node', run: (job) => runInNode('ours', job) },
      { name: '@sigstore/verify 4.1.3, in Node', run: (job) => runInNode('stock', job) },
    ],
    close: () => site.close(),
  }
}

type Open = (site: StaticSite, path: string) => Promise<Page>

/** A browser context has renderer processes of its own, so nothing is compiled or optimized yet. */
async function inFreshContext<T>(browser: Browser, work: (open: Open) => Promise<T>): Promise<T> {
  const context = await browser.createBrowserContext()
  try {
    return await work(async (site, path) => {
      const page = await context.newPage()
      page.setDefaultTimeout(DEADLINE_MS)
      await page.goto(site.url + path)
      return page
    })
  } finally {
    await context.close()
  }
}

async function runInWorker(page: Page, job: TrustJob): Promise<Outcome> {
  return await page.evaluate(async (given) => {
    const { port1, port2 } = new MessageChannel()
    new Worker('/ours.js').postMessage(given, [port2])
    return await new Promise<Outcome>((resolve) => {
      port1.addEventListener('message', (event: MessageEvent<Outcome>) => resolve(event.data))
      port1.start()
    })
  }, job)
}

async function runInServiceWorker(page: Page, job: TrustJob): Promise<Outcome> {
  return await page.evaluate(async (given) => {
    await navigator.serviceWorker.register('/ours.js')
    const { active } = await navigator.serviceWorker.ready
    const { port1, port2 } = new MessageChannel()
    active?.postMessage(given, [port2])
    return await new Promise<Outcome>((resolve) => {
      port1.addEventListener('message', (event: MessageEvent<Outcome>) => resolve(event.data))
      port1.start()
    })
  }, job)
}

/** The second page of one context: the first has judged, the second only remembers. */
async function runRemembered(site: StaticSite, job: TrustJob, browser: Browser): Promise<Outcome> {
  return await inFreshContext(browser, async (open) => {
    const first = await open(site, 'ours.html')
    await first.evaluate((given) => window.ours!.runRemembering(given), job)
    await first.close()
    const page = await open(site, 'ours.html')
    const { judged, ...outcome } = await page.evaluate((given) => window.ours!.runRemembering(given), job)
    return judged === 0 ? outcome : { refusal: `${judged} bundles were judged again` }
  })
}

async function runInNode(who: 'ours' | 'stock', job: TrustJob): Promise<Outcome> {
  const child = spawn(process.execPath, [built('./node-contestant.js'), who], { stdio: ['pipe', 'pipe', 'inherit'], timeout: DEADLINE_MS })
  child.stdin.end(JSON.stringify(job))
  return JSON.parse(await text(child.stdout))
}

/** What `npm run build` has made of a file beside this one. */
export function built(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
