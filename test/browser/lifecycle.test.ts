import type { Page } from 'puppeteer-core'
import { describe, expect, test } from 'vitest'
import { openRoom } from './room.ts'
import { FILES, javascript, type PortalFile } from './site.ts'
import { download, endOf, fetchIn, openPortal, startDownload, waitForPieces, waitForSdk } from './visitor.ts'

const MIB = 1024 * 1024
const VIRTUAL = `/_sealift/name/notes/${FILES.notes.filename}`

const room = openRoom()

/** Which script answers this page; undefined: none does. */
async function editionOf(page: Page): Promise<string | undefined> {
  const answer = await fetchIn(page, '/edition')
  return answer?.status === 200 ? answer.text : undefined
}

/** Has the browser look for a newer script, and waits for what becomes of it. */
async function update(page: Page): Promise<'installed' | 'refused' | 'unchanged'> {
  return await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration('/')
    if (registration === undefined) throw new Error('there is no service worker')
    const before = registration.active
    try {
      await registration.update()
    } catch {
      return 'refused'
    }
    const { installing } = registration
    if (installing !== null) {
      return await new Promise<'installed' | 'refused'>((resolve) => {
        installing.addEventListener('statechange', () => resolve(installing.state === 'redundant' ? 'refused' : 'installed'), {
          once: true,
        })
      })
    }
    return registration.waiting !== null || registration.active !== before ? 'installed' : 'unchanged'
  })
}

/**
 * Waits until no worker is on its way in, and says which one is in charge. Looks at the registration and asks nothing through the worker:
 * Chromium does not replace one that is kept busy.
 */
async function settledEdition(page: Page): Promise<string | undefined> {
  await page.waitForFunction(
    async () => {
      const registration = await navigator.serviceWorker.getRegistration('/')
      if (registration === undefined) return true
      return registration.installing === null && registration.waiting === null && registration.active?.state === 'activated'
    },
    { polling: 50 },
  )
  return await editionOf(page)
}

describe('a newer service worker', () => {
  test('takes over at once where no transfer runs, without a reload', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    room.site.files.set('/sw.js', room.site.workerScript('2'))
    expect(await update(page)).toBe('installed')
    expect(await settledEdition(page)).toBe('2')
    expect(room.site.requests.filter(({ path }) => path === '/index.html').length).toBeLessThanOrEqual(3)
    expect(await page.evaluate(() => performance.getEntriesByType('navigation').length)).toBe(1)
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
  })

  test('waits while a transfer runs in any tab, and takes over after it', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: MIB })
    const page = await openPortal(room.chromium.browser, room.site.url)
    const other = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(other, 'agent')
    await waitForPieces(other, 1)
    room.site.files.set('/sw.js', room.site.workerScript('2'))
    expect(await update(page)).toBe('installed')
    expect(await editionOf(page)).toBe('1')
    await waitForPieces(other, 6)
    expect(await editionOf(page)).toBe('1')
    expect(await endOf(other)).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.agent })
    expect(await settledEdition(page)).toBe('2')
    expect(await editionOf(other)).toBe('2')
  })

  test('that still waits from an earlier visit takes over at the next one', async () => {
    await room.site.cdn.set({ rateBytesPerSecond: MIB })
    const plain = await room.chromium.browser.newPage()
    await (await openPortal(room.chromium.browser, room.site.url)).close()
    // It keeps the old worker in use, and says nothing to the new one.
    await plain.goto(`${room.site.url}plain.html`)
    const page = await openPortal(room.chromium.browser, room.site.url)
    await startDownload(page, 'agent')
    await waitForPieces(page, 1)
    room.site.files.set('/sw.js', room.site.workerScript('2'))
    expect(await update(page)).toBe('installed')
    await page.close()
    expect(await editionOf(plain)).toBe('1')
    await openPortal(room.chromium.browser, room.site.url)
    expect(await settledEdition(plain)).toBe('2')
  })

  test('that arrives cut short does not replace the good one', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const whole = room.site.workerScript('2')
    const { length } = whole.body
    const end = whole.body.lastIndexOf(',self.sealiftComplete')
    const shell = whole.body.indexOf('\n') + 1
    const cuts = [
      1,
      shell - 2,
      shell - 1,
      shell,
      shell + 10,
      ...[0.1, 0.5, 0.9, 0.99].map((part) => Math.floor(length * part)),
      end - 1,
      end,
      end + 5,
      end + 22,
      length - 1,
    ]
    for (const cutAfterBytes of cuts) {
      room.site.files.set('/sw.js', { ...whole, cutAfterBytes })
      expect([cutAfterBytes, await update(page)]).toEqual([cutAfterBytes, 'refused'])
    }
    expect(await editionOf(page)).toBe('1')
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
    room.site.files.set('/sw.js', whole)
    expect(await update(page)).toBe('installed')
    expect(await settledEdition(page)).toBe('2')
  })

  test('that lists no files and is cut short before its last words does not replace the good one either', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const built = room.site.builtWorkerScript
    room.site.files.set('/sw.js', { ...built, cutAfterBytes: built.body.lastIndexOf(',self.sealiftComplete') })
    expect(await update(page)).toBe('refused')
    expect(await editionOf(page)).toBe('1')
    room.site.files.set('/sw.js', built)
    expect(await update(page)).toBe('installed')
    expect(await settledEdition(page)).toBeUndefined()
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
  })

  test.each<[string, PortalFile | undefined]>([
    ['is not there', undefined],
    ['is a page of the portal instead', { type: 'text/html', body: '<!doctype html><title>Sign in</title>' }],
    ['is an error of the server', { type: 'text/javascript', body: 'oops', status: 503 }],
  ])('that %s does not replace the good one', async (_, file) => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    if (file === undefined) room.site.files.delete('/sw.js')
    else room.site.files.set('/sw.js', file)
    expect(await update(page)).toBe('refused')
    expect(await editionOf(page)).toBe('1')
    await page.reload()
    await waitForSdk(page)
    expect(await editionOf(page)).toBe('1')
    expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 200, sha256: room.publication.digests.notes })
  })
})

