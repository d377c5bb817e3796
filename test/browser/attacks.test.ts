import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CDPSession, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startFaultOrigin, type FaultOrigin, type OriginFault } from '../fakes/fault-origin.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { everyPieceOnce, FILES, piecesAsked, publishFiles, startSite, type Publication, type Site } from './site.ts'
import { closePages, download, eventsOf, fetchIn, kept, newPage, openPortal } from './visitor.ts'

vi.setConfig({ testTimeout: 120_000 })

const MIB = 1024 * 1024
const CATALOGUE_LIMIT_BYTES = 2 * MIB
/** What a browser holds between the system and a script that reads no more, with room to spare. */
const IN_THE_BROWSER_BYTES = 6 * MIB

/** What runs says so, to the portal and to whoever looks into its storage. */
const SCRIPT = "localStorage.setItem('ran','1');fetch('/ran')"
const ACTIVE = [
  { filename: 'page-1.0.0.html', mediaType: 'text/html', content: `<!doctype html><script>${SCRIPT}</script>` },
  {
    filename: 'image-1.0.0.svg',
    mediaType: 'image/svg+xml',
    content: `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script></svg>`,
  },
  { filename: 'script-1.0.0.js', mediaType: 'text/javascript', content: SCRIPT },
] as const

let publication: Publication
let chromium: LaunchedBrowser
let wholeBrowser: CDPSession
let evil: FaultOrigin
let honest: FaultOrigin
const sites: Site[] = []

beforeAll(async () => {
  ;[publication, chromium] = await Promise.all([publishFiles({ more: ACTIVE }), launchChromium()])
  wholeBrowser = await chromium.browser.target().createCDPSession()
  ;[evil, honest] = [await hostileOrigin(), await hostileOrigin()]
})

afterEach(async () => {
  await closePages(chromium.browser)
  for (const site of sites.splice(0)) await site.close()
  for (const origin of [evil, honest]) Object.assign(origin, { fault: 'none', faultAt: /^/ })
})

afterAll(async () => {
  await chromium.close()
  await evil.close()
  await honest.close()
  await publication.remove()
})

/** Serves what is published, until it is told to attack. */
async function hostileOrigin(): Promise<FaultOrigin> {
  const dir = join(publication.siteDir, 'by-hash', 'sha256')
  const names = (await readdir(dir)).filter((name) => /^[0-9a-f]{64}$/.test(name))
  const blobs = await Promise.all(names.map((name) => readFile(join(dir, name))))
  return await startFaultOrigin({ blobs, catalogue: await readFile(join(publication.siteDir, 'catalogue.json')) })
}

/** A page of a portal, on an origin of its own, that knows these origins. */
async function openSite(...origins: readonly FaultOrigin[]): Promise<Page> {
  const places = origins.map((origin, i) => ({ id: origin === evil ? 'evil' : i === 0 ? 'other' : 'honest', url: origin.baseUrl }))
  const site = await startSite(publication, { origins: places })
  sites.push(site)
  return await openPortal(chromium.browser, site.url)
}

function attackWith(origin: FaultOrigin, fault: OriginFault, faultAt: RegExp): void {
  Object.assign(origin, { fault, faultAt })
}

const agentPath = () => new RegExp(publication.digests.agent)
const deliveredAgent = () => ({ kind: 'delivered', sha256: publication.digests.agent, sizeBytes: FILES.agent.sizeBytes })

/** What each source did wrong, by its name. */
async function troublesOf(page: Page): Promise<ReadonlyMap<string, readonly string[]>> {
  const troubles = new Map<string, string[]>()
  for (const event of await eventsOf(page)) {
    if (event.kind === 'trouble') troubles.set(event.source, [...(troubles.get(event.source) ?? []), event.failure.code])
  }
  return troubles
}

describe('tr01.arbitrary: other bytes of the right size', () => {
  test('from every source: none reaches the page, none can be read, and each source is named', async () => {
    for (const origin of [evil, honest]) attackWith(origin, 'other-bytes', agentPath())
    const page = await openSite(honest, evil)
    expect(await download(page, 'agent')).toMatchObject({ kind: 'refused', code: 'sources-exhausted' })
    expect(await page.evaluate(() => window.trial?.delivered)).toBeUndefined()
    expect(Object.fromEntries(await troublesOf(page))).toEqual({ evil: ['digest-mismatch'], other: ['digest-mismatch'] })
    const { rows, cached } = await kept(page)
    expect(rows).toMatchObject({ pieces: 0, pieceBlobs: 0 })
    expect(cached.filter((path) => agentPath().test(path))).toEqual([])
    const virtual = await fetchIn(page, `/_sealift/sha256/${publication.digests.agent}/${FILES.agent.filename}`)
    expect(virtual).toMatchObject({ status: 504, headers: { 'sealift-code': 'sources-exhausted' } })
  })

  test('beside an honest source: the file is right', async () => {
    attackWith(evil, 'other-bytes', agentPath())
    const page = await openSite(evil, honest)
    expect(await download(page, 'agent')).toMatchObject(deliveredAgent())
    expect((await troublesOf(page)).get('evil')).toEqual(['digest-mismatch'])
  })
})

