import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'puppeteer-core'
import { NO_SOURCES, demand, type DrillRoom, type Outcome, type Scenario } from './scenario.ts'
import { openPortal, waitForController } from './visit.ts'

/** Long enough for a browser to finish a download of a megabyte that it was going to finish. */
const SETTLE_MS = 4000

/** Ways past the service worker. Whatever comes of them, a finished file is the signed one or there is none. */
export const bypassScenarios: readonly Scenario[] = [
  { group: 'bypass', name: 'a link with the download attribute', run: (room) => attempt(room, clickDownloadLink) },
  { group: 'bypass', name: 'a link opened in a new tab', run: (room) => attempt(room, openInNewTab) },
  { group: 'bypass', name: 'a link after a hard reload', run: (room) => attempt(room, hardReload) },
  { group: 'bypass', name: 'a sandboxed frame', run: (room) => attempt(room, sandboxedFrame) },
  { group: 'bypass', name: 'the same links without any service worker', run: (room) => attempt(room, withoutWorker) },
]

interface Tour {
  readonly page: Page
  readonly browser: Browser
  readonly url: string
}

async function attempt(room: DrillRoom, way: (tour: Tour) => Promise<void>): Promise<Outcome> {
  const { stack, small } = room
  // Every server lies: if a byte gets through unverified, it is a wrong one.
  for (const part of ['cdn-1', 'cdn-2', 'gateway'] as const) await stack.set(part, 'wrong-bytes')
  const { browser } = await room.launch()
  const downloads = await allowDownloads(browser, stack.workDir)
  const page = await openPortal(browser, stack.urls.portal)
  await waitForController(page)
  const filename = `${small.name}-${small.version}.tgz`
  await way({ page, browser, url: `/_sealift/sha256/${small.artifact.sha256}/${filename}` })
  await sleep(SETTLE_MS)
  for (const file of await readdir(downloads)) {
    // What the browser has not finished carries a name of its own.
    if (file.endsWith('.crdownload')) continue
    const sha256 = createHash('sha256')
      .update(await readFile(join(downloads, file)))
      .digest('hex')
    demand(sha256 === small.artifact.sha256, `no unverified byte is a finished file, but ${file} is`)
  }
  const asked = stack.portalRequests.filter(({ path }) => path.startsWith('/_sealift/'))
  demand(
    asked.every(({ status }) => status === 404),
    'the origin answers 404 to every virtual URL',
  )
  return { recoveryMs: null, sources: NO_SOURCES }
}

async function allowDownloads(browser: Browser, workDir: string): Promise<string> {
  await mkdir(workDir, { recursive: true })
  const downloadPath = await mkdtemp(join(workDir, 'downloads-'))
  const session = await browser.target().createCDPSession()
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath })
  return downloadPath
}

async function clickDownloadLink({ page, url }: Tour): Promise<void> {
  await page.evaluate((href) => {
    const link = document.createElement('a')
    link.href = href
    link.download = 'file.tgz'
    document.body.append(link)
    link.click()
  }, url)
}

async function openInNewTab({ browser, page, url }: Tour): Promise<void> {
  const tab = await browser.newPage()
  const response = await tab.goto(new URL(url, page.url()).href, { waitUntil: 'domcontentloaded' }).catch(() => undefined)
  const type = response?.headers()['content-type'] ?? ''
  demand(
    response === undefined || response === null || type.startsWith('text/html') || response.status() >= 400,
    `a page or an error is shown, not ${type}`,
  )
}

async function hardReload({ page, url }: Tour): Promise<void> {
  const session = await page.createCDPSession()
  const loaded = page.waitForNavigation({ waitUntil: 'domcontentloaded' })
  await session.send('Page.reload', { ignoreCache: true })
  await loaded
  const status = await page.evaluate(async (href) => (await fetch(href)).status, url)
  demand(status >= 400, `a plain fetch is refused, not answered ${status}`)
  await clickDownloadLink({ page, browser: page.browser(), url })
}

async function sandboxedFrame({ page, url }: Tour): Promise<void> {
  await page.evaluate((src) => {
    for (const rules of ['', 'allow-downloads', 'allow-scripts allow-downloads']) {
      const frame = document.createElement('iframe')
      frame.setAttribute('sandbox', rules)
      frame.src = src
      document.body.append(frame)
    }
  }, url)
}

async function withoutWorker(tour: Tour): Promise<void> {
  await tour.page.evaluate(async () => {
    for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister()
  })
  await openInNewTab(tour)
  await clickDownloadLink(tour)
}
