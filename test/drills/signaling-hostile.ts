import type { Page } from 'puppeteer-core'
import { HEARD } from '../../src/sources/mesh/signaling-client.ts'
import { startHostileSignaling, type SignalingManner } from '../hostile/hostile-signaling.ts'
import { requireFromPeers } from './peers-site.ts'
import { requireDelivered, until } from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { openHonest, openWatched, untilSessions, withSignaling, type Rehearsal } from './signaling-site.ts'
import { signalingWatch, type SignalingWatch, type WatchedSocket } from './signaling-watch.ts'
import { finish, startDownload, waitForPieces } from './visit.ts'

const MIB = 2 ** 20
const RATE = 4 * MIB
const BEFORE_PIECES = 8
/** Of one server, for whatever it names; and the honest peer. */
const MOST_DIALS = 8 + 1
/** Of the artifact, and of the catalogue. */
const ROOMS = 2
const FLOOD_PER_SECOND = 2000
const FLOODS = 3
const BLOAT_BYTES = MIB
const LONG_TASK_MS = 50

/** S06: of two servers one names the dead and mirrors, the other an honest peer, later. */
export const lies = async (room: DrillRoom): Promise<Outcome> => {
  // It never asks who comes.
  const liar = await startHostileSignaling({ origins: ['https://nobody.example'] })
  liar.behave({ kind: 'lies' })
  try {
    return await withSignaling(
      room,
      async (rehearsal) => {
        const { site, signaling } = rehearsal
        await signaling.behave({ kind: 'slow', messageMs: 300 })
        await openHonest(rehearsal)
        // Whoever comes last has to call: this page does, and finds the liar's crowd before it.
        await until(async () => (await signaling.facts()).seats === ROOMS, 'the honest peer is in its rooms')
        const page = await openWatched(rehearsal)
        await site.cdn.set('down')
        await startDownload(page, site.image.name)
        const { sources } = await requireFromPeers(room, site, page, await finish(page))
        const { mostDials, sockets } = await signalingWatch(page)
        demand(
          sockets.some(({ url, heard }) => url === liar.url && heard > 1),
          'the liar was believed as far as any server is',
        )
        demand(mostDials > 1 && mostDials <= MOST_DIALS, `at most ${MOST_DIALS} links were being made at a time, not ${mostDials}`)
        await site.cdn.set('up')
        await startDownload(page, 'notes')
        const { sources: cdn } = await requireDelivered(room, page, await finish(page), {
          artifact: { sha256: site.publication.digests.notes },
        })
        demand(cdn.cdn > 0 && cdn.mesh === 0, 'the CDN goes on')
        return { recoveryMs: null, sources }
      },
      { signalingUrls: (url) => [liar.url, url] },
    )
  } finally {
    await liar.close()
  }
}

/** S07: it says more than anybody has to say. The page leaves it before its main thread feels it. */
export const floods = (room: DrillRoom): Promise<Outcome> =>
  overflows(room, { kind: 'floods', perSecond: FLOOD_PER_SECOND }, ({ heard, openedMs = 0, leftMs = 0 }) => {
    const most = HEARD.burst + ((leftMs - openedMs) / 1000) * HEARD.perSecond + FLOOD_PER_SECOND / 10
    demand(heard <= most, `at most ${Math.round(most)} messages were taken, not ${heard}`)
  })

export const bloats = (room: DrillRoom): Promise<Outcome> =>
  overflows(room, { kind: 'bloats', bytes: BLOAT_BYTES }, ({ heard }) => demand(heard === 2, `it was left at that message, not ${heard}`))

async function overflows(room: DrillRoom, manner: SignalingManner, judge: (socket: WatchedSocket) => void): Promise<Outcome> {
  return withSignaling(room, async (rehearsal) => {
    const { site, signaling } = rehearsal
    await signaling.behave(manner)
    const page = await openWatched(rehearsal)
    await site.cdn.set({ rateBytesPerSecond: 2 * RATE })
    await startDownload(page, site.image.name)
    const { sources } = await requireDelivered(room, page, await finish(page), { artifact: site.image })
    demand(sources.cdn === site.image.pieces, 'the CDN delivered all of it')
    const left = (seen: SignalingWatch) => seen.sockets.filter(({ openedMs, leftMs }) => openedMs !== undefined && leftMs !== undefined)
    await until(async () => left(await signalingWatch(page)).length >= FLOODS, `the page leaves it ${FLOODS} times`)
    const seen = await signalingWatch(page)
    left(seen).forEach(judge)
    // The calmest of them: another program may have had the processor in any.
    const longest = Math.min(...left(seen).map((socket) => longestTaskIn(seen, socket)))
    demand(longest <= LONG_TASK_MS, `nothing kept the main thread for more than ${LONG_TASK_MS} ms, not ${longest} ms`)
    return { recoveryMs: null, sources }
  })
}

function longestTaskIn({ longTasks }: SignalingWatch, { openedMs = 0, leftMs = 0 }: WatchedSocket): number {
  return Math.max(0, ...longTasks.filter(({ atMs, tookMs }) => atMs + tookMs >= openedMs && atMs <= leftMs).map(({ tookMs }) => tookMs))
}

/** S08: the session runs out in the middle, and the ticket with it. A fresh one is fetched, once, and lets the page in or does not. */
export function runsOut(kind: 'expires' | 'refuses'): (room: DrillRoom) => Promise<Outcome> {
  return (room) =>
    withSignaling(room, async (rehearsal) => {
      const { site, signaling } = rehearsal
      const peer = await openHonest(rehearsal, RATE)
      const page = await openWatched(rehearsal)
      await untilSessions(rehearsal, 2)
      await site.cdn.set('down')
      await startDownload(page, site.image.name)
      await waitForPieces(page, BEFORE_PIECES)
      const [tickets, { visits }] = [ticketsAsked(rehearsal), await signaling.facts()]
      await signaling.behave({ kind })
      await until(() => ticketsAsked(rehearsal) > tickets, 'a fresh ticket is asked for')
      if (kind === 'refuses') await requireTurnedAway(page)
      else await untilSessions(rehearsal, 2)
      const { sources } = await requireFromPeers(room, site, page, await finish(page))
      demand(ticketsAsked(rehearsal) === tickets + 1, 'it was asked for once')
      const { visits: now, sessions } = await signaling.facts()
      demand(now === visits + 1, `the page came back once, not ${now - visits} times`)
      demand(sessions === (kind === 'expires' ? 2 : 1), 'it is let in as it should be')
      await peer.page.close()
      return { recoveryMs: null, sources }
    })
}

async function requireTurnedAway(page: Page): Promise<void> {
  await until(
    async () => (await signalingWatch(page)).sockets.filter(({ closedMs }) => closedMs !== undefined).length === 2,
    'it is refused',
  )
}

function ticketsAsked({ site }: Pick<Rehearsal, 'site'>): number {
  return site.requests.filter(({ path }) => path === '/ticket').length
}
