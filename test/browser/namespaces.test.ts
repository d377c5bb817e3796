import type { Page } from 'puppeteer-core'
import { afterEach, expect, test } from 'vitest'
import { findBrowser } from '../../scripts/browser.mjs'
import { startMeshSite } from './mesh-site.ts'
import { createNetwork, whyNoNamespaces } from './network-namespaces.ts'
import { FILES, publishFiles } from './site.ts'
import { startChromium } from './start-browser.ts'
import { download, openPortal } from './visitor.ts'

const WHY_NOT = whyNoNamespaces()
const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/**
 * Without names under `.local`: they stand for addresses of a network that has multicast, and whether a bridge of a container passes it on is
 * the host's business. With addresses the test is about the network between two machines, which is the point.
 */
const FLAGS = ['--disable-features=WebRtcHideLocalIpsWithMdns']

test.skipIf(WHY_NOT !== undefined)(
  `two browsers on two machines of one network, each with a network stack of its own, exchange an artifact${WHY_NOT === undefined ? '' : ` (not run: ${WHY_NOT})`}`,
  async () => {
    const publication = await publishFiles()
    closers.push(() => publication.remove())
    const site = await startMeshSite(publication)
    closers.push(() => site.close())
    const ports = [site.url, site.cdn.url, site.signaling.url].map((url) => Number(new URL(url).port))
    const network = await createNetwork(2, ports)
    closers.push(() => network.remove())
    const found = findBrowser()
    if (found === undefined) throw new Error('no Chromium on this machine')
    const openOn = async (machine: number): Promise<Page> => {
      const path = await network.programOn(machine, found.path)
      const launched = await startChromium({ ...found, path }, { args: FLAGS, usesPipe: true })
      closers.push(() => launched.close())
      const page = await openPortal(launched.browser, site.url)
      await page.evaluate(() => window.sealift?.mesh.setConsent(true))
      return page
    }
    const [giver, taker] = [await openOn(0), await openOn(1)]
    expect(await download(giver, 'image')).toMatchObject({ kind: 'delivered' })
    await site.cdn.set('down')
    expect(await download(taker, 'image')).toMatchObject({ kind: 'delivered', sha256: publication.digests.image, record: 'delivered' })
    const { tiers, stats } = await taker.evaluate(async () => ({
      tiers: (window.trial?.delivered?.record.sources ?? []).filter(({ pieces }) => pieces.length > 0).map(({ tier }) => tier),
      stats: (await window.sealift?.mesh.stats()) ?? [],
    }))
    expect(tiers).toEqual(['mesh'])
    expect(stats).toMatchObject([{ pair: 'lan' }])
    expect(stats[0]?.receivedBytes).toBeGreaterThan(FILES.image.sizeBytes)
  },
)
