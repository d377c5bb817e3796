import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasFirefox, launchChromium, launchFirefox, type LaunchedBrowser } from './launch.ts'
import { startMeshSite, type MeshSite } from './mesh-site.ts'
import { FILES, publishFiles, type Publication } from './site.ts'
import { download, openPortal } from './visitor.ts'

/** Where no Firefox is installed, the tests below say that they were not run. */
describe.skipIf(!hasFirefox())('Chromium and Firefox', () => {
  let publication: Publication
  let browsers: Readonly<Record<'chromium' | 'firefox', LaunchedBrowser>>
  let site: MeshSite

  beforeAll(async () => {
    const [published, chromium, firefox] = await Promise.all([publishFiles(), launchChromium(), launchFirefox()])
    publication = published
    browsers = { chromium, firefox }
    site = await startMeshSite(publication)
  })

  afterAll(async () => {
    await Promise.all([browsers?.chromium.close(), browsers?.firefox.close()])
    await site?.close()
    await publication?.remove()
  })

  async function open(name: 'chromium' | 'firefox'): Promise<Page> {
    const page = await openPortal(browsers[name].browser, site.url)
    await page.evaluate(() => window.sealift?.mesh.setConsent(true))
    return page
  }

  test.each([
    { from: 'firefox', to: 'chromium', what: 'agent' },
    { from: 'chromium', to: 'firefox', what: 'image' },
  ] as const)('$to takes $what from $from, with the CDN gone', async ({ from, to, what }) => {
    await site.cdn.set('up')
    const [giver, taker] = [await open(from), await open(to)]
    expect(await download(giver, what)).toMatchObject({ kind: 'delivered' })
    await site.cdn.set('down')
    expect(await download(taker, what)).toMatchObject({ kind: 'delivered', sha256: publication.digests[what], record: 'delivered' })
    const { tiers, receivedBytes } = await taker.evaluate(async () => ({
      tiers: (window.trial?.delivered?.record.sources ?? []).filter(({ pieces }) => pieces.length > 0).map(({ tier }) => tier),
      receivedBytes: ((await window.sealift?.mesh.stats()) ?? []).reduce((sum, peer) => sum + peer.receivedBytes, 0),
    }))
    expect(tiers).toEqual(['mesh'])
    expect(receivedBytes).toBeGreaterThan(FILES[what].sizeBytes)
    await Promise.all([giver.close(), taker.close()])
  })
})
