import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { isPeerSourceId } from '../../src/core/model/ids.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { startMeshSite, type MeshSite } from './mesh-site.ts'
import { startSeedProcess, type SeedProcess } from './seed-process.ts'
import { FILES, publishFiles, type Publication } from './site.ts'
import { closePages, download, openPortal } from './visitor.ts'

let publication: Publication
let chromium: LaunchedBrowser
let site: MeshSite
let seed: SeedProcess

beforeAll(async () => {
  ;[publication, chromium] = await Promise.all([publishFiles(), launchChromium()])
})

beforeEach(async () => {
  site = await startMeshSite(publication)
  // No CDN from the beginning: what the page gets, its catalogue included, is the seed's.
  await site.cdn.set('down')
  seed = startSeed()
})

afterEach(async () => {
  await closePages(chromium.browser)
  await seed.end('SIGKILL')
  await site.close()
})

afterAll(async () => {
  await chromium.close()
  await publication.remove()
})

function startSeed(): SeedProcess {
  return startSeedProcess([publication.siteDir, '--config', `${site.url}sealift.json`, '--ticket', site.ticketFile])
}

const isOnline = (one: SeedProcess) => one.waitFor((event) => event.event === 'signaling' && event.isOnline)
const offers = (one: SeedProcess, name: string) => one.waitFor((event) => event.event === 'offered' && event.artifact.name === name)

async function openSharing(): Promise<Page> {
  const page = await openPortal(chromium.browser, site.url)
  await page.evaluate(() => window.sealift?.mesh.setConsent(true))
  return page
}

/** Pieces by who sent them, as the record says; and what WebRTC counted. */
async function evidence(page: Page) {
  return await page.evaluate(async () => {
    const sources = window.trial?.delivered?.record.sources ?? []
    const stats = (await window.sealift?.mesh.stats()) ?? []
    return {
      tiers: sources.filter(({ pieces }) => pieces.length > 0).map(({ tier }) => tier),
      ids: sources.filter(({ pieces }) => pieces.length > 0).map(({ source }) => source),
      receivedBytes: stats.reduce((sum, peer) => sum + peer.receivedBytes, 0),
      pairs: stats.map(({ pair }) => pair),
    }
  })
}

test('a seed of Node delivers a whole artifact to a browser that reaches no server, and says who took it', async () => {
  await Promise.all([isOnline(seed), offers(seed, 'image')])
  const page = await openSharing()
  expect(await download(page, 'image')).toMatchObject({ kind: 'delivered', sha256: publication.digests.image, record: 'delivered' })
  const { tiers, receivedBytes, pairs } = await evidence(page)
  expect(tiers).toEqual(['mesh'])
  expect(pairs).toEqual(['lan'])
  expect(receivedBytes).toBeGreaterThan(FILES.image.sizeBytes)
  expect(receivedBytes).toBeLessThan(FILES.image.sizeBytes * 1.02)
  const served = await seed.waitFor((event) => event.event === 'served')
  expect(served).toMatchObject({ artifact: { name: 'image', sha256: publication.digests.image }, pieces: 68, pieceCount: 68 })
  if (served.event === 'served') expect(isPeerSourceId(served.peer)).toBe(true)
  expect(JSON.stringify(seed.events.filter(({ event }) => event !== 'signaling'))).not.toMatch(/\d+\.\d+\.\d+\.\d+|\.local/)
})

test('a seed that is told to stop says goodbye, and one that was killed is met again when it is back', async () => {
  await Promise.all([isOnline(seed), offers(seed, 'image')])
  const page = await openSharing()
  expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered' })
  const first = (await evidence(page)).ids
  // The page hears of it from the seed itself, long before ICE would notice.
  const missed = page.waitForFunction(async () => (await window.sealift?.mesh.stats())?.length === 0, { polling: 20 })
  const ended = seed.end('SIGTERM')
  const startedMs = performance.now()
  await missed
  expect(performance.now() - startedMs).toBeLessThan(5000)
  expect(await ended).toBe(0)

  seed = startSeed()
  await Promise.all([isOnline(seed), offers(seed, 'agent')])
  expect(await download(page, 'agent')).toMatchObject({ kind: 'delivered', sha256: publication.digests.agent })
  await seed.end('SIGKILL')

  seed = startSeed()
  await Promise.all([isOnline(seed), offers(seed, 'image')])
  expect(await download(page, 'image')).toMatchObject({ kind: 'delivered', sha256: publication.digests.image })
  const last = await evidence(page)
  expect(last.tiers).toEqual(['mesh'])
  expect(last.ids).not.toEqual(first)
})
