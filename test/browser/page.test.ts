import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasFirefox, launchFirefox, type LaunchedBrowser } from './launch.ts'
import { openRoom } from './room.ts'
import { everyPieceOnce, FILES, javascript, piecesAsked, startSite } from './site.ts'
import { download, endOf, eventsOf, fetchIn, hardReload, kept, openPortal, startDownload, waitForPieces, waitForSdk } from './visitor.ts'

const MIB = 1024 * 1024

const room = openRoom()

const delivered = (name: keyof typeof FILES) => ({
  kind: 'delivered',
  sha256: room.publication.digests[name],
  filename: FILES[name].filename,
  sizeBytes: FILES[name].sizeBytes,
  record: 'delivered',
})

/** For each piece of the agent: 0 when it was kept as the page's download began or went on, else 1. */
async function missingAtStart(page: Page): Promise<readonly number[]> {
  const resolved = (await eventsOf(page)).filter((event) => event.kind === 'resolved').at(-1)
  const isKept = (piece: number): boolean => resolved?.kept.some(({ start, end }) => start <= piece && piece < end) === true
  return everyPieceOnce('agent').map((once, piece) => (isKept(piece) ? 0 : once))
}

describe('registering', () => {
  test('the first visit is controlled without a reload, and so is a hard reload', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await page.evaluate(() => [window.sealift?.hasController, navigator.serviceWorker.controller !== null])).toEqual([true, true])
    expect(await fetchIn(page, '/edition')).toMatchObject({ text: '1' })
    await hardReload(page)
    await waitForSdk(page)
    expect(await page.evaluate(() => window.sealift?.hasController)).toBe(true)
    expect(await fetchIn(page, '/edition')).toMatchObject({ text: '1' })
    expect(room.site.requests.filter(({ path }) => path === '/index.html')).toHaveLength(3)
  })

  test('a page whose service worker is not served downloads all the same', async () => {
    room.site.files.delete('/sw.js')
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await page.evaluate(() => window.sealift?.hasController)).toBe(false)
    expect(await download(page, 'notes')).toEqual(delivered('notes'))
  })
})

