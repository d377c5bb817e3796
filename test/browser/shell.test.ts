import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasFirefox, launchChromium, launchFirefox, type LaunchedBrowser } from './launch.ts'
import { FILES, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { closePages, download, fetchIn, newPage, openPortal, waitForSdk } from './visitor.ts'

const BROWSERS = [{ name: 'Chromium', launch: launchChromium }, ...(hasFirefox() ? [{ name: 'Firefox', launch: launchFirefox }] : [])]

let publication: Publication
let site: Site

beforeAll(async () => {
  publication = await publishFiles()
})

afterAll(async () => {
  await publication.remove()
})

beforeEach(async () => {
  site = await startSite(publication)
})

afterEach(async () => {
  await site.close()
})

const isDelivered = () => ({ kind: 'delivered', sha256: publication.digests.agent })

describe.each(BROWSERS)('$name', ({ launch }) => {
  let launched: LaunchedBrowser

  beforeAll(async () => {
    launched = await launch()
  })

  afterAll(async () => {
    await launched.close()
  })

  afterEach(async () => {
    await closePages(launched.browser)
  })

  describe('once the portal was visited, and while its own origin is gone', () => {
    test('a reload opens it, and downloads work', async () => {
      const page = await openPortal(launched.browser, site.url)
      await site.portal.stop()
      await page.reload()
      await waitForSdk(page)
      expect(await page.title()).toBe('portal')
      expect(await page.evaluate(() => window.sealift?.hasController)).toBe(true)
      expect(await download(page, 'agent')).toMatchObject(isDelivered())
    })

    test('a new tab opens it, also by the name of its file, and downloads work', async () => {
      await (await openPortal(launched.browser, site.url)).close()
      await site.portal.stop()
      const page = await openPortal(launched.browser, `${site.url}index.html`)
      expect(await download(page, 'agent')).toMatchObject(isDelivered())
    })

    test('a virtual URL still leads to the verified file', async () => {
      const page = await openPortal(launched.browser, site.url)
      await site.portal.stop()
      expect(await fetchIn(page, `/_sealift/name/agent/${FILES.agent.filename}`)).toMatchObject({
        status: 200,
        sha256: publication.digests.agent,
      })
      const other = await newPage(launched.browser)
      await other.goto(`${site.url}_sealift/name/agent/${FILES.agent.filename}`)
      // Asked from outside: waiting inside needs `Function()`, which the policy of this page forbids (seen in Firefox 140).
      const state = (): Promise<string | null | undefined> => other.evaluate(() => document.querySelector('#sealift-state')?.textContent)
      await expect.poll(state, { timeout: 30_000 }).toContain('is verified and saved')
    })

    test('what was downloaded before needs no source at all', async () => {
      const page = await openPortal(launched.browser, site.url)
      expect(await download(page, 'agent')).toMatchObject(isDelivered())
      await Promise.all([site.portal.stop(), site.cdn.set('down')])
      await page.reload()
      await waitForSdk(page)
      expect(await download(page, 'agent')).toMatchObject(isDelivered())
    })

    test('what the shell does not hold is not made up', async () => {
      const page = await openPortal(launched.browser, site.url)
      await site.portal.stop()
      expect(await fetchIn(page, '/other.json')).toBeUndefined()
    })
  })

  test('without a visit before, nothing opens', async () => {
    await site.portal.stop()
    const page = await newPage(launched.browser)
    await expect(page.goto(site.url)).rejects.toThrow(/CONNECTION_REFUSED/)
  })
})
