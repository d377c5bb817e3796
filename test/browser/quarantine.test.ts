import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { closePages, download, endOf, fetchIn, kept, newPage, openPortal, startDownload, waitForPieces } from './visitor.ts'

const MIB = 1024 * 1024

let publication: Publication
let chromium: LaunchedBrowser
let site: Site

beforeAll(async () => {
  chromium = await launchChromium()
})

afterAll(() => chromium.close())

beforeEach(async () => {
  publication = await publishFiles({ refreshSeconds: 1 })
  site = await startSite(publication)
})

afterEach(async () => {
  await closePages(chromium.browser)
  await site.close()
  await publication.remove()
})

/** Deletion goes on in the background, as soon as nobody holds the artifact. */
const expectNothingKept = (page: Page): Promise<void> =>
  vi.waitFor(async () => {
    const { files, rows } = await kept(page)
    // The catalogue's floor has nothing of an artifact, and stays.
    expect(files.filter((name) => !name.includes('-floor'))).toEqual(['sealift'])
    expect(rows).toMatchObject({ artifacts: 0, pieces: 0, pieceBlobs: 0 })
  }, 10_000)

const denied = { kind: 'refused', code: 'artifact-denied', nextStep: expect.stringContaining('withdrawn') as unknown }

test('what the publisher withdraws is gone from a browser as soon as one tab knows, downloads of other tabs included, and stays away offline', async () => {
  const page = await openPortal(chromium.browser, site.url)
  expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered' })
  await site.cdn.set({ rateBytesPerSecond: 2 * MIB })
  await startDownload(page, 'image')
  await waitForPieces(page, 3)
  await publication.deny(['notes', 'image'])
  const other = await openPortal(chromium.browser, site.url)
  await other.evaluate(() => window.sealift?.list())
  expect(await endOf(page)).toEqual(denied)
  await expectNothingKept(page)
  await site.cdn.set('down')
  for (const name of ['notes', 'image'] as const) {
    expect(await fetchIn(page, `/_sealift/sha256/${publication.digests[name]}/${FILES[name].filename}`)).toMatchObject({
      status: 410,
      headers: { 'sealift-code': 'artifact-denied' },
    })
  }
})

test('what another tab had kept of it is deleted at the next start, with the CDN and the portal down', async () => {
  const page = await openPortal(chromium.browser, site.url)
  expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered' })
  // The browser dies right after the new catalogue was kept: a lock that nobody lets go of stands for that.
  const holder = await newPage(chromium.browser)
  await holder.goto(`${site.url}plain.html`)
  await holder.evaluate((sha256) => {
    void navigator.locks.request(`sealift-artifact:${sha256}`, () => new Promise(() => undefined))
  }, publication.digests.notes)
  await publication.deny(['notes'])
  await page.evaluate(() => window.sealift?.list())
  expect((await kept(page)).rows).toMatchObject({ artifacts: 1, pieces: FILES.notes.pieces })
  await page.close()
  await holder.close()
  await Promise.all([site.cdn.set('down'), site.portal.stop()])
  const again = await openPortal(chromium.browser, site.url)
  await expectNothingKept(again)
})
