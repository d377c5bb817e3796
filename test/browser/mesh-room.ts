import type { Browser, Page } from 'puppeteer-core'
import { findFreePort } from '../../demo/stack/switchable-server.ts'
import { startSignaling, type SignalingServer } from '../../signaling/server.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { publishFiles, startSite, type Publication, type Site } from './site.ts'
import { newPage, waitForSdk } from './visitor.ts'

/** A connection that a page has made, as the page asked for it. */
export interface MadeConnection {
  readonly iceServers: readonly string[]
  readonly policy: string
  readonly state: string
}

declare global {
  interface Window {
    madeConnections?: { readonly connection: RTCPeerConnection; readonly asked: RTCConfiguration | undefined }[]
    madeSockets?: string[]
  }
}

/** The name of the CDN. Only the near profile can resolve it: the far one has nothing but peers. */
const CDN_HOST = 'cdn.test'
const POLL_MS = 50

/** Two people with a browser each, and a site whose pages they open. Only the near one reaches the CDN. */
export interface MeshRoom {
  readonly publication: Publication
  readonly near: Browser
  readonly far: Browser
  readonly signaling: SignalingServer
  /** Another site for each test. */
  open(mesh?: object): Promise<Site>
  closeSite(): Promise<void>
  close(): Promise<void>
}

export async function openMeshRoom(): Promise<MeshRoom> {
  const portalPort = await findFreePort([])
  const origin = `http://127.0.0.1:${portalPort}`
  const [publication, near, far, signaling] = await Promise.all([
    publishFiles(),
    launchChromium({ args: [`--host-resolver-rules=MAP ${CDN_HOST} 127.0.0.1`] }),
    launchChromium({ args: [`--host-resolver-rules=MAP ${CDN_HOST} ~NOTFOUND`] }),
    startSignaling({ admission: { kind: 'open' }, origins: [origin] }),
  ])
  const browsers: readonly LaunchedBrowser[] = [near, far]
  let site: Site | undefined
  return {
    publication,
    near: near.browser,
    far: far.browser,
    signaling,
    async open(mesh = {}) {
      site = await startSite(publication, {
        port: portalPort,
        cdnHost: CDN_HOST,
        mesh: { mode: 'lan', signaling: [signaling.url], ...mesh },
      })
      return site
    },
    async closeSite() {
      await Promise.all(browsers.map(({ browser }) => forgetAll(browser, origin)))
      await site?.close()
    },
    async close() {
      await Promise.all(browsers.map((browser) => browser.close()))
      await signaling.kill()
      await publication.remove()
    },
  }
}

/** As a visitor that has never been there: the next test shares the origin. */
async function forgetAll(browser: Browser, origin: string): Promise<void> {
  for (const page of await browser.pages()) if (page.url() !== 'about:blank') await page.close()
  const page = await browser.newPage()
  const session = await page.createCDPSession()
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
  await page.close()
}

/** Opens the portal in a tab of its own, with the visitor's agreement, without it, or before anybody asked. */
export async function openTab(browser: Browser, site: Site, consent: boolean | 'unasked' = true): Promise<Page> {
  const page = await newPage(browser)
  await page.evaluateOnNewDocument(watchNetwork)
  await page.goto(site.url)
  await waitForSdk(page)
  if (consent !== 'unasked') await page.evaluate((isGranted) => window.sealift?.mesh.setConsent(isGranted), consent)
  return page
}

function watchNetwork(): void {
  const made: NonNullable<Window['madeConnections']> = []
  const sockets: string[] = []
  window.madeConnections = made
  window.madeSockets = sockets
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(asked?: RTCConfiguration) {
      super(asked)
      made.push({ connection: this, asked })
    }
  }
  window.WebSocket = class extends window.WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      sockets.push(String(url))
    }
  }
}

export async function waitForLead(page: Page, isLeader = true): Promise<void> {
  await page.waitForFunction((wanted) => window.sealift?.mesh.isLeader === wanted, { polling: POLL_MS }, isLeader)
}

export async function isLeader(page: Page): Promise<boolean> {
  return await page.evaluate(() => window.sealift?.mesh.isLeader === true)
}

export async function waitForPeers(page: Page, count: number): Promise<void> {
  await page.waitForFunction(async (wanted) => (await window.sealift?.mesh.stats())?.length === wanted, { polling: POLL_MS }, count)
}

/** Bytes that this page's peers have sent it, as WebRTC counts them. */
export async function receivedBytes(page: Page): Promise<number> {
  return await page.evaluate(async () => ((await window.sealift?.mesh.stats()) ?? []).reduce((sum, peer) => sum + peer.receivedBytes, 0))
}

export async function waitForReceived(page: Page, bytes: number): Promise<void> {
  await page.waitForFunction(
    async (wanted) => ((await window.sealift?.mesh.stats()) ?? []).reduce((sum, peer) => sum + peer.receivedBytes, 0) >= wanted,
    { polling: POLL_MS },
    bytes,
  )
}

export async function connectionsOf(page: Page): Promise<readonly MadeConnection[]> {
  return await page.evaluate(() =>
    (window.madeConnections ?? []).map(({ connection, asked }) => ({
      iceServers: (asked?.iceServers ?? []).flatMap(({ urls }) => urls),
      policy: asked?.iceTransportPolicy ?? 'all',
      state: connection.connectionState,
    })),
  )
}

export async function socketsOf(page: Page): Promise<readonly string[]> {
  return await page.evaluate(() => window.madeSockets ?? [])
}

/** Waits until so many pieces of the running download came from peers. @throws {Error} how it ended, when it ended before */
export async function waitForPeerPieces(page: Page, count: number): Promise<void> {
  const found = await page.waitForFunction(
    (wanted) => {
      const { events = [], ending } = window.trial ?? {}
      const spans = events.flatMap((event) => (event.kind === 'progress' ? event.pieces : []))
      const fromPeers = spans.filter(({ tier }) => tier === 'mesh').reduce((sum, { start, end }) => sum + end - start, 0)
      if (fromPeers >= wanted) return { fromPeers, ending }
      return ending === undefined ? undefined : { fromPeers, ending, last: events.slice(-20) }
    },
    { polling: POLL_MS },
    count,
  )
  const state = await found.jsonValue()
  if (state === undefined || state.fromPeers < count) throw new Error(`it ended before: ${JSON.stringify(state)}`)
}
