import type { Browser, CDPSession, Page } from 'puppeteer-core'
import type { Delivered, DeliveryEvent, Download } from '../../src/page/index.ts'
import type {} from '../../demo/portal/main.ts'

/** How a download ended, as plain data. */
export type Ending =
  | { readonly kind: 'delivered'; readonly sha256: string; readonly filename: string; readonly sizeBytes: number; readonly record: string }
  | { readonly kind: 'refused'; readonly code: string; readonly nextStep: string }
  | { readonly kind: 'thrown'; readonly name: string; readonly isOwnReason: boolean }

interface Trial {
  readonly download: Download
  readonly events: DeliveryEvent[]
  /** What `signal` was aborted with. */
  readonly reason: object
  readonly stop: AbortController
  delivered?: Delivered
  ending?: Ending
}

declare global {
  interface Window {
    trial?: Trial
  }
}

const WAIT_MS = 30_000
const POLL_MS = 50

/** Opens a page of the portal and waits until it has the SDK. */
export async function openPortal(browser: Browser, url: string): Promise<Page> {
  const page = await newPage(browser)
  await page.goto(url)
  await waitForSdk(page)
  return page
}

export async function newPage(browser: Browser): Promise<Page> {
  const page = await browser.newPage()
  page.setDefaultTimeout(WAIT_MS)
  return page
}

/** Every page but the one that the browser started with. */
export async function closePages(browser: Browser): Promise<void> {
  for (const page of await browser.pages()) if (page.url() !== 'about:blank') await page.close()
}

export async function waitForSdk(page: Page): Promise<void> {
  await page.waitForFunction(() => window.sealift !== undefined, { polling: POLL_MS })
}

/** Starts a download by name, or by digest when that is what `wanted` is, and leaves it to itself. */
export async function startDownload(page: Page, wanted: string): Promise<void> {
  await page.evaluate((name) => {
    const { sealift } = window
    if (sealift === undefined) throw new Error('the page has no SDK')
    const events: DeliveryEvent[] = []
    const stop = new AbortController()
    const options = { signal: stop.signal, onEvent: (event: DeliveryEvent) => void events.push(event) }
    const download = /^[0-9a-f]{64}$/.test(name) ? sealift.downloadDigest(name, options) : sealift.download(name, options)
    const trial: Trial = { download, events, stop, reason: { mine: true } }
    window.trial = trial
    const digestOf = async (file: File): Promise<string> => {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
      return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    }
    download.result.then(
      async (delivered) => {
        const { file, record } = delivered
        trial.delivered = delivered
        trial.ending = {
          kind: 'delivered',
          sha256: await digestOf(file),
          filename: file.name,
          sizeBytes: file.size,
          record: record.outcome.kind,
        }
      },
      (error: unknown) => {
        if (error instanceof Error && 'code' in error && 'nextStep' in error)
          trial.ending = { kind: 'refused', code: String(error.code), nextStep: String(error.nextStep) }
        else
          trial.ending = { kind: 'thrown', name: error instanceof Error ? error.name : typeof error, isOwnReason: error === trial.reason }
      },
    )
  }, wanted)
}

export async function endOf(page: Page): Promise<Ending> {
  await page.waitForFunction(() => window.trial?.ending !== undefined, { polling: POLL_MS })
  return await page.evaluate(() => {
    const ending = window.trial?.ending
    if (ending === undefined) throw new Error('no download has ended here')
    return ending
  })
}

export async function download(page: Page, wanted: string): Promise<Ending> {
  await startDownload(page, wanted)
  return await endOf(page)
}

export async function eventsOf(page: Page): Promise<readonly DeliveryEvent[]> {
  return await page.evaluate(() => window.trial?.events ?? [])
}

/** Waits until so many pieces of the running download are verified. */
export async function waitForPieces(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const spans = (window.trial?.events ?? []).flatMap((event) => (event.kind === 'progress' ? event.pieces : []))
      return spans.reduce((sum, { start, end }) => sum + end - start, 0) >= wanted
    },
    { polling: POLL_MS },
    count,
  )
}

