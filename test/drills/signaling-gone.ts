import type { Page } from 'puppeteer-core'
import { askedPieces, connectedTo } from '../hostile/frame-log.ts'
import { requireFromPeers, wastedBytes } from './peers-site.ts'
import { requireDelivered, until, within } from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { firstPieceMs, openHonest, openWatched, untilSessions, withSignaling, type Rehearsal } from './signaling-site.ts'
import { signalingWatch } from './signaling-watch.ts'
import { finish, startDownload, waitForPieces, waitForSealift } from './visit.ts'

const MIB = 2 ** 20
const RATE = 6 * MIB
const BEFORE_PIECES = 8
const ALL_BACK_MS = 10_000
const CONNECTED_MS = 10_000
const MESSAGE_MS = 2000
const VAIN_ATTEMPTS = 3
/** What is due after three seconds, and the clocks of a busy machine. */
const HANGING_MS = 4000
const HTTP_MS = 2000

/** S01: its port is closed, then one that takes connections and answers none. Nothing waits to learn which: pieces come before the page knows. */
export const downAtStart = (room: DrillRoom): Promise<Outcome> =>
  withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    await signaling.kill()
    const page = await openWatched(rehearsal)
    await fromCdn(rehearsal, page)
    const { sockets } = await signalingWatch(page)
    demand(sockets.length > 0 && sockets.every(({ openedMs }) => openedMs === undefined), 'the page tried signaling in vain')
    await signaling.restart()
    signaling.halt()
    await page.reload()
    await waitForSealift(page)
    const madeMs = await page.evaluate(() => performance.timeOrigin)
    await startDownload(page, site.image.name)
    const finished = await finish(page)
    const { sources } = await requireDelivered(room, page, finished, { artifact: site.image })
    demand(sources.mesh === 0 && sources.cdn === site.image.pieces, 'the CDN delivered all of it')
    await until(async () => (await signalingWatch(page)).sockets.some(({ leftMs }) => leftMs !== undefined), 'the page gives it up')
    const [{ leftMs = 0 } = {}] = (await signalingWatch(page)).sockets
    demand(finished.startedMs + firstPieceMs(finished) < leftMs, 'pieces came before the page knew that signaling is silent')
    console.log(
      `     pieces from ${finished.startedMs + firstPieceMs(finished) - madeMs} ms on, signaling given up after ${leftMs - madeMs} ms`,
    )
    return { recoveryMs: null, sources }
  })

/** S02: it dies while pieces come from a peer. The link outlives it, and nothing of what was on its way is lost. */
export const diesMidway = (room: DrillRoom): Promise<Outcome> =>
  withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    const [peer, page] = await Promise.all([openHonest(rehearsal, RATE), openWatched(rehearsal)])
    await site.cdn.set('down')
    await startDownload(page, site.image.name)
    await waitForPieces(page, BEFORE_PIECES)
    await signaling.kill()
    await requireOffline(page)
    await peer.hurry()
    const { sources, record } = await requireFromPeers(room, site, page, await finish(page))
    demand(wastedBytes(record) === 0, `no byte is lost, not ${wastedBytes(record)}`)
    // Documents are first pieces too, of other blobs.
    const asked = (await askedPieces(page)).filter(({ piece }) => piece > 0)
    demand(new Set(asked.map(({ piece }) => piece)).size === asked.length, 'no piece was asked for twice')
    demand((await connectedTo(page)).join() === peer.fingerprints.join(), 'the link still stands')
    return { recoveryMs: null, sources }
  })

async function requireOffline(page: Page): Promise<void> {
  await until(async () => (await signalingWatch(page)).sockets.some(({ closedMs }) => closedMs !== undefined), 'the page has lost it')
}

/** S03: it is killed, and comes back after some have tried in vain. All return, with their rooms: who comes later meets them. */
export const restarted = (room: DrillRoom): Promise<Outcome> =>
  withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    const [peer, first] = await Promise.all([openHonest(rehearsal), openWatched(rehearsal)])
    await startDownload(first, site.image.name)
    await requireDelivered(room, first, await finish(first), { artifact: site.image })
    await untilSessions(rehearsal, 2)
    await signaling.kill()
    const inVain = async (): Promise<boolean> =>
      (await signalingWatch(first)).sockets.filter(({ openedMs, closedMs }) => openedMs === undefined && closedMs !== undefined).length >=
      VAIN_ATTEMPTS
    await until(inVain, `the page comes back ${VAIN_ATTEMPTS} times in vain`)
    await signaling.restart()
    const backMs = Date.now()
    await untilSessions(rehearsal, 2)
    const recoveryMs = within(Date.now() - backMs, ALL_BACK_MS, 'all are back')
    await peer.page.close()
    // What is left to be met is the page that only downloaded, and it has to be in its rooms again.
    const { browser } = await room.launch()
    const late = await openWatched({ site, browser })
    await site.cdn.set('down')
    await startDownload(late, site.image.name)
    const { sources } = await requireFromPeers(room, site, late, await finish(late))
    demand(sources.mesh === site.image.pieces, 'who comes late gets all of it from those who came back')
    return { recoveryMs, sources }
  })

/** S04: it takes two seconds over each message. Files come from the CDN as ever, and a peer is met all the same. */
export const slow = (room: DrillRoom): Promise<Outcome> =>
  withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    await signaling.behave({ kind: 'slow', messageMs: MESSAGE_MS })
    const [, page] = await Promise.all([openHonest(rehearsal), openWatched(rehearsal)])
    const [tookMs] = await fromCdn(rehearsal, page)
    within(tookMs, HTTP_MS, 'the CDN delivers meanwhile')
    await site.cdn.set('down')
    await startDownload(page, site.image.name)
    const finished = await finish(page)
    const { sources } = await requireFromPeers(room, site, page, finished)
    return { recoveryMs: within(firstPieceMs(finished, 'mesh'), CONNECTED_MS, 'a peer is met'), sources }
  })

/** S05: its process is stopped under a page that is in its rooms, and the system goes on taking connections for it. */
export const hangs = (room: DrillRoom): Promise<Outcome> =>
  withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    const [, page] = await Promise.all([openHonest(rehearsal), openWatched(rehearsal)])
    await untilSessions(rehearsal, 2)
    signaling.halt()
    const haltedMs = Date.now()
    const [, sources] = await fromCdn(rehearsal, page)
    demand(sources.cdn > 0 && sources.mesh === 0, 'the CDN delivered')
    const left = async (): Promise<number | undefined> => (await signalingWatch(page)).sockets[0]?.leftMs
    await until(async () => (await left()) !== undefined, 'the page leaves it')
    const recoveryMs = within(((await left()) ?? 0) - haltedMs, HANGING_MS, 'the page leaves it')
    signaling.goOn()
    await until(async () => (await signalingWatch(page)).sockets.some(({ openedMs = 0 }) => openedMs > haltedMs), 'the page is back')
    await site.cdn.set('down')
    await startDownload(page, site.image.name)
    await requireFromPeers(room, site, page, await finish(page))
    return { recoveryMs, sources }
  })

/** The smallest file, which no peer has. @returns how long it took, and who delivered */
async function fromCdn({ room, site }: Rehearsal, page: Page) {
  await startDownload(page, 'notes')
  const finished = await finish(page)
  const { sources } = await requireDelivered(room, page, finished, { artifact: { sha256: site.publication.digests.notes } })
  return [finished.endedMs - finished.startedMs, sources] as const
}
