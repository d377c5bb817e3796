import type { Page } from 'puppeteer-core'
import { afterEach, expect, test } from 'vitest'
import { findBrowser } from '../../scripts/browser.mjs'
import { findCoturn, freeUdpPort, startCoturn, TURN_SECRET } from '../deploy/coturn.ts'
import { startMeshSite, type MeshChoices, type MeshSite } from './mesh-site.ts'
import { createNetwork, whyNoNamespaces, type Network } from './network-namespaces.ts'
import { FILES, publishFiles, type Publication } from './site.ts'
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

/** A page of the site on each of two machines, whose people agreed to share. */
async function openOnBoth(network: Network, site: MeshSite): Promise<readonly [giver: Page, taker: Page]> {
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
  return [await openOn(0), await openOn(1)]
}

/** One has it, the CDN goes, the other takes it. @returns over what the bytes went, by WebRTC's own statistics */
async function exchange(network: Network, site: MeshSite, publication: Publication): Promise<string | undefined> {
  const [giver, taker] = await openOnBoth(network, site)
  expect(await download(giver, 'image')).toMatchObject({ kind: 'delivered' })
  await site.cdn.set('down')
  expect(await download(taker, 'image')).toMatchObject({ kind: 'delivered', sha256: publication.digests.image, record: 'delivered' })
  const { tiers, stats } = await taker.evaluate(async () => ({
    tiers: (window.trial?.delivered?.record.sources ?? []).filter(({ pieces }) => pieces.length > 0).map(({ tier }) => tier),
    stats: (await window.sealift?.mesh.stats()) ?? [],
  }))
  expect(tiers).toEqual(['mesh'])
  expect(stats).toHaveLength(1)
  expect(stats[0]?.receivedBytes).toBeGreaterThan(FILES.image.sizeBytes)
  return stats[0]?.pair
}

async function openSite(choices: MeshChoices = {}): Promise<readonly [publication: Publication, site: MeshSite, ports: readonly number[]]> {
  const publication = await publishFiles()
  closers.push(() => publication.remove())
  const site = await startMeshSite(publication, choices)
  closers.push(() => site.close())
  return [publication, site, [site.url, site.cdn.url, site.signaling.url].map((url) => Number(new URL(url).port))]
}

const notRun = (why: string | undefined): string => (why === undefined ? '' : ` (not run: ${why})`)

test.skipIf(WHY_NOT !== undefined)(
  `two browsers on two machines of one network, each with a network stack of its own, exchange an artifact${notRun(WHY_NOT)}`,
  async () => {
    const [publication, site, ports] = await openSite()
    const network = await createNetwork({ machines: 2 }, ports)
    closers.push(() => network.remove())
    expect(await exchange(network, site, publication)).toBe('lan')
  },
)

const coturnProgram = findCoturn()
const WHY_NO_RELAY = WHY_NOT ?? (coturnProgram === undefined ? 'coturn is missing' : undefined)
/** Public, as far as coturn and pages know, and of no use to this machine: it belongs to the servers that swallow stray questions (RFC 7535). */
const PUBLIC = '192.31.196'

test.skipIf(WHY_NO_RELAY !== undefined)(
  `two browsers that cannot reach each other exchange an artifact through coturn${notRun(WHY_NO_RELAY)}`,
  async () => {
    const port = await freeUdpPort()
    const turn = { urls: [`turn:${PUBLIC}.1:${port}`], secret: TURN_SECRET }
    const [publication, site, ports] = await openSite({ mode: 'full', turn })
    const network = await createNetwork({ machines: 2, subnet: PUBLIC, isIsolated: true }, ports)
    closers.push(() => network.remove())
    const coturn = await startCoturn(coturnProgram ?? '', { address: `${PUBLIC}.1`, port })
    closers.push(() => coturn.close())
    expect(await exchange(network, site, publication)).toBe('relay')
  },
)