/** What a `fetch()` of the page got. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly sha256: string
  readonly sizeBytes: number
  readonly text: string
}

/** Undefined when it failed as a network error. */
export async function fetchIn(page: Page, url: string, init: RequestInit = {}): Promise<Answer | undefined> {
  return await page.evaluate(
    async (target, options) => {
      try {
        const response = await fetch(target, options)
        const bytes = await response.arrayBuffer()
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
        return {
          status: response.status,
          headers: Object.fromEntries(response.headers),
          sha256: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
          sizeBytes: bytes.byteLength,
          text: bytes.byteLength < 4096 ? new TextDecoder().decode(bytes) : '',
        }
      } catch {
        return undefined
      }
    },
    url,
    init,
  )
}

/** A reload that goes past the service worker, as with the shift key. */
export async function hardReload(page: Page): Promise<void> {
  const session = await page.createCDPSession()
  const loaded = page.waitForNavigation()
  await session.send('Page.reload', { ignoreCache: true })
  await loaded
  await session.detach()
}

/** Everything of Sealift that this origin keeps, by name. */
export async function kept(
  page: Page,
): Promise<{ readonly files: readonly string[]; readonly rows: Readonly<Record<string, number>>; readonly cached: readonly string[] }> {
  return await page.evaluate(async () => {
    const files: string[] = []
    const root = await navigator.storage.getDirectory()
    for await (const [folder, handle] of root.entries()) {
      files.push(folder)
      if (handle instanceof FileSystemDirectoryHandle) for await (const name of handle.keys()) files.push(`${folder}/${name}`)
    }
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('sealift')
      opening.addEventListener('success', () => resolve(opening.result))
      opening.addEventListener('error', () => reject(opening.error))
    })
    const rows: Record<string, number> = {}
    for (const store of db.objectStoreNames) {
      rows[store] = await new Promise<number>((resolve, reject) => {
        const counting = db.transaction(store).objectStore(store).count()
        counting.addEventListener('success', () => resolve(counting.result))
        counting.addEventListener('error', () => reject(counting.error))
      })
    }
    db.close()
    const cached: string[] = []
    for (const name of await caches.keys()) {
      for (const request of await (await caches.open(name)).keys()) cached.push(new URL(request.url).pathname)
    }
    return { files, rows, cached }
  })
}

/** Indices of the pieces of one artifact that this origin keeps, ascending. */
export async function keptPieces(page: Page, sha256: string): Promise<readonly number[]> {
  return await page.evaluate(async (digest) => {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const opening = indexedDB.open('sealift')
      opening.addEventListener('success', () => resolve(opening.result))
      opening.addEventListener('error', () => reject(opening.error))
    })
    const keys = await new Promise<readonly IDBValidKey[]>((resolve, reject) => {
      const ofDigest = IDBKeyRange.bound([digest], [digest, []])
      const listing = db.transaction('pieces').objectStore('pieces').getAllKeys(ofDigest)
      listing.addEventListener('success', () => resolve(listing.result))
      listing.addEventListener('error', () => reject(listing.error))
    })
    db.close()
    return keys.map((key) => (Array.isArray(key) ? Number(key[1]) : -1))
  }, sha256)
}

/** A file that the browser put into its downloads, or gave up. */
export interface SavedFile {
  readonly state: 'completed' | 'canceled'
  readonly suggestedName: string
}

/** Downloads of the browser from now on, into `dir`. */
export interface SavedFiles {
  readonly all: readonly SavedFile[]
  /** How many have begun and not ended. */
  readonly running: number
  /** The next one that ends, from the first on. */
  next(): Promise<SavedFile>
  stop(): Promise<void>
}

export async function watchDownloads(browser: Browser, dir: string): Promise<SavedFiles> {
  const session: CDPSession = await browser.target().createCDPSession()
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: dir, eventsEnabled: true })
  const names = new Map<string, string>()
  const all: SavedFile[] = []
  const waiting: ((saved: SavedFile) => void)[] = []
  let taken = 0
  session.on('Browser.downloadWillBegin', ({ guid, suggestedFilename }) => void names.set(guid, suggestedFilename))
  session.on('Browser.downloadProgress', ({ guid, state }) => {
    if (state === 'inProgress') return
    const saved: SavedFile = { state, suggestedName: names.get(guid) ?? '' }
    all.push(saved)
    const waiter = waiting.shift()
    if (waiter === undefined) return
    taken++
    waiter(saved)
  })
  return {
    all,
    get running() {
      return names.size - all.length
    },
    stop: () => session.detach(),
    next() {
      const there = all[taken]
      if (there === undefined) return new Promise((resolve) => waiting.push(resolve))
      taken++
      return Promise.resolve(there)
    },
  }
}
