import type { Page } from 'puppeteer-core'
import { bundleScript } from './bundle.ts'
import type { LaunchedBrowser } from './launch.ts'
import { serveFiles, type StaticSite } from './serve.ts'
import type { LabAnswers, LabRequest } from './store-lab.ts'

/** A policy without `wasm-unsafe-eval`. */
const STRICT = { 'content-security-policy': "script-src 'self'; worker-src 'self'" }

/** A site whose pages give tests a hand on real storage. */
export async function serveLab(): Promise<StaticSite> {
  const worker = await bundleScript('./store-worker.ts')
  const hasher = await bundleScript('../../src/engine/hash-worker.ts')
  return await serveFiles(
    {
      '/index.html': '<!doctype html><title>stores</title><script src="/page.js"></script>',
      '/page.js': await bundleScript('./store-page.ts'),
      '/worker.js': worker,
      '/strict-worker.js': worker,
      '/hasher.js': hasher,
      '/files.js': await bundleScript('../../src/engine/file-worker.ts'),
      '/strict-hasher.js': hasher,
    },
    { '/strict-worker.js': STRICT, '/strict-hasher.js': STRICT },
  )
}

export async function openLab(browser: LaunchedBrowser, site: StaticSite): Promise<Page> {
  const page = await browser.browser.newPage()
  await page.goto(site.url)
  return page
}

type Of<Kind extends LabRequest['kind']> = Extract<LabRequest, { readonly kind: Kind }>

/** Asks a dedicated worker of the page. */
export async function askWorker<Kind extends LabRequest['kind']>(
  page: Page,
  request: Of<Kind>,
  script = '/worker.js',
): Promise<LabAnswers[Kind]> {
  return answered<Kind>(await page.evaluate((asked, path) => window.askWorker(asked, path), request as LabRequest, script))
}

/** Asks the service worker of the page. */
export async function askServiceWorker<Kind extends LabRequest['kind']>(page: Page, request: Of<Kind>): Promise<LabAnswers[Kind]> {
  return answered<Kind>(await page.evaluate((asked) => window.askServiceWorker(asked), request as LabRequest))
}

/** The worker answers each request with its own kind of answer; across a browser that cannot be shown to the compiler. */
function answered<Kind extends LabRequest['kind']>(answer: unknown): LabAnswers[Kind] {
  return answer as LabAnswers[Kind]
}
