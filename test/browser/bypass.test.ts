import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openRoom } from './room.ts'
import { ALIAS, FILES, hashFile } from './site.ts'
import { fetchIn, hardReload, newPage, openPortal, watchDownloads, type SavedFiles } from './visitor.ts'

const VIRTUAL = `/_sealift/name/agent/${FILES.agent.filename}`

let downloadDir: string
let saved: SavedFiles

// Declared before the room's, and so run after them: until then a page may still be saving.
afterEach(() => rm(downloadDir, { recursive: true, force: true }))

const room = openRoom()

beforeEach(async () => {
  downloadDir = await mkdtemp(join(tmpdir(), 'sealift-downloads-'))
  saved = await watchDownloads(room.chromium.browser, downloadDir)
})

afterEach(() => saved.stop())

/** What the portal's own origin answered below the virtual prefix. */
const pastTheWorker = () => room.site.requests.filter(({ path }) => path.startsWith('/_sealift/')).map(({ status }) => status)

async function expectVerifiedFile(): Promise<void> {
  expect(await saved.next()).toEqual({ state: 'completed', suggestedName: FILES.agent.filename })
  expect(await readdir(downloadDir)).toEqual([FILES.agent.filename])
  expect(await hashFile(join(downloadDir, FILES.agent.filename))).toBe(room.publication.digests.agent)
  expect(pastTheWorker()).toEqual([])
}

/** The request went past the worker; the origin had nothing, and no file was made. */
async function expectNothing(): Promise<void> {
  await expect.poll(pastTheWorker, { timeout: 10_000 }).not.toEqual([])
  expect(new Set(pastTheWorker())).toEqual(new Set([404]))
  await expect.poll(() => saved.running, { timeout: 10_000 }).toBe(0)
  expect(saved.all.filter(({ state }) => state === 'completed')).toEqual([])
  expect(await readdir(downloadDir)).toEqual([])
}

async function clickLink(page: Page, attributes: Readonly<Record<string, string>>): Promise<void> {
  await page.evaluate(
    (url, given) => {
      const link = document.createElement('a')
      link.href = url
      link.textContent = 'agent'
      for (const [name, value] of Object.entries(given)) link.setAttribute(name, value)
      document.body.append(link)
      link.click()
    },
    VIRTUAL,
    attributes,
  )
}

describe('a virtual URL ends in the verified file', () => {
  test('when it is navigated to', async () => {
    await openPortal(room.chromium.browser, room.site.url)
    const page = await newPage(room.chromium.browser)
    await page.goto(new URL(VIRTUAL, room.site.url).href)
    await expectVerifiedFile()
    await page.waitForFunction(() => document.querySelector('#sealift-state')?.textContent?.includes('is verified and saved'))
  })

  test('when a link opens it in a new tab', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await clickLink(page, { target: '_blank', rel: 'noopener' })
    await expectVerifiedFile()
  })

  test('when a plain link of the page is followed', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await clickLink(page, {})
    await expectVerifiedFile()
  })

  test('when a guarded link is clicked, which then does not go past the worker although it says download', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await page.evaluate(() => window.sealift?.guardLinks())
    await clickLink(page, { download: '' })
    await expectVerifiedFile()
    expect(page.url()).toBe(room.site.url)
  })
})

test('a guarded link to a plain URL ends in the verified file too, once the catalogue is there', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await page.evaluate((url) => {
    window.sealift?.guardLinks()
    const link = document.createElement('a')
    link.href = url
    link.id = 'plain'
    document.body.append(link)
    // The page's last word on each click: who was not guarded goes nowhere.
    window.addEventListener('click', (event) => {
      if (event.target !== link) return
      if (event.defaultPrevented) link.dataset['guarded'] = 'yes'
      event.preventDefault()
    })
  }, ALIAS)
  await page.waitForFunction(
    () => {
      const link = document.querySelector<HTMLElement>('#plain')
      link?.click()
      return link?.dataset['guarded'] === 'yes'
    },
    { polling: 50 },
  )
  expect(await saved.next()).toEqual({ state: 'completed', suggestedName: FILES.notes.filename })
  expect(await hashFile(join(downloadDir, FILES.notes.filename))).toBe(room.publication.digests.notes)
})

test('a navigation to a name that nobody published says so, and saves nothing', async () => {
  await openPortal(room.chromium.browser, room.site.url)
  const page = await newPage(room.chromium.browser)
  await page.goto(new URL('/_sealift/name/nothing/nothing.tar.gz', room.site.url).href)
  await page.waitForFunction(() => document.querySelector('#sealift-state')?.textContent?.includes('artifact-unknown'))
  expect(await readdir(downloadDir)).toEqual([])
})

describe('a virtual URL that gets past the service worker ends in nothing', () => {
  test('by a link that says download, where nobody guards it', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await clickLink(page, { download: '' })
    expect(await saved.next()).toMatchObject({ state: 'canceled' })
    await expectNothing()
  })

  test('in a sandboxed frame', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await page.evaluate((url) => {
      const frame = document.createElement('iframe')
      frame.setAttribute('sandbox', 'allow-downloads allow-scripts')
      frame.src = url
      document.body.append(frame)
    }, VIRTUAL)
    await expectNothing()
  })

  test('by a hard reload', async () => {
    await openPortal(room.chromium.browser, room.site.url)
    const page = await newPage(room.chromium.browser)
    await page.goto(new URL(VIRTUAL, room.site.url).href)
    await expectVerifiedFile()
    await rm(join(downloadDir, FILES.agent.filename))
    await hardReload(page)
    expect(pastTheWorker()).toEqual([404])
    expect(await page.evaluate(() => document.body.textContent)).toBe('not found\n')
    expect(await readdir(downloadDir)).toEqual([])
  })

  test('by the switch of the developer tools', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const session = await page.createCDPSession()
    await session.send('Network.enable')
    await session.send('Network.setBypassServiceWorker', { bypass: true })
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain' } })
    await page.goto(new URL(VIRTUAL, room.site.url).href)
    await expectNothing()
  })

  test('after the worker was taken out and the page reloaded', async () => {
    await openPortal(room.chromium.browser, room.site.url)
    const page = await newPage(room.chromium.browser)
    await page.goto(`${room.site.url}plain.html`)
    await page.evaluate(async () => {
      for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister()
    })
    await closeOthers(page)
    await page.reload()
    expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 404 })
    await page.goto(new URL(VIRTUAL, room.site.url).href)
    await expectNothing()
  })
})

/** A registration ends with its last page. */
async function closeOthers(page: Page): Promise<void> {
  for (const other of await room.chromium.browser.pages()) if (other !== page && other.url() !== 'about:blank') await other.close()
}
