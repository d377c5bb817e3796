import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseCatalogue } from '../../src/core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { FILES, publishFiles, startSite, type Publication, type Site, type SiteChoices } from './site.ts'
import { closePages, download, eventsOf, fetchIn, kept, newPage, openPortal } from './visitor.ts'

const DAY = 86_400
const FLOOR_FILE = 'sealift/catalogue-floor%3Aacme'

let chromium: LaunchedBrowser
let publication: Publication
/** Two catalogues of one publisher, and what they say of their time. */
let older: { readonly file: Uint8Array; readonly version: number }
let newer: { readonly file: Uint8Array; readonly version: number }
const sites: Site[] = []

beforeAll(async () => {
  ;[publication, chromium] = await Promise.all([publishFiles(), launchChromium()])
  older = await catalogueOf(publication)
  await publication.deny(['image'])
  newer = await catalogueOf(publication)
})

afterEach(async () => {
  await closePages(chromium.browser)
  for (const site of sites.splice(0)) await site.close()
})

afterAll(async () => {
  await chromium.close()
  await publication.remove()
})

async function catalogueOf({ siteDir }: Publication): Promise<typeof older> {
  const file = new Uint8Array(await readFile(join(siteDir, 'catalogue.json')))
  return { file, version: parseCatalogue(parseCatalogueEnvelope(file).payload).version }
}

async function open(published: Publication, choices: SiteChoices = {}): Promise<Site> {
  const site = await startSite(published, choices)
  sites.push(site)
  return site
}

/** From now on, and past what the browser's own cache has of it. */
async function serve(catalogue: typeof older, { browser }: LaunchedBrowser = chromium): Promise<void> {
  await writeFile(join(publication.siteDir, 'catalogue.json'), catalogue.file)
  const page = await newPage(browser)
  await (await page.createCDPSession()).send('Network.clearBrowserCache')
  await page.close()
}

/** The browser clears these of one origin, with no page of it open. */
async function evict(site: Site, storageTypes: string): Promise<void> {
  await closePages(chromium.browser)
  const page = await newPage(chromium.browser)
  const session = await page.createCDPSession()
  await session.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes })
  await page.close()
}

const delivered = (of: Publication = publication) => ({
  kind: 'delivered',
  sha256: of.digests.notes,
  filename: FILES.notes.filename,
  sizeBytes: FILES.notes.sizeBytes,
  record: 'delivered',
})

/** Nothing is handed over, the source is named, and nothing of the file is kept or served. */
async function expectRefused(page: Page, failure: { readonly code: string }): Promise<void> {
  expect(await download(page, 'notes')).toMatchObject({ kind: 'refused', code: failure.code })
  const events = await eventsOf(page)
  expect(events.filter(({ kind }) => kind === 'progress' || kind === 'resolved')).toEqual([])
  expect(events.filter(({ kind }) => kind === 'trouble')).toMatchObject([{ source: 'cdn', failure, isBanned: false }])
  const { files, rows } = await kept(page)
  expect(files.filter((name) => name.endsWith('.part'))).toEqual([])
  expect(rows).toMatchObject({ artifacts: 0, pieces: 0, pieceBlobs: 0 })
  const answer = await fetchIn(page, `/_sealift/sha256/${publication.digests.notes}/${FILES.notes.filename}`)
  expect(answer?.sha256).not.toBe(publication.digests.notes)
}

async function learnOfNewer(site: Site): Promise<void> {
  await serve(newer)
  const page = await openPortal(chromium.browser, site.url)
  expect((await page.evaluate(() => window.sealift?.list()))?.catalogue.version).toBe(newer.version)
}