describe('a download', () => {
  test('by name gives the verified file, and tells what happens in order', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, 'agent')).toEqual(delivered('agent'))
    const events = await eventsOf(page)
    const steps = events.map((event) => (event.kind === 'phase' ? event.phase : event.kind))
    const firstOf = [...new Set(steps)].filter((step) => step !== 'signed')
    expect(firstOf).toEqual(['resolving', 'resolved', 'fetching', 'progress', 'checking'])
    expect(steps.indexOf('signed')).toBeGreaterThan(steps.indexOf('fetching'))
    expect(steps.indexOf('signed')).toBeLessThan(steps.indexOf('checking'))
    const verified = events.flatMap((event) => (event.kind === 'progress' ? [event.verifiedBytes] : []))
    expect(verified).toEqual(verified.toSorted((a, b) => a - b))
    expect(verified.at(-1)).toBe(FILES.agent.sizeBytes)
  })

  test('by digest gives the same file', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, room.publication.digests.notes)).toEqual(delivered('notes'))
  })

  test('that was paused asks only for the pieces that are missing', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: 2 * MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(page, 'agent')
    await waitForPieces(page, 3)
    await page.evaluate(() => window.trial?.download.pause())
    await page.waitForFunction(() => window.trial?.events.some((event) => event.kind === 'phase' && event.phase === 'paused'))
    room.site.cdn.forgetRequests()
    await room.site.cdn.set('up')
    await page.evaluate(() => window.trial?.download.resume())
    expect(await endOf(page)).toEqual(delivered('agent'))
    const missing = await missingAtStart(page)
    expect(missing.filter((times) => times === 0).length).toBeGreaterThanOrEqual(3)
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(missing)
  })

  test('that a closed tab left is finished by the next one, which asks only for the pieces that are missing', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: 2 * MIB })
    const first = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(first, 'agent')
    await waitForPieces(first, 3)
    await first.close()
    room.site.cdn.forgetRequests()
    await room.site.cdn.set('up')
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, 'agent')).toEqual(delivered('agent'))
    const missing = await missingAtStart(page)
    expect(missing.filter((times) => times === 0).length).toBeGreaterThanOrEqual(3)
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(missing)
  })

  test('works again after the browser has thrown away what this origin kept, under an open page', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, 'agent')).toEqual(delivered('agent'))
    const session = await page.createCDPSession()
    await session.send('Storage.clearDataForOrigin', {
      origin: new URL(room.site.url).origin,
      storageTypes: 'indexeddb,file_systems,cache_storage',
    })
    room.site.cdn.forgetRequests()
    expect(await download(page, 'agent')).toEqual(delivered('agent'))
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(everyPieceOnce('agent'))
    expect((await kept(page)).rows).toMatchObject({ artifacts: 1, pieces: FILES.agent.pieces })
  })

  test('that is cancelled rejects with an AbortError', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(page, 'agent')
    await waitForPieces(page, 1)
    await page.evaluate(() => window.trial?.download.cancel())
    expect(await endOf(page)).toEqual({ kind: 'thrown', name: 'AbortError', isOwnReason: false })
  })

  test("that the caller's signal ends rejects with its own reason", async () => {
    await room.site.cdn.set({ rateBytesPerSecond: MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(page, 'agent')
    await waitForPieces(page, 1)
    await page.evaluate(() => window.trial?.stop.abort(window.trial.reason))
    expect(await endOf(page)).toMatchObject({ kind: 'thrown', isOwnReason: true })
  })

  test('of an unknown name says so, and what to do', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, 'nothing')).toEqual({
      kind: 'refused',
      code: 'artifact-unknown',
      nextStep: expect.stringContaining('Check the name'),
    })
  })

  test('goes on from what arrived when its only source goes away and comes back', async () => {
    await room.site.cdn.set({ dieAfterBytes: MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(page, 'agent')
    await page.waitForFunction(() => window.trial?.events.some((event) => event.kind === 'trouble'))
    expect(room.site.cdn.state).toBe('down')
    await room.site.cdn.set('up')
    expect(await endOf(page)).toEqual(delivered('agent'))
    const sentBytes = room.site.cdn.requests.reduce((sum, request) => sum + request.sentBytes, 0)
    // At most what was on its way when the power went is sent again.
    expect(sentBytes).toBeLessThan(FILES.agent.sizeBytes + MIB)
  })

  test('whose only source sends wrong bytes ends with a code, and keeps none of them', async () => {
    await room.site.cdn.set('wrong-bytes')
    const page = await openPortal(room.chromium.browser, room.site.url)
    expect(await download(page, 'agent')).toEqual({
      kind: 'refused',
      code: 'sources-exhausted',
      nextStep: expect.stringContaining('What arrived is kept'),
    })
    const trouble = (await eventsOf(page)).find((event) => event.kind === 'trouble')
    expect(trouble).toMatchObject({ source: 'cdn', isBanned: true, failure: { code: 'digest-mismatch' } })
    expect((await kept(page)).rows).toMatchObject({ pieces: 0, pieceBlobs: 0 })
  })

  test('of one artifact in two tabs fetches each piece once', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: 2 * MIB })
    const [one, other] = [await openPortal(room.chromium.browser, room.site.url), await openPortal(room.chromium.browser, room.site.url)]
    await Promise.all([startDownload(one, 'agent'), startDownload(other, 'agent')])
    expect(await Promise.all([endOf(one), endOf(other)])).toEqual([delivered('agent'), delivered('agent')])
    expect(piecesAsked(room.site, room.publication, 'agent')).toEqual(everyPieceOnce('agent'))
  })

  test('works where WebAssembly is forbidden', async () => {
    const engine = room.site.files.get('/engine.js')?.body ?? ''
    room.site.files.set('/engine.js', javascript(engine, { 'content-security-policy': "script-src 'self'" }))
    room.site.files.set(
      '/probe.js',
      javascript(
        'postMessage(WebAssembly.validate(new Uint8Array())); WebAssembly.compile(new Uint8Array([0,97,115,109,1,0,0,0])).then(() => postMessage("allowed"), () => postMessage("forbidden"))',
        { 'content-security-policy': "script-src 'self'" },
      ),
    )
    const page = await openPortal(room.chromium.browser, room.site.url)
    const answer = await page.evaluate(
      () =>
        new Promise((resolve) => {
          new Worker('/probe.js').addEventListener('message', ({ data }) => {
            if (typeof data === 'string') resolve(data)
          })
        }),
    )
    expect(answer).toBe('forbidden')
    expect(await download(page, 'notes')).toEqual(delivered('notes'))
  })
})

describe('an artifact that somebody else signed', () => {
  test('is refused, and none of its bytes can be read afterwards', async () => {
    const other = await startSite(room.publication, { artifactSigner: room.publication.stranger })
    try {
      const page = await openPortal(room.chromium.browser, other.url)
      expect(await download(page, 'notes')).toEqual({
        kind: 'refused',
        code: 'signature-invalid',
        nextStep: expect.stringContaining('Do not install from elsewhere'),
      })
      const { files, rows, cached } = await kept(page)
      expect(files).toEqual(['sealift', 'sealift/catalogue-floor%3Aacme'])
      expect(rows).toMatchObject({ artifacts: 0, pieces: 0, pieceBlobs: 0 })
      expect(cached.filter((path) => !other.files.has(path))).toEqual([])
      const virtual = await fetchIn(page, `/_sealift/name/notes/${FILES.notes.filename}`)
      expect(virtual).toMatchObject({ status: 502, headers: { 'sealift-code': 'signature-invalid' } })
    } finally {
      await other.close()
    }
  })
})

describe.runIf(hasFirefox())('in Firefox', () => {
  let firefox: LaunchedBrowser

  beforeAll(async () => {
    firefox = await launchFirefox()
  })

  afterAll(async () => {
    await firefox.close()
  })

  test('a download by name gives the verified file, and the service worker answers from it', async () => {
    const page = await openPortal(firefox.browser, room.site.url)
    expect(await download(page, 'agent')).toEqual(delivered('agent'))
    room.site.cdn.forgetRequests()
    const answer = await fetchIn(page, `/_sealift/name/agent/${FILES.agent.filename}`)
    expect(answer).toMatchObject({ status: 200, sha256: room.publication.digests.agent })
    expect(room.site.cdn.requests).toEqual([])
  })
})

if (!hasFirefox()) test('Firefox is not installed, so nothing was tried in it', ({ skip }) => skip('no Firefox on this machine'))
