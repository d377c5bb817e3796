import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  connectionsOf,
  isLeader,
  openMeshRoom,
  openTab,
  receivedBytes,
  socketsOf,
  waitForLead,
  waitForPeerPieces,
  waitForPeers,
  waitForReceived,
  type MeshRoom,
} from './mesh-room.ts'
import { FILES, type Site } from './site.ts'
import { download, endOf, startDownload, waitForPieces, waitForSdk } from './visitor.ts'

const MIB = 1024 * 1024
const PIECE = 256 * 1024
/** So slow that a test can step in. */
const SLOW = { upload: { lanBytesPerSecond: 2 * MIB } }
const REVOKED_MS = 1000

let room: MeshRoom

beforeAll(async () => {
  room = await openMeshRoom()
})
afterEach(() => room.closeSite())
afterAll(() => room.close())

/** A page of the far profile that is ready to meet peers. */
async function openTaker(site: Site): Promise<Page> {
  const taker = await openTab(room.far, site)
  await waitForLead(taker)
  return taker
}

/** Another tab takes the lead, and is gone at once. */
async function loseLead(tab: Page): Promise<void> {
  await tab.evaluate(() => navigator.locks.request('sealift-mesh-leader', { steal: true }, () => undefined))
}

/** Until somebody looks for peers in a room of the signaling server, or nobody does. */
async function waitForSeats(isAnybody: boolean): Promise<void> {
  await expect.poll(() => room.signaling.counts().seats > 0, { timeout: 10_000 }).toBe(isAnybody)
}

const whole = { kind: 'delivered', record: 'delivered' } as const

/** A tab in the middle of the image, and another browser that has taken some of it from peers alone. */
async function giveAndTake(site: Site): Promise<{ readonly giver: Page; readonly taker: Page }> {
  const giver = await openTab(room.near, site)
  await startDownload(giver, 'image')
  await waitForPieces(giver, 2)
  const taker = await openTaker(site)
  await startDownload(taker, 'image')
  await waitForPeerPieces(taker, 8)
  return { giver, taker }
}

describe('a tab that downloads gives on what it has', () => {
  test('while it downloads: one who has no other source gets pieces of it', async () => {
    const site = await room.open()
    await site.cdn.set({ rateBytesPerSecond: MIB })
    const { giver, taker } = await giveAndTake(site)
    expect(await giver.evaluate(() => window.trial?.ending)).toBeUndefined()
    await site.cdn.set('up')
    expect(await endOf(taker)).toMatchObject({ ...whole, sha256: room.publication.digests.image })
    expect(await receivedBytes(taker)).toBeGreaterThanOrEqual(FILES.image.sizeBytes)
    expect(await endOf(giver)).toMatchObject({ ...whole, sha256: room.publication.digests.image })
  })

  test('after a reload, before it goes on: what is kept of it is offered again', async () => {
    const site = await room.open()
    await site.cdn.set({ rateBytesPerSecond: 4 * MIB })
    const giver = await openTab(room.near, site)
    await startDownload(giver, 'image')
    await waitForPieces(giver, 8)
    await giver.reload()
    await waitForSdk(giver)
    await waitForLead(giver)
    const taker = await openTaker(site)
    await startDownload(taker, 'image')
    // By the browser's own count: progress tells of the last pieces only when another comes.
    await waitForReceived(taker, 8 * PIECE)
  })

  test('by way of another tab, which leads and fetches nothing', async () => {
    const site = await room.open()
    await site.cdn.set({ rateBytesPerSecond: MIB })
    const leader = await openTab(room.near, site)
    await waitForLead(leader)
    const { giver, taker } = await giveAndTake(site)
    expect([await isLeader(leader), await isLeader(giver)]).toEqual([true, false])
    expect(await giver.evaluate(() => window.trial?.ending)).toBeUndefined()
    await site.cdn.set('up')
    expect(await endOf(taker)).toMatchObject({ ...whole, sha256: room.publication.digests.image })
    expect(await isLeader(giver)).toBe(false)
  })
})

