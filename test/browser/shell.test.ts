import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { closePages, download, fetchIn, newPage, openPortal, waitForSdk } from './visitor.ts'

let publication: Publication
let chromium: LaunchedBrowser
let site: Site

beforeAll(async () => {
  ;[publication, chromium] = await Promise.all([publishFiles(), launchChromium()])
})

afterAll(async () => {
  await chromium.close()
  await publication.remove()
})

beforeEach(async () => {
  site = await startSite(publication)
})

afterEach(async () => {
  await closePages(chromium.browser)
  await site.close()
})

const isDelivered = () => ({ kind: 'delivered', sha256: publication.digests.agent })

describe('once the portal was visited, and while its own origin is gone', () => {
  test('a reload opens it, and downloads work', async () => {
    const page = await openPortal(chromium.browser, site.url)
    await site.portal.stop()
    await page.reload()
    await waitForSdk(page)
    expect(await page.title()).toBe('portal')
    expect(await page.evaluate(() => window.sealift?.hasController)).toBe(true)
    expect(await download(page, 'agent')).toMatchObject(isDelivered())
  })

  test('a new tab opens it, also by the name of its file, and downloads work', async () => {
    await (await openPortal(chromium.browser, site.url)).close()
    await site.portal.stop()
    const page = await openPortal(chromium.browser, `${site.url}index.html`)
    expect(await download(page, 'agent')).toMatchObject(isDelivered())
  })

  test('a virtual URL still leads to the verified file', async () => {
    const page = await openPortal(chromium.browser, site.url)
    await site.portal.stop()
    expect(await fetchIn(page, `/_sealift/name/agent/${FILES.agent.filename}`)).toMatchObject({
      status: 200,
      sha256: publication.digests.agent,
    })
    const other = await newPage(chromium.browser)
    await other.goto(`${site.url}_sealift/name/agent/${FILES.agent.filename}`)
    await other.waitForFunction(() => document.querySelector('#sealift-state')?.textContent?.includes('is verified and saved'))
  })

  test('what was downloaded before needs no source at all', async () => {
    const page = await openPortal(chromium.browser, site.url)
    expect(await download(page, 'agent')).toMatchObject(isDelivered())
    await Promise.all([site.portal.stop(), site.cdn.set('down')])
    await page.reload()
    await waitForSdk(page)
    expect(await download(page, 'agent')).toMatchObject(isDelivered())
  })

  test('what the shell does not hold is not made up', async () => {
    const page = await openPortal(chromium.browser, site.url)
    await site.portal.stop()
    expect(await fetchIn(page, '/other.json')).toBeUndefined()
  })
})

test('without a visit before, nothing opens', async () => {
  await site.portal.stop()
  const page = await newPage(chromium.browser)
  await expect(page.goto(site.url)).rejects.toThrow('net::ERR_CONNECTION_REFUSED')
})