test('tr03.rollback: an older catalogue is refused after the browser was started again', async () => {
  const profileDir = await mkdtemp(join(tmpdir(), 'sealift-rollback-'))
  const site = await open(publication)
  try {
    await serve(newer)
    const first = await launchChromium({ profileDir })
    try {
      const page = await openPortal(first.browser, site.url)
      expect((await page.evaluate(() => window.sealift?.list()))?.catalogue.version).toBe(newer.version)
      await page.evaluate(forgetKeptCatalogue)
    } finally {
      await first.close()
    }
    const second = await launchChromium({ profileDir })
    try {
      await serve(older, second)
      const page = await openPortal(second.browser, site.url)
      await expectRefused(page, rollbackTo(newer.version))
      await serve(newer, second)
      expect(await download(page, 'notes')).toEqual(delivered())
    } finally {
      await second.close()
    }
  } finally {
    await rm(profileDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  }
})

const rollbackTo = (floor: number) => ({ code: 'catalogue-rollback', floor, offered: older.version })

describe('tr04.rollback-after-evict: in a browser that cleared', () => {
  test('IndexedDB alone, an older catalogue is refused by the floor in the file system', async () => {
    const site = await open(publication)
    await learnOfNewer(site)
    await evict(site, 'indexeddb')
    await serve(older)
    const page = await openPortal(chromium.browser, site.url)
    await expectRefused(page, rollbackTo(newer.version))
    await serve(newer)
    expect(await download(page, 'notes')).toEqual(delivered())
  })

  test('the file system alone, an older catalogue is refused by the floor in IndexedDB, and the floor is written again', async () => {
    const site = await open(publication)
    await learnOfNewer(site)
    await evict(site, 'file_systems')
    const page = await openPortal(chromium.browser, site.url)
    await page.evaluate(() => window.sealift?.list())
    expect((await kept(page)).files).toContain(FLOOR_FILE)
    await page.evaluate(forgetKeptCatalogue)
    await page.close()
    await serve(older)
    await expectRefused(await openPortal(chromium.browser, site.url), rollbackTo(newer.version))
  })

  test('everything, an older catalogue is refused by the minimum that the portal pins', async () => {
    const site = await open(publication, { minimumVersion: newer.version })
    await learnOfNewer(site)
    await evict(site, 'indexeddb,file_systems,cache_storage')
    await serve(older)
    const page = await openPortal(chromium.browser, site.url)
    await expectRefused(page, rollbackTo(newer.version))
    await serve(newer)
    expect(await download(page, 'notes')).toEqual(delivered())
  })

  test('IndexedDB, after its service worker alone had heard of the newer one', async () => {
    const site = await open(publication)
    await serve(newer)
    await openPortal(chromium.browser, site.url)
    await closePages(chromium.browser)
    const plain = await newPage(chromium.browser)
    await plain.goto(`${site.url}plain.html`)
    expect(await fetchIn(plain, `/_sealift/name/notes/${FILES.notes.filename}`)).toMatchObject({
      status: 200,
      sha256: publication.digests.notes,
    })
    expect((await kept(plain)).files).toContain(FLOOR_FILE)
    await evict(site, 'indexeddb')
    await serve(older)
    const page = await openPortal(chromium.browser, site.url)
    expect(await download(page, 'notes')).toMatchObject({ kind: 'refused', code: 'catalogue-rollback' })
  })
})

/** A publisher whose clock is wrong the other way is the same to this browser as its own clock being wrong. */
describe('tr21.skew: to a browser', () => {
  const withPublisher = async (clockOffsetSeconds: number, use: (published: Publication, page: Page) => Promise<void>): Promise<void> => {
    const clock = { ...systemClock, nowMs: () => Date.now() + clockOffsetSeconds * 1000 }
    const published = await publishFiles({ clock })
    try {
      const site = await open(published)
      await use(published, await openPortal(chromium.browser, site.url))
    } finally {
      await published.remove()
    }
  }
  const catalogueSeen = async (page: Page) => {
    const resolved = (await eventsOf(page)).find((event) => event.kind === 'resolved')
    if (resolved?.kind !== 'resolved') throw new Error('nothing was resolved')
    return resolved.catalogue
  }

  test('400 days ahead no name is resolved, and a pinned digest is delivered', async () => {
    await withPublisher(-400 * DAY, async (published, page) => {
      expect(await download(page, 'notes')).toMatchObject({ kind: 'refused', code: 'catalogue-expired' })
      expect(await download(page, published.digests.notes)).toEqual(delivered(published))
      const { freshness, nowSeconds, expiresAtSeconds, isClockSuspect } = await catalogueSeen(page)
      expect([freshness, isClockSuspect]).toEqual(['pinned', false])
      expect(nowSeconds - expiresAtSeconds).toBeGreaterThan(300 * DAY)
    })
  })

  test('400 days behind no name is resolved, a pinned digest is delivered, and nothing of the catalogue is kept', async () => {
    await withPublisher(400 * DAY, async (published, page) => {
      expect(await download(page, 'notes')).toMatchObject({ kind: 'refused', code: 'catalogue-future' })
      expect(await download(page, published.digests.notes)).toEqual(delivered(published))
      const { freshness, nowSeconds, version, isClockSuspect } = await catalogueSeen(page)
      expect([freshness, isClockSuspect]).toEqual(['pinned', true])
      expect(version - nowSeconds).toBeGreaterThan(399 * DAY)
      expect((await kept(page)).files).not.toContain(FLOOR_FILE)
      expect(await download(page, 'notes')).toMatchObject({ kind: 'refused', code: 'catalogue-future' })
    })
  })
})

/** So that what is asked of the sources counts, and not what is kept. */
async function forgetKeptCatalogue(): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('sealift')
    opening.addEventListener('success', () => resolve(opening.result))
    opening.addEventListener('error', () => reject(opening.error))
  })
  await new Promise<void>((resolve, reject) => {
    const deleting = db.transaction('records', 'readwrite').objectStore('records').delete('catalogue:acme')
    deleting.addEventListener('success', () => resolve())
    deleting.addEventListener('error', () => reject(deleting.error))
  })
  db.close()
}