describe('the tab that leads', () => {
  const ends: readonly (readonly [string, (leader: Page) => Promise<unknown>])[] = [
    ['is closed', (leader) => leader.close()],
    ['is reloaded', (leader) => leader.reload()],
    ['crashes', crash],
  ]
  test.each(ends)('%s: another carries on, and what others were fetching is unharmed', async (_how, end) => {
    const site = await room.open(SLOW)
    const leader = await openTab(room.near, site)
    expect(await download(leader, 'image')).toMatchObject(whole)
    await waitForLead(leader)
    const next = await openTab(room.near, site)
    const taker = await openTaker(site)
    await startDownload(taker, 'image')
    await waitForPeerPieces(taker, 4)
    await end(leader)
    expect(await endOf(taker)).toMatchObject({ ...whole, sha256: room.publication.digests.image })
    await waitForLead(next)
  })

  test('is stuck: a tab that needs peers takes the lead from it, and it does not come back', async () => {
    const site = await room.open()
    const helper = await openTab(room.near, site)
    expect(await download(helper, 'agent')).toMatchObject(whole)
    await waitForLead(helper)
    const stuck = await openTab(room.far, site)
    await waitForLead(stuck)
    const taker = await openTab(room.far, site)
    const blocked = stuck.evaluate(() => {
      const until = performance.now() + 15_000
      while (performance.now() < until);
    })
    expect(await download(taker, 'agent')).toMatchObject({ ...whole, sha256: room.publication.digests.agent })
    expect(await isLeader(taker)).toBe(true)
    await blocked
    await waitForLead(stuck, false)
    expect(await isLeader(taker)).toBe(true)
    expect((await connectionsOf(stuck)).filter(({ state }) => state !== 'closed')).toEqual([])
  })
})

test('a tab that loses the lead while it waits for peers waits on, and meets them once it leads again', async () => {
  const site = await room.open(SLOW)
  const giver = await openTab(room.near, site)
  expect(await download(giver, 'agent')).toMatchObject(whole)
  await giver.goto('about:blank')
  const taker = await openTaker(site)
  await waitForSeats(false)
  await startDownload(taker, 'agent')
  await waitForSeats(true)
  await loseLead(taker)
  await openTab(room.near, site)
  expect(await endOf(taker)).toMatchObject({ ...whole, sha256: room.publication.digests.agent })
})

test('two tabs of one browser that have nothing but peers both get what they asked for', async () => {
  const site = await room.open(SLOW)
  const giver = await openTab(room.near, site)
  expect(await download(giver, 'agent')).toMatchObject(whole)
  expect(await download(giver, 'notes')).toMatchObject(whole)
  const [first, second] = [await openTab(room.far, site), await openTab(room.far, site)]
  await Promise.all([startDownload(first, 'agent'), startDownload(second, 'notes')])
  expect(await endOf(first)).toMatchObject({ ...whole, sha256: room.publication.digests.agent })
  expect(await endOf(second)).toMatchObject({ ...whole, sha256: room.publication.digests.notes })
})

describe('consent', () => {
  test('taken back in any tab, it ends every connection of the browser within a second', async () => {
    const site = await room.open(SLOW)
    const leader = await openTab(room.near, site)
    expect(await download(leader, 'image')).toMatchObject(whole)
    const other = await openTab(room.near, site)
    const taker = await openTaker(site)
    await startDownload(taker, 'image')
    await waitForPeerPieces(taker, 2)
    await waitForPeers(leader, 1)
    const startedMs = Date.now()
    await other.evaluate(() => window.sealift?.mesh.setConsent(false))
    await leader.waitForFunction(
      () => window.sealift?.mesh.isLeader === false && window.madeConnections?.every((one) => one.connection.connectionState === 'closed'),
      { polling: 20 },
    )
    await waitForPeers(taker, 0)
    expect(Date.now() - startedMs).toBeLessThan(REVOKED_MS)
    expect(await leader.evaluate(() => window.sealift?.mesh.hasConsent)).toBe(false)
  })

  test.each([
    ['was never given', 'unasked'],
    ['was refused', false],
  ] as const)('I25: while it %s, a page in need of peers opens neither a socket nor a connection', async (_how, consent) => {
    const site = await room.open()
    const page = await openTab(room.far, site, consent)
    expect(await download(page, 'notes')).toMatchObject({ kind: 'refused' })
    expect([await socketsOf(page), await connectionsOf(page)]).toEqual([[], []])
  })

  test('is not taken for granted where the visitor has asked not to be tracked, or to save data', async () => {
    const site = await room.open()
    const page = await room.far.newPage()
    await page.evaluateOnNewDocument(() => {
      Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })
      Object.defineProperty(navigator, 'connection', { value: Object.assign(new EventTarget(), { saveData: true }) })
    })
    await page.goto(site.url)
    await waitForSdk(page)
    expect(await page.evaluate(() => window.sealift?.mesh.hasConsent)).toBe(false)
  })
})

