import type { Browser, BrowserContext, Page } from 'puppeteer-core'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '../../src/node/authority/authority.ts'
import { authoritySigner } from '../../src/node/publish/publish-signer.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { javascript, publishFiles, startSite, type Publication, type Site } from '../../test/browser/site.ts'
import type { BenchTools } from '../tools.ts'
import { built } from './contestants.ts'
import { CLAIMS } from './jobs.ts'

declare global {
  interface Window {
    checked?: number
    longTasks?: number[]
    visit?: () => Promise<number>
  }
}

/** One visit of a portal, from opening the engine to the verified file. */
export interface Visit {
  readonly tookMs: number
  /** Bundles that Sigstore's verifier was asked about. */
  readonly checked: number
  /** Longest time that the page could not react, in ms; 0 below 50, which no browser tells. */
  readonly longestTaskMs: number
}

export interface Portal {
  /** Nothing is kept here. */
  first(context: BrowserContext): Promise<Visit>
  /** Catalogue, artifact and verdicts are kept. */
  again(context: BrowserContext): Promise<Visit>
  /** Catalogue and artifact are kept, and no verdict. */
  forgetful(context: BrowserContext): Promise<Visit>
  close(): Promise<void>
}

const DEADLINE_MS = 60_000

const APP = `
import { register } from '/page.js'
window.checked = 0
window.longTasks = []
new BroadcastChannel('bundles').onmessage = () => window.checked++
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((task) => task.duration))).observe({ type: 'longtask' })
window.visit = async () => {
  const started = performance.now()
  const sealift = await register()
  await sealift.download('agent').result
  return performance.now() - started
}
`

/** A portal with a CDN whose files an authority has signed and attested, and an engine that counts what it checks. */
export async function openPortal(tools: BenchTools): Promise<Portal> {
  const dir = await mkdtemp(join(tmpdir(), 'sealift-bench-'))
  const authority = await openAuthority(dir, { clock: systemClock })
  const run = { commit: 'a'.repeat(40), invocationId: 'https://github.com/acme/agent/actions/runs/1/attempts/1' }
  const publication: Publication = await publishFiles({
    signer: authoritySigner(authority, { claims: CLAIMS, clock: systemClock, run }),
  })
  const site: Site = await startSite(publication)
  site.files.set('/engine.js', javascript(await tools.bundle({ entry: built('./counting-engine.js'), name: 'engine' })))
  site.files.set('/app.js', javascript(APP))
  const visit = async (context: BrowserContext): Promise<Visit> => {
    const page = await openPage(context, site.url)
    const seen = await page.evaluate(async () => ({
      tookMs: (await window.visit?.()) ?? 0,
      checked: window.checked ?? 0,
      longestTaskMs: Math.max(0, ...(window.longTasks ?? [])),
    }))
    await waitUntilKept(page, 3)
    await page.close()
    return seen
  }
  return {
    first: visit,
    again: visit,
    async forgetful(context) {
      const page = await openPage(context, `${site.url}plain.html`)
      await forgetVerdicts(page)
      await page.close()
      return await visit(context)
    },
    async close() {
      await site.close()
      await publication.remove()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Runs with a browser context of its own. */
export async function inContext<T>(browser: Browser, work: (context: BrowserContext) => Promise<T>): Promise<T> {
  const context = await browser.createBrowserContext()
  try {
    return await work(context)
  } finally {
    await context.close()
  }
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  page.setDefaultTimeout(DEADLINE_MS)
  await page.goto(url)
  return page
}

/** Verdicts are kept behind the download's back. */
async function waitUntilKept(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    async (wanted) => {
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open('sealift')
        opening.addEventListener('success', () => resolve(opening.result))
        opening.addEventListener('error', () => reject(opening.error))
      })
      const keys = await new Promise<IDBValidKey[]>((resolve) => {
        const asking = db.transaction('records').objectStore('records').getAllKeys()
        asking.addEventListener('success', () => resolve(asking.result))
      })
      db.close()
      return keys.filter((key) => typeof key === 'string' && key.startsWith('verdict:')).length >= wanted
    },
    { polling: 20 },
    count,
  )
}

async function forgetVerdicts(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open('sealift')
        opening.addEventListener('error', () => reject(opening.error))
        opening.addEventListener('success', () => {
          const tx = opening.result.transaction('records', 'readwrite')
          tx.objectStore('records').delete(IDBKeyRange.bound('verdict:', 'verdict;'))
          tx.addEventListener('complete', () => {
            opening.result.close()
            resolve()
          })
        })
      }),
  )
}
