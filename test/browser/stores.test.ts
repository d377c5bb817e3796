import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleScript } from './bundle.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { serveFiles, type StaticSite } from './serve.ts'
import { SUITES, type CaseResult } from './store-suites.ts'

const PAGE = '<!doctype html><title>stores</title>'
let site: StaticSite
let chromium: LaunchedBrowser
let results: readonly CaseResult[]

beforeAll(async () => {
  site = await serveFiles({ '/index.html': PAGE, '/worker.js': await bundleScript('./store-worker.ts') })
  chromium = await launchChromium()
  const page = await chromium.browser.newPage()
  await page.goto(site.url)
  results = await page.evaluate(runInWorker, Object.keys(SUITES))
})

afterAll(async () => {
  await chromium.close()
  await site.close()
})

describe.each(Object.entries(SUITES))('%s', (suite, names) => {
  test.each(names)('%s', (name) => {
    const result = results.find((one) => one.suite === suite && one.name === name)
    expect(result, 'it ran').toBeDefined()
    expect(result?.error).toBeUndefined()
  })
})

/** Runs in the page. */
function runInWorker(suites: string[]): Promise<CaseResult[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker('/worker.js')
    const channel = new MessageChannel()
    worker.addEventListener('error', (event) => reject(new Error(event.message)))
    channel.port1.addEventListener('message', (event) => resolve(event.data))
    channel.port1.start()
    worker.postMessage(suites, [channel.port2])
  })
}
