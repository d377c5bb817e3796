import type { ArtifactFacts, AuditRecord, DeliveryEvent } from 'sealift/page'
import type { Browser, Page } from 'puppeteer-core'
import type {} from '../../demo/portal/main.ts'
import type { Received } from './receiver.ts'

export interface TimedEvent {
  /** Unix milliseconds at the page. */
  readonly atMs: number
  readonly event: DeliveryEvent
}

export type Ending =
  | { readonly kind: 'delivered'; readonly artifact: ArtifactFacts; readonly record: AuditRecord; readonly sizeBytes: number }
  | { readonly kind: 'refused'; readonly code: string; readonly nextStep: string; readonly message: string }
  | { readonly kind: 'broken'; readonly message: string }

/** How it ended, short enough for one line. */
export function endingWords(ending: Ending): string {
  if (ending.kind === 'delivered') return `delivered, ${ending.sizeBytes} bytes`
  return ending.kind === 'refused' ? `refused, ${ending.code}: ${ending.message}` : ending.message
}

/** What the drill leaves in the page to look on. */
interface Probe {
  readonly startedMs: number
  readonly events: TimedEvent[]
  endedMs?: number
  ending?: Ending
  file?: File
}

declare global {
  interface Window {
    drill?: Probe
    drillConnections?: RTCPeerConnection[]
    drillReceivedBytes?: Map<RTCPeerConnection, number>
  }
}

const PAGE_MS = 30_000
/** Long enough for 90 MiB over a slow mesh on a busy machine. */
const DELIVERY_MS = 150_000
const POLL_MS = 50

/** Opens the portal and waits until its page has Sealift, and the service worker has the page. */
export async function openPortal(browser: Browser, url: string): Promise<Page> {
  const page = await browser.newPage()
  page.setDefaultTimeout(PAGE_MS)
  await page.evaluateOnNewDocument(watchConnections)
  await page.goto(url, { waitUntil: 'domcontentloaded' })
  await waitForSealift(page)
  return page
}

export async function waitForSealift(page: Page): Promise<void> {
  await page.waitForFunction(() => window.sealift !== undefined || document.querySelector('[role=alert]') !== null, { polling: POLL_MS })
  const complaint = await page.evaluate(() =>
    window.sealift === undefined ? document.querySelector('[role=alert]')?.textContent : undefined,
  )
  if (typeof complaint === 'string') throw new Error(`the page did not start: ${complaint}`)
}

/** Waits until the service worker controls the page, so that its origin may go. */
export async function waitForController(page: Page): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', { polling: POLL_MS })
}

export async function allowSharing(page: Page): Promise<void> {
  await page.evaluate(() => window.sealift?.mesh.setConsent(true))
}

/** Starts a download by name, or by digest when that is what `name` is, and leaves it to itself; `finish` waits for its end. */
export async function startDownload(page: Page, name: string): Promise<void> {
  await page.evaluate((wanted) => {
    const { sealift } = window
    if (sealift === undefined) throw new Error('the page has no Sealift yet')
    const probe: Probe = { startedMs: Date.now(), events: [] }
    window.drill = probe
    const options = { onEvent: (event: DeliveryEvent) => void probe.events.push({ atMs: Date.now(), event }) }
    const download = /^[0-9a-f]{64}$/.test(wanted) ? sealift.downloadDigest(wanted, options) : sealift.download(wanted, options)
    const onEnd = (): void => {
      probe.endedMs = Date.now()
    }
    download.result.then(onEnd, onEnd)
    download.result.then(
      ({ file, artifact, record }) => {
        probe.file = file
        probe.ending = { kind: 'delivered', artifact, record, sizeBytes: file.size }
      },
      (error: unknown) => {
        const isOurs = error instanceof Error && 'code' in error && 'nextStep' in error
        probe.ending = isOurs
          ? { kind: 'refused', code: String(error.code), nextStep: String(error.nextStep), message: error.message }
          : { kind: 'broken', message: String(error) }
      },
    )
  }, name)
}

export interface Finished {
  readonly startedMs: number
  readonly endedMs: number
  readonly events: readonly TimedEvent[]
  readonly ending: Ending
}

export async function finish(page: Page): Promise<Finished> {
  await page.waitForFunction(() => window.drill?.ending !== undefined, { polling: POLL_MS, timeout: DELIVERY_MS })
  return page.evaluate(() => {
    const { drill } = window
    if (drill?.ending === undefined || drill.endedMs === undefined) throw new Error('no download has ended here')
    return { startedMs: drill.startedMs, endedMs: drill.endedMs, events: drill.events, ending: drill.ending }
  })
}

/** Waits until so many pieces are verified in this download. */
export async function waitForPieces(page: Page, count: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const spans = (window.drill?.events ?? []).flatMap(({ event }) => (event.kind === 'progress' ? event.pieces : []))
      return spans.reduce((sum, { start, end }) => sum + end - start, 0) >= wanted
    },
    { polling: POLL_MS, timeout: DELIVERY_MS },
    count,
  )
}

/** The SHA-256 of the file that the page got, worked out here and not there. */
export async function hashAtPage(page: Page, receiverUrl: string): Promise<Received> {
  return page.evaluate(async (url) => {
    const file = window.drill?.file
    if (file === undefined) throw new Error('the page got no file')
    const response = await fetch(url, { method: 'POST', body: file })
    const received: Received = await response.json()
    return received
  }, receiverUrl)
}

/** Bytes that came over data channels, as the browser's own WebRTC statistics say. */
export async function dataChannelBytes(page: Page): Promise<number> {
  return page.evaluate(() => [...(window.drillReceivedBytes?.values() ?? [])].reduce((sum, bytes) => sum + bytes, 0))
}

/** Ends the renderer as a fault of its own would. */
export async function crash(page: Page): Promise<void> {
  const session = await page.createCDPSession()
  const crashed = new Promise<void>((resolve) => page.once('error', () => resolve()))
  // It is never answered: whoever would answer has crashed.
  session.send('Page.crash').catch(() => undefined)
  await crashed
}

/** Runs in the page before anything else does. */
function watchConnections(): void {
  const Original = window.RTCPeerConnection
  const connections: RTCPeerConnection[] = []
  const received = new Map<RTCPeerConnection, number>()
  window.drillConnections = connections
  window.drillReceivedBytes = received
  window.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      connections.push(this)
    }
  }
  const look = async (): Promise<void> => {
    for (const connection of connections) {
      const report = await connection.getStats()
      let bytes = 0
      report.forEach((entry: { readonly type: string; readonly bytesReceived?: number }) => {
        if (entry.type === 'data-channel') bytes += entry.bytesReceived ?? 0
      })
      // A closed connection may forget; what it has once counted stays.
      received.set(connection, Math.max(received.get(connection) ?? 0, bytes))
    }
  }
  setInterval(() => void look(), 100)
}