test('whoever saves data takes and gives nothing', async () => {
  const site = await room.open()
  await site.cdn.set({ rateBytesPerSecond: MIB })
  const thrifty = await room.near.newPage()
  await thrifty.evaluateOnNewDocument(() => {
    Object.defineProperty(navigator, 'connection', { value: Object.assign(new EventTarget(), { saveData: true }) })
  })
  await thrifty.goto(site.url)
  await waitForSdk(thrifty)
  await thrifty.evaluate(() => window.sealift?.mesh.setConsent(true))
  await startDownload(thrifty, 'image')
  await waitForPieces(thrifty, 2)
  const taker = await openTaker(site)
  await startDownload(taker, 'image')
  await site.cdn.set('up')
  expect(await endOf(thrifty)).toMatchObject(whole)
  expect(await taker.evaluate(() => window.trial?.events.filter((event) => event.kind === 'progress').length)).toBe(0)
  await thrifty.evaluate(() => {
    const connection: unknown = Reflect.get(navigator, 'connection')
    if (!(connection instanceof EventTarget)) throw new TypeError('expected a line')
    Object.assign(connection, { saveData: false })
    connection.dispatchEvent(new Event('change'))
  })
  expect(await endOf(taker)).toMatchObject(whole)
})

describe('a mode of the mesh', () => {
  /** Two pages that look for each other, and who is asked for their addresses. */
  async function meet(mode: string): Promise<{ readonly pages: readonly Page[]; readonly asked: () => number; readonly stun: string }> {
    const listener = createSocket('udp4')
    let asked = 0
    listener.on('message', () => void asked++)
    listener.bind(0, '127.0.0.1')
    await once(listener, 'listening')
    listener.unref()
    const stun = `stun:127.0.0.1:${listener.address().port}`
    const site = await room.open({ mode, iceServers: [{ urls: stun }] })
    const giver = await openTab(room.near, site)
    expect(await download(giver, 'notes')).toMatchObject(whole)
    const taker = await openTab(room.far, site)
    await startDownload(taker, 'notes')
    await endOf(taker)
    listener.close()
    return { pages: [giver, taker], asked: () => asked, stun }
  }
  const allConnections = async (pages: readonly Page[]) => (await Promise.all(pages.map(connectionsOf))).flat()

  test('off: neither socket nor connection, whatever the visitor agreed to', async () => {
    const { pages, asked } = await meet('off')
    for (const page of pages) expect([await socketsOf(page), await connectionsOf(page)]).toEqual([[], []])
    expect(asked()).toBe(0)
  })

  test('lan: addresses of the machines alone, though the site names a STUN server', async () => {
    const { pages, asked } = await meet('lan')
    const made = await allConnections(pages)
    expect(made.length).toBeGreaterThan(0)
    expect(made.flatMap(({ iceServers }) => iceServers)).toEqual([])
    expect(asked()).toBe(0)
  })

  test('full: the servers that the site names, and no others', async () => {
    const { pages, asked, stun } = await meet('full')
    const made = await allConnections(pages)
    expect(new Set(made.flatMap(({ iceServers }) => iceServers))).toEqual(new Set([stun]))
    expect(asked()).toBeGreaterThan(0)
  })

  test('relay: through TURN alone, so that without one nobody is met', async () => {
    const { pages } = await meet('relay')
    const made = await allConnections(pages)
    expect(made.length).toBeGreaterThan(0)
    expect(new Set(made.map(({ policy }) => policy))).toEqual(new Set(['relay']))
    expect(made.filter(({ state }) => state === 'connected')).toEqual([])
  })
})

test('I24: sockets go to the signaling server that the site names, and to no other', async () => {
  const site = await room.open()
  const [giver, taker] = [await openTab(room.near, site), await openTab(room.far, site)]
  expect(await download(giver, 'notes')).toMatchObject(whole)
  expect(await download(taker, 'notes')).toMatchObject(whole)
  const hosts = new Set([...(await socketsOf(giver)), ...(await socketsOf(taker))].map((url) => new URL(url).host))
  expect(hosts).toEqual(new Set([new URL(room.signaling.url).host]))
})

test('a page that comes back from the cache of pages joins again', async () => {
  const site = await room.open()
  const giver = await openTab(room.near, site)
  expect(await download(giver, 'notes')).toMatchObject(whole)
  await waitForLead(giver)
  await giver.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })))
  await waitForLead(giver, false)
  await giver.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
  await waitForLead(giver)
  const taker = await openTab(room.far, site)
  expect(await download(taker, 'notes')).toMatchObject(whole)
})

/** Ends the renderer as a fault of its own would. */
async function crash(page: Page): Promise<void> {
  const session = await page.createCDPSession()
  const crashed = new Promise<void>((resolve) => page.once('error', () => resolve()))
  // It is never answered: whoever would answer has crashed.
  session.send('Page.crash').catch(() => undefined)
  await crashed
}
