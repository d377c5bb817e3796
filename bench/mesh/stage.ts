import type { Browser, Page } from 'puppeteer-core'
import { launchBrowser, type FoundBrowser } from '../../test/drills/browser.ts'
import type { Side } from './relay-process.ts'
import { startRelay } from './relay.ts'
import type { Setup } from './setups.ts'
import { watchPage, type PageWatch } from './watch-page.ts'

/** The browsers of one set-up, the same for every contestant. */
export interface Stage {
  readonly setup: Setup
  readonly browsers: readonly Browser[]
  /** A signaling server as pages of one side reach it. */
  signaling(url: string, side: Side): Promise<string>
  /** Pages on origins of their own: each has its own process and its own storage, as another machine would. @param at 0: whoever takes */
  open(url: string, at: number): Promise<Page>
  /** Forgets whatever an earlier page of this origin kept. */
  forget(url: string, at: number): Promise<void>
  /** Processor time of all processes of all browsers so far, in seconds. */
  cpuSeconds(): Promise<number>
  close(): Promise<void>
}

/** A browser in the background must not save power: nobody watches. */
const ARGS = ['--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows']
const PAGE_MS = 180_000

export async function openStage(setup: Setup, found: FoundBrowser): Promise<Stage> {
  const count = setup.isSeparate ? 1 + setup.seeders : 1
  const launched = await Promise.all(Array.from({ length: count }, () => launchBrowser(found, { args: ARGS })))
  // Only a page may ask for it to be forgotten.
  const keepers = await Promise.all(
    launched.map(async ({ browser }) => {
      const page = await browser.newPage()
      return await page.createCDPSession()
    }),
  )
  const relay = setup.path === undefined ? undefined : await startRelay(setup.path)
  const browserOf = (at: number): Browser => {
    const browser = launched[at % count]?.browser
    if (browser === undefined) throw new Error(`no browser ${at}`)
    return browser
  }
  return {
    setup,
    browsers: launched.map(({ browser }) => browser),
    signaling: async (url, side) => (relay === undefined ? url : await relay.proxy(url, side)),
    async open(url, at) {
      const page = await browserOf(at).newPage()
      page.setDefaultTimeout(PAGE_MS)
      await page.evaluateOnNewDocument(watchPage)
      await page.goto(url)
      return page
    },
    async forget(url, at) {
      await keepers[at % count]?.send('Storage.clearDataForOrigin', { origin: new URL(url).origin, storageTypes: 'all' })
    },
    async cpuSeconds() {
      const all = await Promise.all(launched.map(({ browser }) => cpuSecondsOf(browser)))
      return all.reduce((sum, seconds) => sum + seconds, 0)
    },
    async close() {
      await Promise.all(launched.map((one) => one.close()))
      await relay?.close()
    },
  }
}

async function cpuSecondsOf(browser: Browser): Promise<number> {
  const cdp = await browser.target().createCDPSession()
  const { processInfo } = await cdp.send('SystemInfo.getProcessInfo')
  await cdp.detach()
  return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0)
}

/** What a page noted, times in ms from its contestant's start. */
export async function readWatch(page: Page): Promise<PageWatch> {
  return await page.evaluate(() => {
    if (window.meshWatch === undefined) throw new Error('nothing was noted in this page')
    return window.meshWatch
  })
}

/** Another site than every other number's, by a name that browsers keep on this machine (RFC 6761). */
export function siteOf(port: number, at: number): string {
  return `http://${at === 0 ? 'leech' : `seed-${at}`}.localhost:${port}/`
}
