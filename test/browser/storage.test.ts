import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { beforeEach, expect, test } from 'vitest'
import { packageRoot } from '../../src/node/package-root.ts'
import type { ArtifactStorage, openStorage } from '../../src/storage/index.ts'
import { openRoom } from './room.ts'
import { FILES, javascript } from './site.ts'
import { download, endOf, kept, openPortal, startDownload, waitForPieces, waitForSdk } from './visitor.ts'

const room = openRoom()

declare global {
  interface Window {
    storage?: ArtifactStorage
    openStorage?: typeof openStorage
    preseeding?: Promise<unknown> | undefined
  }
}

beforeEach(async () => {
  room.site.files.set('/storage.js', javascript(await readFile(join(packageRoot(), 'dist/storage.js'), 'utf8')))
  const app = `import { register } from '/page.js'
import { openStorage } from '/storage.js'
const sealift = await register()
window.openStorage = openStorage
window.storage = await openStorage(sealift)
window.sealift = sealift\n`
  room.site.files.set('/app.js', javascript(app))
})

const names = (page: Page): Promise<readonly (readonly [string, boolean, boolean])[] | undefined> =>
  page.evaluate(async () => (await window.storage?.list())?.map(({ name, isComplete, isPinned }) => [name, isComplete, isPinned] as const))

test('what was downloaded is listed with what is kept of it, the last used first', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  expect(await names(page)).toEqual([])
  await download(page, 'notes')
  await download(page, 'agent')
  const [first] = (await page.evaluate(() => window.storage?.list())) ?? []
  expect(first).toMatchObject({
    sha256: room.publication.digests.agent,
    filename: FILES.agent.filename,
    sizeBytes: FILES.agent.sizeBytes,
    keptBytes: FILES.agent.sizeBytes,
  })
  expect(await names(page)).toEqual([
    ['agent', true, false],
    ['notes', true, false],
  ])
  expect(await page.evaluate(async () => ((await window.storage?.usage())?.quotaBytes ?? 0) > 0)).toBe(true)
})

test('what was fetched beforehand outlives a purge and a reload, and is downloaded when nothing else answers', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await download(page, 'agent')
  expect(await page.evaluate(async () => (await window.storage?.preseed('notes'))?.filename)).toBe(FILES.notes.filename)
  const gone = await page.evaluate(async () => (await window.storage?.purge({ maxBytes: 0 }))?.map(({ name }) => name))
  expect(gone).toEqual(['agent'])
  await page.reload()
  await waitForSdk(page)
  expect(await names(page)).toEqual([['notes', true, true]])
  expect((await kept(page)).rows).toMatchObject({ artifacts: 1, pieces: FILES.notes.pieces })
  await room.site.cdn.set('down')
  expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.notes })
})

test('a pin that is taken back protects no more, and clearing takes pins too', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await page.evaluate(async () => void (await window.storage?.preseed('notes')))
  await page.evaluate((sha256) => window.storage?.unpin(sha256), room.publication.digests.notes)
  await page.evaluate(async () => void (await window.storage?.purge({ maxBytes: 0 })))
  expect(await names(page)).toEqual([])
  await page.evaluate(async () => void (await window.storage?.preseed('notes')))
  await page.evaluate(() => window.storage?.clear())
  await download(page, 'notes')
  expect(await names(page)).toEqual([['notes', true, false]])
})

const SLOW = { rateBytesPerSecond: 1024 * 1024 }
const purgeAll = (page: Page): Promise<readonly string[] | undefined> =>
  page.evaluate(async () => (await window.storage?.purge({ maxBytes: 0 }))?.map(({ name }) => name))

test('a purge leaves what is being downloaded, and does not say that it went', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await room.site.cdn.set(SLOW)
  await startDownload(page, 'agent')
  await waitForPieces(page, 2)
  expect(await names(page)).toEqual([['agent', false, false]])
  expect(await purgeAll(page)).toEqual([])
  await room.site.cdn.set('up')
  expect(await endOf(page)).toMatchObject({ kind: 'delivered' })
  expect(await names(page)).toEqual([['agent', true, false]])
  expect(await purgeAll(page)).toEqual(['agent'])
})

test('what is fetched beforehand is pinned before it is there', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await room.site.cdn.set(SLOW)
  await page.evaluate(() => void (window.preseeding = window.storage?.preseed('agent')))
  await expect.poll(() => names(page)).toEqual([['agent', false, true]])
  await room.site.cdn.set('up')
  await page.evaluate(async () => void (await window.preseeding))
  expect(await names(page)).toEqual([['agent', true, true]])
})

test('a purge leaves what is pinned while it runs', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  await download(page, 'notes')
  await download(page, 'agent')
  const gone = await page.evaluate(async (agent) => {
    const { sealift, storage } = window
    if (sealift === undefined || storage === undefined) throw new Error('the page has no SDK')
    const forget = async (sha256?: string): Promise<void> => {
      await storage.pin(agent)
      await sealift.forget(sha256)
    }
    const slow = await window.openStorage?.({ download: sealift.download, forget })
    return (await slow?.purge({ maxBytes: 0 }))?.map(({ name }) => name)
  }, room.publication.digests.agent)
  expect(gone).toEqual(['notes'])
  expect(await names(page)).toEqual([['agent', true, true]])
})