describe('tr10.endless-metadata in a browser: a catalogue', () => {
  test('without end, or one that unpacks to far too much, is left at its limit, and costs neither the download nor memory', async () => {
    const onTheWay = (await inTheSystemBytes()) + IN_THE_BROWSER_BYTES
    const usual = await growthOfDownload()
    for (const fault of ['endless', 'bomb'] as const) {
      attackWith(evil, fault, /catalogue\.json$/)
      // A browser collects its garbage when it likes: what is held each time is held, what is seen once may only have been left lying.
      let growth = Number.POSITIVE_INFINITY
      for (let attempts = 0; attempts < 3 && growth - usual >= 32 * MIB; attempts++) {
        const [requests, sentBytes] = [evil.requests.length, evil.sentBytes]
        growth = Math.min(growth, await growthOfDownload())
        expect(evil.requests.slice(requests).some(({ path }) => path === '/catalogue.json')).toBe(true)
        expect(evil.sentBytes - sentBytes).toBeLessThan(CATALOGUE_LIMIT_BYTES + onTheWay)
      }
      expect(growth - usual).toBeLessThan(32 * MIB)
    }
  })

  /** By how much the renderers grow, at most, while the notes are fetched on a fresh visit. */
  async function growthOfDownload(): Promise<number> {
    const page = await openSite(evil, honest)
    const atRest = await memoryOf()
    let most = atRest
    const watching = setInterval(() => void memoryOf().then((now) => (most = Math.max(most, now))), 20)
    try {
      expect(await download(page, 'notes')).toMatchObject({ kind: 'delivered', sha256: publication.digests.notes })
    } finally {
      clearInterval(watching)
    }
    return most - atRest
  }
})

/** What this system may hold of one connection: Linux grows both its buffers up to a limit that differs from machine to machine. */
async function inTheSystemBytes(): Promise<number> {
  const limits = ['tcp_wmem', 'tcp_rmem'].map(async (name) => {
    const text = await readFile(`/proc/sys/net/ipv4/${name}`, 'utf8')
    return Number(text.trim().split(/\s+/)[2])
  })
  return (await Promise.all(limits)).reduce((sum, bytes) => sum + bytes, 0)
}

