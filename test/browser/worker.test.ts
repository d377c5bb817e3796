import type { Page } from 'puppeteer-core'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { openRoom } from './room.ts'
import { ALIAS, everyPieceOnce, FILES, piecesAsked, type Name } from './site.ts'
import { fetchIn, keptPieces, newPage, openPortal } from './visitor.ts'

const MIB = 1024 * 1024

const room = openRoom()

const byName = (name: Name) => `/_sealift/name/${name}/${FILES[name].filename}`
const byDigest = (name: Name) => `/_sealift/sha256/${room.publication.digests[name]}/${FILES[name].filename}`

describe('fetch() of a virtual URL', () => {
  test.each([
    ['by name', () => byName('agent')],
    ['by name and version', () => `/_sealift/name/agent@2.0.0/${FILES.agent.filename}`],
    ['by digest', () => byDigest('agent')],
  ])('%s is answered with the verified file, as something to save and nothing else', async (_, url) => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const answer = await fetchIn(page, url())
    expect(answer).toMatchObject({ status: 200, sha256: room.publication.digests.agent, sizeBytes: FILES.agent.sizeBytes })
    expect(answer?.headers).toMatchObject({
      'content-disposition': expect.stringMatching(/^attachment; filename="agent-2\.0\.0\.tar\.gz"/),
      'content-length': String(FILES.agent.sizeBytes),
      'content-security-policy': "sandbox; default-src 'none'",
      'content-type': 'application/gzip',
      'x-content-type-options': 'nosniff',
    })
    expect(answer?.headers).not.toHaveProperty('etag')
    expect(answer?.headers['accept-ranges']).not.toBe('bytes')
    expect(room.site.requests.filter(({ path }) => path.startsWith('/_sealift/'))).toEqual([])
  })

  test('gives one range exactly, the headers alone, and refuses a range that is not there', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const whole = await page.evaluate(
      async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())].slice(70_000, 70_010),
      byName('notes'),
    )
    const part = await page.evaluate(async (url) => {
      const response = await fetch(url, { headers: { range: 'bytes=70000-70009' } })
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        bytes: [...new Uint8Array(await response.arrayBuffer())],
      }
    }, byName('notes'))
    expect(part).toMatchObject({
      status: 206,
      bytes: whole,
      headers: { 'content-range': `bytes 70000-70009/${FILES.notes.sizeBytes}`, 'content-length': '10' },
    })
    const head = await fetchIn(page, byName('notes'), { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, sizeBytes: 0, headers: { 'content-length': String(FILES.notes.sizeBytes) } })
    const outside = await fetchIn(page, byName('notes'), { headers: { range: `bytes=${FILES.notes.sizeBytes}-` } })
    expect(outside).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${FILES.notes.sizeBytes}` } })
  })

  test('of an unknown name is a 404 that says why', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const answer = await fetchIn(page, '/_sealift/name/nothing/nothing.tar.gz')
    expect(answer).toMatchObject({
      status: 404,
      headers: { 'content-type': 'application/problem+json', 'sealift-code': 'artifact-unknown' },
    })
    expect(JSON.parse(answer?.text ?? '')).toMatchObject({
      title: 'artifact-unknown',
      status: 404,
      detail: expect.stringContaining('Check the name'),
    })
    // Past the worker, and the origin has nothing there.
    expect(await fetchIn(page, '/_sealift/name/bad name/x')).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain' } })
  })
})

describe('fetch() of a plain URL that stands for an artifact', () => {
  test('is answered with the verified file while its own origin is gone', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    await page.evaluate(() => window.sealift?.list())
    expect(await fetchIn(page, ALIAS)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
    expect(await fetchIn(page, ALIAS.replace('notes', 'other'))).toBeUndefined()
  })

  test('is known from the first download on', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await fetchIn(page, byName('agent'))).toMatchObject({ status: 200 })
    expect(await fetchIn(page, ALIAS)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
  })

  test('is known to the next visit', async () => {
    const first = await openPortal(room.chromium.browser, room.site.url)
    await first.evaluate(() => window.sealift?.list())
    await first.close()
    const page = await plainPage()
    const session = await page.createCDPSession()
    await session.send('ServiceWorker.enable')
    await session.send('ServiceWorker.stopAllWorkers')
    expect(await fetchIn(page, ALIAS)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
  })
})

/** A page of the portal that the worker controls and that has no SDK. */
async function plainPage(): Promise<Page> {
  const page = await newPage(room.chromium.browser)
  await page.goto(`${room.site.url}plain.html`)
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
  return page
}

describe('where no page has the SDK', () => {
  beforeEach(async () => {
    const portal = await openPortal(room.chromium.browser, room.site.url)
    await portal.close()
  })

  test('the service worker composes a small artifact alone', async () => {
    const page = await plainPage()
    expect(await fetchIn(page, byName('agent'))).toMatchObject({ status: 200, sha256: room.publication.digests.agent })
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(everyPieceOnce('agent'))
  })

  test('a large one is refused with a code, until a page kept it', async () => {
    const page = await plainPage()
    expect(await fetchIn(page, byName('image'))).toMatchObject({ status: 503, headers: { 'sealift-code': 'no-page' } })
    const portal = await openPortal(room.chromium.browser, room.site.url)
    expect(await fetchIn(portal, byName('image'))).toMatchObject({ status: 200, sha256: room.publication.digests.image })
    await portal.close()
    room.site.cdn.forgetRequests()
    expect(await fetchIn(page, byName('image'))).toMatchObject({ status: 200, sha256: room.publication.digests.image })
    expect(room.site.cdn.requests).toEqual([])
  })

  test('a page of this origin that has it serves one that has not', async () => {
    const page = await plainPage()
    await openPortal(room.chromium.browser, room.site.url)
    expect(await fetchIn(page, byName('image'))).toMatchObject({ status: 200, sha256: room.publication.digests.image })
  })
})

test('a page that goes away while it fetches for another is replaced, and what it kept is not fetched again', async () => {
  await room.site.cdn.set({ rateBytesPerSecond: MIB })
  const portal = await openPortal(room.chromium.browser, room.site.url)
  const page = await plainPage()
  const asked = fetchIn(page, byName('agent'))
  const isAnswered = vi.fn()
  void asked.then(isAnswered)
  const keptOfAgent = () => keptPieces(page, room.publication.digests.agent)
  await expect.poll(async () => (await keptOfAgent()).length, { timeout: 20_000 }).toBeGreaterThan(2)
  expect(isAnswered).not.toHaveBeenCalled()
  const before = await keptOfAgent()
  await portal.close()
  room.site.cdn.forgetRequests()
  await room.site.cdn.set('up')
  expect(await asked).toMatchObject({ status: 200, sha256: room.publication.digests.agent })
  // A piece that was under way may be asked for twice: a source that is slow gets a rival. One that is kept may not.
  const again = piecesAsked(room.site, room.publication, 'agent')
  expect(before.map((piece) => again[piece])).toEqual(before.map(() => 0))
  expect(again.some((times) => times > 0)).toBe(true)
})

describe('a service worker that is killed while a request waits', () => {
  test('takes nothing from the page: its download goes on, and no piece is fetched twice', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    const asked = fetchIn(page, byName('agent'))
    await expect.poll(() => room.site.cdn.requests.length, { timeout: 10_000 }).toBeGreaterThan(1)
    const session = await page.createCDPSession()
    await session.send('ServiceWorker.enable')
    // The request that waits wakes it again at once, so that `stopped` itself may be over before it is told: any state but running shows the end.
    const stopped = new Promise<void>((resolve) => {
      session.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
        if (versions.some((version) => version.scriptURL.startsWith(room.site.url) && version.runningStatus !== 'running')) resolve()
      })
    })
    await session.send('ServiceWorker.stopAllWorkers')
    await stopped
    expect(room.site.cdn.requests.reduce((sum, request) => sum + request.sentBytes, 0)).toBeLessThan(FILES.agent.sizeBytes)
    // Chromium wakes the worker and asks again; the page is still at it.
    expect(await asked).toMatchObject({ status: 200, sha256: room.publication.digests.agent })
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(everyPieceOnce('agent'))
  })
})
