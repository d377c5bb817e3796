import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import { decideAll } from '../trust/decision.ts'
import { makeQuestions } from '../trust/decision-cases.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { serveFiles, type StaticSite } from './serve.ts'

// Dozens of bundles in each place: a starved machine takes its time over them. `SEALIFT_RUNS=1` asks for all that there are.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

declare global {
  interface Window {
    readonly decision: { readonly decideAll: typeof decideAll }
  }
}

const ENTRY = fileURLToPath(new URL('../trust/decision.ts', import.meta.url))
/** The service worker is the same script, which answers messages. */
const ANSWER = `;addEventListener('message', ({ data, ports: [port] }) => decision.decideAll(data).then((told) => port.postMessage(told), (error) => port.postMessage(String(error))))`

let chromium: LaunchedBrowser
let site: StaticSite
let page: Page
let questions: string
let inNode: readonly string[]

beforeAll(async () => {
  const code = await bundleForBrowser({ entry: ENTRY, name: 'decision' })
  questions = JSON.stringify(await makeQuestions())
  site = await serveFiles({
    '/index.html': '<!doctype html><title>decisions</title><script src="/decision.js"></script>',
    '/decision.js': code,
    '/worker.js': code + ANSWER,
    '/questions.json': questions,
  })
  chromium = await launchChromium()
  page = await chromium.browser.newPage()
  await page.goto(site.url)
  inNode = await decideAll(questions)
})

afterAll(async () => {
  await chromium.close()
  await site.close()
})

describe('tr16.conformance: each kind of bundle and of catalogue gets the verdict that Node gives, fact for fact,', () => {
  test('in a page', async () => {
    const inPage = await page.evaluate(async () => window.decision.decideAll(await (await fetch('/questions.json')).text()))
    expect(inPage).toEqual(inNode)
    expect(inPage.length).toBeGreaterThan(50)
  })

  test('in a service worker', async () => {
    const inWorker: unknown = await page.evaluate(async () => {
      await navigator.serviceWorker.register('/worker.js')
      const { active } = await navigator.serviceWorker.ready
      const text = await (await fetch('/questions.json')).text()
      const { port1, port2 } = new MessageChannel()
      return await new Promise((resolve) => {
        port1.addEventListener('message', ({ data }) => resolve(data))
        port1.start()
        active?.postMessage(text, [port2])
      })
    })
    expect(inWorker).toEqual(inNode)
  })
})