/**
 * Waits until no worker answers for this page. A claim reaches an open page some milliseconds after the worker made it; asking every few
 * milliseconds would keep the old worker busy, and Chromium does not replace a busy one.
 */
async function freed(page: Page): Promise<void> {
  await settledEdition(page)
  await page.waitForFunction(async () => (await fetch('/edition', { cache: 'no-store' })).status !== 200, { polling: 500, timeout: 30_000 })
}

describe('the kill switch', () => {
  test('frees every open page without a reload, and the page goes on without a worker', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const other = await openPortal(room.chromium.browser, room.site.url)
    expect(await fetchIn(other, VIRTUAL)).toMatchObject({ status: 200 })
    for (const one of [page, other]) await one.evaluate(() => (document.title = 'still here'))
    const noop = room.site.files.get('/noop-sw.js')
    room.site.files.set('/sw.js', javascript(noop?.body ?? ''))
    expect(await update(page)).toBe('installed')
    for (const one of [page, other]) {
      await freed(one)
      expect(await fetchIn(one, VIRTUAL)).toMatchObject({ status: 404, headers: { 'content-type': 'text/plain' } })
      expect(await one.title()).toBe('still here')
      expect(await download(one, 'agent')).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.agent })
    }
  })

  test('frees the pages though one speaks to it before it is in charge', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const noop = room.site.files.get('/noop-sw.js')
    room.site.files.set('/sw.js', javascript(noop?.body ?? ''))
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration('/')
      registration?.addEventListener('updatefound', () => registration.installing?.postMessage({ kind: 'anything' }), { once: true })
    })
    expect(await update(page)).toBe('installed')
    await freed(page)
  })

  test('leaves nothing behind that a reload would load again and again', async () => {
    const page = await openPortal(room.chromium.browser, room.site.url)
    const noop = room.site.files.get('/noop-sw.js')
    room.site.files.set('/sw.js', javascript(noop?.body ?? ''))
    expect(await update(page)).toBe('installed')
    await freed(page)
    await page.reload()
    await waitForSdk(page)
    await freed(page)
    await page.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0, { polling: 50 })
    const loads = room.site.requests.filter(({ path }) => path === '/app.js').length
    expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.notes })
    expect(room.site.requests.filter(({ path }) => path === '/app.js')).toHaveLength(loads)
    await page.close()
    const next = await openPortal(room.chromium.browser, room.site.url)
    expect(await editionOf(next)).toBeUndefined()
    expect(await download(next, 'notes')).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.notes })
  })
})

test('unregister() takes the worker out; stored artifacts stay', async () => {
  const page = await openPortal(room.chromium.browser, room.site.url)
  expect(await download(page, 'agent')).toMatchObject({ kind: 'delivered' })
  await page.evaluate(() => window.sealift?.unregister())
  room.site.files.set('/app.js', javascript('window.left = true'))
  await page.reload()
  expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
  expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0)
  expect(await fetchIn(page, VIRTUAL)).toMatchObject({ status: 404 })
  await page.close()
  room.site.files.set('/app.js', javascript("import { register } from '/page.js'\nwindow.sealift = await register()\n"))
  room.site.cdn.forgetRequests()
  const again = await openPortal(room.chromium.browser, room.site.url)
  expect(await download(again, 'agent')).toMatchObject({ kind: 'delivered', sha256: room.publication.digests.agent })
  expect(room.site.cdn.requests).toEqual([])
})