/** Resident bytes of all renderers, where pages and workers live. */
async function memoryOf(): Promise<number> {
  const { processInfo } = await wholeBrowser.send('SystemInfo.getProcessInfo')
  const renderers = processInfo.filter(({ type }) => type === 'renderer')
  const sizes = await Promise.all(
    renderers.map(async ({ id }) => {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe.each<readonly [string, readonly (readonly [OriginFault, string])[]]>([
  [
    'co02.length: a body of another length than was asked for',
    [
      ['short-body', 'source-length'],
      ['early-end', 'source-length'],
      ['cut-body', 'source-unreachable'],
      ['one-byte-less', 'source-length'],
      ['one-byte-more', 'source-length'],
      ['long-body', 'source-length'],
      ['no-body', 'source-length'],
      ['no-content', 'source-protocol'],
    ],
  ],
  // Chromium tears these up by itself, and says no more than that they failed.
  [
    'co05.gzip-range and co06.bomb in a browser: a compressed body that was not asked for',
    [
      ['gzip-range', 'source-unreachable'],
      ['bomb', 'source-unreachable'],
    ],
  ],
])('%s', (_what, faults) => {
  test.each(faults)('(%s) is told of its source as %s, and an honest one gives the file', async (fault, code) => {
    attackWith(evil, fault, agentPath())
    const page = await openSite(evil, honest)
    expect(await download(page, 'agent')).toMatchObject(deliveredAgent())
    expect(new Set((await troublesOf(page)).get('evil'))).toEqual(new Set([code]))
  })
})

describe('co10.headers: an artifact that would run', () => {
  test('never does, however a page comes to it', async () => {
    const page = await openSite(honest)
    const [site] = sites
    if (site === undefined) throw new Error('no site is open')
    const wasRun = () => site.requests.some(({ path }) => path === '/ran')
    for (const { filename } of ACTIVE) {
      const [name = ''] = filename.split('-')
      const url = `/_sealift/name/${name}/${filename}`
      const answer = await fetchIn(page, url)
      expect(answer).toMatchObject({
        status: 200,
        headers: {
          'content-type': 'application/octet-stream',
          'x-content-type-options': 'nosniff',
          'content-security-policy': expect.stringContaining('sandbox'),
          'content-disposition': expect.stringMatching(/^attachment/),
        },
      })
      await page.evaluate(embedEverywhere, url)
      const visit = await newPage(chromium.browser)
      await visit.goto(new URL(url, site.url).href)
      await visit.waitForFunction(() => document.querySelector('#sealift-state')?.textContent !== 'Looking for the file…')
      await visit.close()
    }
    expect(wasRun()).toBe(false)
    expect(await page.evaluate(() => localStorage.getItem('ran'))).toBeNull()
    // The same bytes do run where somebody serves them as a page.
    site.files.set('/served.html', { type: 'text/html', body: ACTIVE[0].content })
    await (await newPage(chromium.browser)).goto(`${site.url}served.html`)
    await expect.poll(wasRun).toBe(true)
  })
})

/** Runs in the page: every way in which it may take a URL for something to run or show. Resolves when all have ended, well or badly. */
async function embedEverywhere(url: string): Promise<void> {
  const ended = (element: HTMLElement, attribute: string): Promise<void> =>
    new Promise((resolve) => {
      element.addEventListener('load', () => resolve())
      element.addEventListener('error', () => resolve())
      element.setAttribute(attribute, url)
      document.body.append(element)
    })
  await Promise.all([
    ended(document.createElement('iframe'), 'src'),
    ended(document.createElement('script'), 'src'),
    ended(document.createElement('img'), 'src'),
    ended(document.createElement('object'), 'data'),
    ended(document.createElement('embed'), 'src'),
    ended(Object.assign(document.createElement('script'), { type: 'module' }), 'src'),
    // Were it run as a worker it would fail too: a worker has no `localStorage`.
    new Promise((resolve) => new Worker(url).addEventListener('error', resolve)),
  ])
}

describe('co12.tamper-after-verify: a file that is rewritten after it was verified', () => {
  test('is not handed over: its piece is fetched again, for the page and for the worker', async () => {
    const site = await startSite(publication)
    sites.push(site)
    const page = await openPortal(chromium.browser, site.url)
    expect(await download(page, 'agent')).toMatchObject(deliveredAgent())
    for (const [times, again] of [
      () => download(page, 'agent'),
      async () => ({ kind: 'delivered', ...(await fetchIn(page, `/_sealift/name/agent/${FILES.agent.filename}`)) }),
    ].entries()) {
      site.cdn.forgetRequests()
      expect(await page.evaluate(rewriteKept, { sizeBytes: FILES.agent.sizeBytes, at: MIB + times })).toBe(1)
      expect(await again()).toMatchObject(deliveredAgent())
      expect(piecesAsked(site, publication, 'agent')).toEqual(everyPieceOnce('agent').map((_, piece) => (piece === 4 ? 1 : 0)))
    }
  })

  test('cannot be read any more by a page that holds it', async () => {
    const page = await openSite(honest)
    expect(await download(page, 'agent')).toMatchObject(deliveredAgent())
    expect(await page.evaluate(rewriteKept, { sizeBytes: FILES.agent.sizeBytes, at: 0 })).toBe(1)
    expect(
      await page.evaluate(() =>
        window.trial?.delivered?.file.arrayBuffer().then(
          () => 'read',
          (error: Error) => error.name,
        ),
      ),
    ).toBe('NotReadableError')
  })
})

/** Runs in the page, as any script of the origin can: flips a bit in every kept file of that size. @returns how many */
async function rewriteKept({ sizeBytes, at }: { readonly sizeBytes: number; readonly at: number }): Promise<number> {
  let count = 0
  const walk = async (folder: FileSystemDirectoryHandle): Promise<void> => {
    for await (const handle of folder.values()) {
      if (handle instanceof FileSystemDirectoryHandle) await walk(handle)
      else if (handle instanceof FileSystemFileHandle && (await handle.getFile()).size === sizeBytes) {
        const byte = new Uint8Array(await (await handle.getFile()).slice(at, at + 1).arrayBuffer())
        const writer = await handle.createWritable({ keepExistingData: true })
        await writer.write({ type: 'write', position: at, data: Uint8Array.of((byte[0] ?? 0) ^ 1) })
        await writer.close()
        count++
      }
    }
  }
  await walk(await navigator.storage.getDirectory())
  return count
}
