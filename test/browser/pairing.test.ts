import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { drawQrCode, Pairing, PairingReply } from '../../src/page/index.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { startMeshSite, type MeshSite } from './mesh-site.ts'
import { FILES, javascript, publishFiles, type Publication } from './site.ts'
import { closePages, download, openPortal } from './visitor.ts'

declare global {
  interface Window {
    pairing?: Pairing | undefined
    reply?: PairingReply | undefined
    drawQrCode?: typeof drawQrCode
  }
}

let publication: Publication
let browsers: readonly LaunchedBrowser[] = []
let site: MeshSite

beforeAll(async () => {
  publication = await publishFiles()
  browsers = await Promise.all([launchChromium(), launchChromium()])
})

beforeEach(async () => {
  // Not even named: what cannot be reached cannot help.
  site = await startMeshSite(publication, { signalingUrls: () => [] })
})

afterEach(async () => {
  for (const { browser } of browsers) await closePages(browser)
  await site.close()
})

afterAll(async () => {
  await Promise.all(browsers.map((one) => one.close()))
  await publication.remove()
})

async function open(profile: number): Promise<Page> {
  const browser = browsers[profile]?.browser
  if (browser === undefined) throw new Error('no browser')
  const page = await openPortal(browser, site.url)
  await page.evaluate(() => window.sealift?.mesh.setConsent(true))
  return page
}

/** The first code of a page. */
const offerIn = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    window.pairing = await window.sealift?.mesh.pair()
    return window.pairing?.code ?? ''
  })

/** The second code that a page makes of a first one. */
const answerIn = (page: Page, code: string): Promise<string> =>
  page.evaluate(async (first) => {
    window.reply = await window.sealift?.mesh.answer(first)
    return window.reply?.code ?? ''
  }, code)

/** Why a page refuses a code; undefined when it takes it. */
const refusalIn = (page: Page, code: string): Promise<string | undefined> =>
  page.evaluate(async (text) => {
    try {
      await window.sealift?.mesh.answer(text)
      return undefined
    } catch (error) {
      return error instanceof Error && 'failure' in error ? JSON.stringify(error.failure) : String(error)
    }
  }, code)

test('two browsers without any server pair by text, and one takes the whole installer from the other', async () => {
  const giver = await open(0)
  expect(await download(giver, 'image')).toMatchObject({ kind: 'delivered' })
  const taker = await open(1)
  await site.cdn.set('down')
  await site.signaling.kill()
  const first = await offerIn(giver)
  const second = await answerIn(taker, first)
  for (const code of [first, second]) expect(code).toMatch(/^[A-Z2-7]{100,399}$/)
  const [one, other] = await Promise.all([
    giver.evaluate((code) => window.pairing?.accept(code), second),
    taker.evaluate(() => window.reply?.connected),
  ])
  expect([one, other].every((peer) => peer?.startsWith('peer:'))).toBe(true)

  expect(await download(taker, 'image')).toMatchObject({ kind: 'delivered', sha256: publication.digests.image, record: 'delivered' })
  const { tiers, receivedBytes } = await taker.evaluate(async () => ({
    tiers: (window.trial?.delivered?.record.sources ?? []).filter(({ pieces }) => pieces.length > 0).map(({ tier }) => tier),
    receivedBytes: ((await window.sealift?.mesh.stats()) ?? []).reduce((sum, peer) => sum + peer.receivedBytes, 0),
  }))
  expect(tiers).toEqual(['mesh'])
  expect(receivedBytes).toBeGreaterThan(FILES.image.sizeBytes)
})

test('the person with the wrong code is told what is wrong with it, and one who did not agree to sharing gets none', async () => {
  const [page, other] = [await open(0), await open(1)]
  const first = await offerIn(page)
  expect(await refusalIn(other, first.slice(0, -3))).toContain('"unreadable"')
  expect(await refusalIn(other, 'the sea')).toContain('"unreadable"')
  const second = await answerIn(other, first)
  expect(await refusalIn(page, second)).toContain('"side"')
  await other.evaluate(() => window.sealift?.mesh.setConsent(false))
  expect(await refusalIn(other, first)).toContain('"not-allowed"')
})

test('a code is drawn as squares that a camera can read, by a script that is loaded only then', async () => {
  const app = "import { drawQrCode, register } from '/page.js'\nwindow.drawQrCode = drawQrCode\nwindow.sealift = await register()\n"
  site.files.set('/app.js', javascript(app))
  const page = await open(0)
  const code = await offerIn(page)
  // The service worker keeps the script from the first visit on, so that it is there in an outage; the page loads it when it draws.
  const loaded = (): Promise<number> =>
    page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => name.includes('qr-code')).length)
  expect(await loaded()).toBe(0)
  const drawn = await page.evaluate(async (text) => {
    const image = await window.drawQrCode?.(text)
    return {
      viewBox: image?.getAttribute('viewBox') ?? '',
      squares: (image?.querySelector('path')?.getAttribute('d') ?? '').split('M').length - 1,
    }
  }, code)
  // A square code of version n has 17 + 4n modules a side, and four of white around it; 183 letters with a sixth to spare need version 8.
  const side = Number(drawn.viewBox.split(' ')[2])
  expect(side).toBeGreaterThan(17 + 4 * 5 + 8)
  expect(side).toBeLessThanOrEqual(17 + 4 * 10 + 8)
  expect(drawn.squares).toBeGreaterThan(300)
  expect(await loaded()).toBe(1)
})
