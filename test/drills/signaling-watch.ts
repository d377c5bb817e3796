import type { Page } from 'puppeteer-core'

/** One WebSocket of a page. Times are Unix milliseconds there. */
export interface WatchedSocket {
  readonly url: string
  readonly madeMs: number
  openedMs?: number
  /** When the page itself gave it up. */
  leftMs?: number
  closedMs?: number
  heard: number
}

export interface SignalingWatch {
  readonly sockets: readonly WatchedSocket[]
  /** What kept the main thread for longer than 50 ms. */
  readonly longTasks: readonly { readonly atMs: number; readonly tookMs: number }[]
  /** The most links that were being made at one time. */
  readonly mostDials: number
}

declare global {
  interface Window {
    signalingWatch?: { sockets: WatchedSocket[]; longTasks: { atMs: number; tookMs: number }[]; mostDials: number }
  }
}

/** Has the page write down what it does with signaling servers. Before the page is opened. */
export async function watchSignaling(page: Page): Promise<void> {
  await page.evaluateOnNewDocument(watch)
}

export async function signalingWatch(page: Page): Promise<SignalingWatch> {
  const seen = await page.evaluate(() => window.signalingWatch)
  if (seen === undefined) throw new Error('this page is not watched')
  return seen
}

/** Runs in the page before anything else does, but after the connections are watched. */
function watch(): void {
  const seen: NonNullable<Window['signalingWatch']> = { sockets: [], longTasks: [], mostDials: 0 }
  window.signalingWatch = seen
  const Original = window.WebSocket
  window.WebSocket = class extends Original {
    readonly #entry: WatchedSocket

    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      this.#entry = { url: String(url), madeMs: Date.now(), heard: 0 }
      seen.sockets.push(this.#entry)
      this.addEventListener('open', () => (this.#entry.openedMs = Date.now()))
      this.addEventListener('message', () => void this.#entry.heard++)
      this.addEventListener('close', () => (this.#entry.closedMs = Date.now()))
    }

    override close(code?: number, reason?: string): void {
      this.#entry.leftMs ??= Date.now()
      super.close(code, reason)
    }
  }
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries())
      seen.longTasks.push({ atMs: performance.timeOrigin + startTime, tookMs: duration })
  }).observe({ type: 'longtask', buffered: true })
  const look = (): void => {
    const states = (window.drillConnections ?? []).map(({ connectionState }) => connectionState)
    seen.mostDials = Math.max(seen.mostDials, states.filter((state) => state === 'new' || state === 'connecting').length)
  }
  setInterval(look, 20)
}
