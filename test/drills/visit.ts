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

/** Opens the portal and waits until its page has Sealift, and the service worker has the page. @param prepare the page, before it loads */
export async function openPortal(browser: Browser, url: string, prepare?: (page: Page) => Promise<void>): Promise<Page> {
  const page = await browser.newPage()
  page.setDefaultTimeout(PAGE_MS)
  await page.evaluateOnNewDocument(watchConnections)
  await prepare?.(page)
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

/** Statistics are looked at ten times a second, and the browser makes them anew twenty times. */
const STATISTICS_LAG_MS = 2000

/**
 * Bytes that came over data channels, as the browser's own WebRTC statistics say, or the events of a channel that has closed.
 * @param wanted awaited for a moment: the statistics lag behind what a page has in hand
 */
export async function dataChannelBytes(page: Page, wanted: number): Promise<number> {
  return page.evaluate(
    async (least, lagMs) => {
      const count = (): number => [...(window.drillReceivedBytes?.values() ?? [])].reduce((sum, bytes) => sum + bytes, 0)
      const startedMs = performance.now()
      while (count() < least && performance.now() - startedMs < lagMs) await new Promise((resolve) => setTimeout(resolve, 20))
      return count()
    },
    wanted,
    STATISTICS_LAG_MS,
  )
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
export function watchConnections(): void {
  const Original = window.RTCPeerConnection
  const connections: RTCPeerConnection[] = []
  const received = new Map<RTCPeerConnection, number>()
  window.drillConnections = connections
  window.drillReceivedBytes = received
  window.RTCPeerConnection = class extends Original {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      connections.push(this)
      this.addEventListener('datachannel', ({ channel }) => countUntilClosed(this, channel))
    }

    override createDataChannel(label: string, init?: RTCDataChannelInit): RTCDataChannel {
      const channel = super.createDataChannel(label, init)
      countUntilClosed(this, channel)
      return channel
    }
  }
  /** Statistics forget a channel that has closed, and with it what came since the last look: then what it delivered counts. */
  const countUntilClosed = (connection: RTCPeerConnection, channel: RTCDataChannel): void => {
    let bytes = 0
    channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) bytes += data.byteLength
    })
    channel.addEventListener('close', () => note(connection, bytes))
  }
  const note = (connection: RTCPeerConnection, bytes: number): void =>
    void received.set(connection, Math.max(received.get(connection) ?? 0, bytes))
  const count = async (connection: RTCPeerConnection): Promise<void> => {
    const report = await connection.getStats()
    let bytes = 0
    report.forEach((entry: { readonly type: string; readonly bytesReceived?: number }) => {
      if (entry.type === 'data-channel') bytes += entry.bytesReceived ?? 0
    })
    note(connection, bytes)
  }
  const look = async (): Promise<void> => {
    for (const connection of connections) await count(connection)
  }
  setInterval(() => void look(), 100)
}
