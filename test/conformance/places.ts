import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { verifyBundle } from '../../src/conformance/verify-bundle.ts'
import { startChromium, startFirefox, type FoundChromium, type LaunchedBrowser } from '../browser/start-browser.ts'
import { serveFiles, type StaticSite } from '../browser/serve.ts'
import { answerWith, type DrivenQuestion, type Verdict } from './answer.ts'

export const PLACES = ['page', 'service-worker', 'firefox', 'node'] as const
export type PlaceName = (typeof PLACES)[number]

/** Somewhere that judges. */
export interface Place {
  readonly name: PlaceName
  ask(question: DrivenQuestion): Promise<Verdict>
}

/** Judges where the runner itself runs, on the cryptography of Node. */
const nodePlace: Place = { name: 'node', ask: (question) => answerWith(verifyBundle, question) }

/** Below the root, as an outside runner may serve it. */
const FOLDER = '/served/somewhere/'

/** What the build left, served to browsers, with a service worker beside it that loads the same script. */
async function serveBuilt(folder: string): Promise<StaticSite> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  return await serveFiles({
    [`${FOLDER}index.html`]: await read('index.html'),
    [`${FOLDER}verify.js`]: await read('verify.js'),
    [`${FOLDER}worker.js`]: WORKER,
  })
}

const WORKER = `importScripts('verify.js')
const answer = ${answerWith.toString()}
addEventListener('install', () => skipWaiting())
addEventListener('message', (event) => event.waitUntil(answer(self.verifyBundle, event.data).then((verdict) => event.ports[0].postMessage(verdict))))`

/** Waits for the worker of this very page, so that no other can answer. */
const REGISTER = `navigator.serviceWorker.register('worker.js').then(async (registration) => {
  await navigator.serviceWorker.ready
  globalThis.askWorker = (question) => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = ({ data }) => resolve(data)
    registration.active.postMessage(question, [port2])
  })
  return true
})`

/** Opens the places that one Chromium holds. The caller closes the browser. */
async function openChromium(browser: LaunchedBrowser, site: StaticSite, names: readonly PlaceName[]): Promise<readonly Place[]> {
  const places: Place[] = []
  if (names.includes('page')) places.push(pagePlace('page', await openPage(browser, site)))
  if (names.includes('service-worker')) {
    const page = await openPage(browser, site)
    await page.evaluate(REGISTER)
    places.push({
      name: 'service-worker',
      ask: async (question) => verdictOf(await page.evaluate(`askWorker(${JSON.stringify(question)})`)),
    })
  }
  return places
}

async function openFirefox(browser: LaunchedBrowser, site: StaticSite): Promise<Place> {
  return pagePlace('firefox', await openPage(browser, site))
}

function pagePlace(name: PlaceName, page: Page): Place {
  const answer = answerWith.toString()
  return {
    name,
    ask: async (question) => verdictOf(await page.evaluate(`(${answer})(globalThis.verifyBundle, ${JSON.stringify(question)})`)),
  }
}

async function openPage({ browser }: LaunchedBrowser, site: StaticSite): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(new URL(`.${FOLDER}index.html`, site.url).href)
  return page
}

/** What came out of a browser was made by `answerWith`, which cannot be shown to the compiler. */
function verdictOf(value: unknown): Verdict {
  return value as Verdict
}

export interface FoundBrowsers {
  readonly chromium: FoundChromium | undefined
  /** Path of the executable. */
  readonly firefox: string | undefined
}

/** Why a place cannot be asked. */
export interface Absence {
  readonly why: string
  /** True: there is no such browser here. False: there is one, and it did not do. */
  readonly isNotInstalled: boolean
}

export interface OpenedPlaces {
  readonly places: readonly Place[]
  readonly missing: ReadonlyMap<PlaceName, Absence>
  close(): Promise<void>
}

/** Starts what the places need. A place whose browser is absent or does not start is missing, and says why. */
export async function openPlaces(folder: string, names: readonly PlaceName[], found: FoundBrowsers): Promise<OpenedPlaces> {
  let site: StaticSite | undefined
  const browsers: LaunchedBrowser[] = []
  const places: Place[] = []
  const missing = new Map<PlaceName, Absence>()
  const open = async (wanted: readonly PlaceName[], start: (() => Promise<LaunchedBrowser>) | undefined): Promise<void> => {
    const note = (absence: Absence): void => wanted.forEach((name) => missing.set(name, absence))
    if (wanted.length === 0) return
    if (start === undefined) return note({ why: 'its browser is not installed', isNotInstalled: true })
    try {
      site ??= await serveBuilt(folder)
      const browser = await start()
      browsers.push(browser)
      places.push(...(wanted.includes('firefox') ? [await openFirefox(browser, site)] : await openChromium(browser, site, wanted)))
    } catch (error) {
      note({ why: error instanceof Error ? error.message : String(error), isNotInstalled: false })
    }
  }
  const { chromium, firefox } = found
  const inChromium = names.filter((name) => name === 'page' || name === 'service-worker')
  const inFirefox = names.filter((name) => name === 'firefox')
  await open(inChromium, chromium && (() => startChromium(chromium)))
  await open(inFirefox, firefox === undefined ? undefined : () => startFirefox(firefox))
  if (names.includes('node')) places.push(nodePlace)
  return {
    places,
    missing,
    close: async () => {
      await Promise.all(browsers.map((browser) => browser.close()))
      await site?.close()
    },
  }
}
