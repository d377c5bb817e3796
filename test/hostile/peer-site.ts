import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { startSignaling } from '../../signaling/server.ts'
import { mintTicket } from '../../src/core/wire/ticket.ts'
import type { OpenPeers } from '../browser/hostile-page.ts'
import { FILES, startSite, type Name, type Publication, type Site, type SiteChoices } from '../browser/site.ts'
import { allowSharing, openPortal, waitForController, watchConnections } from '../drills/visit.ts'
import { logFrames } from './frame-log.ts'
import { TICKET_KEY } from './hostile-signaling.ts'
import type { MannerName } from './manners.ts'

const SWARM_KEY = new Uint8Array(32).fill(6)
/** 17 MiB in 68 pieces: long enough to be interrupted, short enough for many of them. */
export const IMAGE = { name: 'image', sizeBytes: FILES.image.sizeBytes, pieces: FILES.image.pieces, pieceBytes: 256 * 1024 } as const

/** A portal with a mesh, and pages on its origin that are peers and do not run the SDK. */
export interface PeerSite extends Site {
  readonly publication: Publication
  /** Where its peers meet. */
  readonly signaling: Signaling
  readonly image: typeof IMAGE & { readonly sha256: string }
  /** A page of the portal with consent, whose requests for pieces are written down. */
  openVictim(browser: Browser, prepare?: (page: Page) => Promise<void>): Promise<Page>
  /** A page with peers that have the image and its documents. */
  openPeers(browser: Browser, peers: readonly PeerWish[], options?: { readonly isPolite?: boolean }): Promise<PeerPage>
}

export interface Signaling {
  readonly url: string
  kill(): Promise<void>
}

export interface PeerSiteChoices extends SiteChoices {
  /** Starts what lets in pages of this origin. Default: the product's server, in this process. */
  readonly startSignaling?: (origin: string) => Promise<Signaling>
  /** What pages that download are told of. Default: where its peers meet. */
  readonly signalingUrls?: (url: string) => readonly string[]
}

export interface PeerWish {
  readonly manner: MannerName
  readonly bytesPerSecond?: number
}

export interface PeerPage {
  readonly page: Page
  /** Of each peer's certificate, in the order of the wishes. */
  readonly fingerprints: readonly string[]
  /** They go as fast as they can from now on. */
  hurry(): Promise<void>
}

export async function openPeerSite(
  shared: { readonly publication: Publication; readonly script: string },
  choices: PeerSiteChoices = {},
): Promise<PeerSite> {
  const { publication, script } = shared
  const site = await startSite(publication, choices)
  const { startSignaling: start = startOwn, signalingUrls = (url: string) => [url] } = choices
  const signaling = await start(new URL(site.url).origin)
  const config = JSON.parse(site.files.get('/sealift.json')?.body ?? '{}')
  const mesh = { mode: 'lan', signaling: signalingUrls(signaling.url), ticketUrl: '/ticket' }
  site.files.set('/sealift.json', { type: 'application/json', body: JSON.stringify({ ...config, mesh }) })
  site.files.set('/peers.html', { type: 'text/html', body: '<!doctype html><title>peers</title><script src="/peers.js"></script>' })
  site.files.set('/peers.js', { type: 'text/javascript', body: script })
  site.files.set('/ticket', {
    type: 'application/json',
    get body() {
      return ticketFor(site)
    },
  })
  const image = { ...IMAGE, sha256: publication.digests.image }
  return {
    ...site,
    publication,
    signaling,
    image,
    async openVictim(browser, prepare) {
      const page = await openPortal(browser, site.url, async (fresh) => {
        await logFrames(fresh)
        await prepare?.(fresh)
      })
      await waitForController(page)
      await allowSharing(page)
      return page
    },
    async openPeers(browser, peers, { isPolite = true } = {}) {
      const page = await browser.newPage()
      await page.evaluateOnNewDocument(watchConnections)
      await page.goto(`${site.url}peers.html`)
      const documents = await documentsOf(publication)
      const wish: OpenPeers = {
        signalingUrl: signaling.url,
        repository: String(config.repository),
        cdnUrl: site.cdn.url,
        artifact: { sha256: image.sha256, pieceLengthBytes: image.pieceBytes },
        documents,
        peers: peers.map((peer) => ({ ...peer, ticket: ticketFor(site) })),
        isPolite,
      }
      return {
        page,
        fingerprints: await call<readonly string[]>(page, 'open', wish),
        hurry: () => call(page, 'hurry'),
      }
    },
    async close() {
      await signaling.kill()
      await site.close()
    },
  }
}

function startOwn(origin: string): Promise<Signaling> {
  return startSignaling({ admission: { kind: 'ticket', keys: [TICKET_KEY] }, origins: [origin] })
}

async function call<T>(page: Page, name: string, ...values: readonly unknown[]): Promise<T> {
  return (await page.evaluate((method, args) => Reflect.get(globalThis, 'hostilePage')[method](...args), name, values as unknown[])) as T
}

async function documentsOf({ siteDir, digests }: Publication): Promise<readonly string[]> {
  const artifacts: ReadonlySet<string> = new Set((Object.keys(digests) as Name[]).map((name) => digests[name]))
  return (await readdir(join(siteDir, 'by-hash', 'sha256'))).filter((sha256) => !artifacts.has(sha256))
}

let serial = 0

function ticketFor({ url }: Pick<Site, 'url'>): string {
  const jti = `peer-${String(++serial).padStart(10, '0')}`
  const member = { site: new URL(url).origin, role: 'seed', swarmKey: SWARM_KEY, lifetimeSeconds: 3600, jti } as const
  return mintTicket(member, TICKET_KEY, Math.floor(Date.now() / 1000))
}
