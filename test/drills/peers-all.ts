import type { Page } from 'puppeteer-core'
import type { MannerName } from '../hostile/manners.ts'
import type { PeerSite } from '../hostile/peer-site.ts'
import { requireFromPeers, withPeerSite } from './peers-site.ts'
import { requireDelivered, until, within } from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { finish, startDownload, type Finished } from './visit.ts'

const MIB = 2 ** 20
const CDN_RATE = 8 * MIB
const ECLIPSE_FACTOR = 1.5
const POLLUTED_FACTOR = 1.15
/** Both sides of a comparison are measured in turns; other programs may have the processor in any of them. */
const ROUNDS = 3
const FIRST_PIECE_MS = 1000

const EIGHT: readonly MannerName[] = ['pollutes', 'stalls', 'refuses', 'garbles', 'trickles', 'floods', 'pollutes', 'stalls']

const durationOf = ({ startedMs, endedMs }: Finished): number => endedMs - startedMs

/** PE09: peers come first by the site's own order, and all of them are hostile. */
export const allHostile = (room: DrillRoom): Promise<Outcome> =>
  withPeerSite(
    async (site) => {
      await site.cdn.set({ rateBytesPerSecond: CDN_RATE })
      const home = await room.launch()
      let best = Number.POSITIVE_INFINITY
      let last: Outcome = { recoveryMs: null, sources: { cdn: 0, gateway: 0, mesh: 0 } }
      for (let round = 0; round < ROUNDS && best > ECLIPSE_FACTOR; round++) {
        const alone = await visit(room, site)
        const peers = await site.openPeers(
          home.browser,
          EIGHT.map((manner) => ({ manner })),
        )
        const eclipsed = await visit(room, site)
        await peers.page.close()
        best = Math.min(best, durationOf(eclipsed.finished) / durationOf(alone.finished))
        last = { recoveryMs: null, sources: eclipsed.sources }
        demand(eclipsed.sources.mesh === 0, 'nothing of theirs was taken')
        console.log(`     alone ${durationOf(alone.finished)} ms, among eight hostile peers ${durationOf(eclipsed.finished)} ms`)
      }
      demand(best <= ECLIPSE_FACTOR, `at most ${ECLIPSE_FACTOR} times as long as from the CDN alone, not ${best.toFixed(2)}`)
      return last
    },
    { preset: 'lan-first' },
  )

/** PE01 in time: one of three lies. */
export const onePolluter = (room: DrillRoom): Promise<Outcome> =>
  withPeerSite(async (site) => {
    const home = await room.launch()
    const [clean, polluted]: [number[], number[]] = [[], []]
    let last: Outcome = { recoveryMs: null, sources: { cdn: 0, gateway: 0, mesh: 0 } }
    for (let round = 0; round < ROUNDS; round++) {
      for (const [first, times] of [
        ['honest', clean],
        ['pollutes', polluted],
      ] as const) {
        await site.cdn.set('up')
        const peers = await site.openPeers(
          home.browser,
          [first, 'honest' as const, 'honest' as const].map((manner) => ({ manner })),
        )
        const { finished, sources } = await visit(room, site, () => site.cdn.set('down'))
        times.push(durationOf(finished))
        if (finished.ending.kind !== 'delivered') throw new Error('not so: it is delivered')
        const lies = finished.ending.record.sources.flatMap(({ failures }) => failures.filter(({ code }) => code === 'digest-mismatch'))
        demand(
          lies.length === (first === 'pollutes' ? 1 : 0),
          `one bad piece is taken from a liar, and none from others, not ${lies.length}`,
        )
        last = { recoveryMs: null, sources }
        await peers.page.close()
      }
      const ratio = Math.min(...polluted) / Math.min(...clean)
      console.log(`     clean ${clean.join(', ')} ms, one polluter of three ${polluted.join(', ')} ms`)
      if (ratio <= POLLUTED_FACTOR) return last
    }
    throw new Error(`not so: at most ${POLLUTED_FACTOR} times as long as with honest peers alone`)
  })

/** A download in a profile of its own. */
async function visit(room: DrillRoom, site: PeerSite, before: () => Promise<void> = async () => undefined) {
  const { browser, close } = await room.launch()
  const page = await site.openVictim(browser)
  await before()
  await startDownload(page, site.image.name)
  const finished = await finish(page)
  const { sources } = await requireDelivered(room, page, finished, { artifact: site.image })
  await close()
  return { finished, sources }
}

/** Both pages are open already; then the CDN fails at once, or says nothing any more. The best of a few visits: another program may have the processor. */
export function firstPeerPiece(isSilent: boolean): (room: DrillRoom) => Promise<Outcome> {
  return (room) =>
    withPeerSite(async (site) => {
      const home = await room.launch()
      await site.openPeers(home.browser, [{ manner: 'honest' }])
      let best: { readonly tookMs: number; readonly sources: Outcome['sources'] } | undefined
      for (let round = 0; round < ROUNDS && (best === undefined || best.tookMs > FIRST_PIECE_MS); round++) {
        await site.cdn.set('up')
        const { browser, close } = await room.launch()
        const page = await site.openVictim(browser)
        await page.waitForFunction(() => window.sealift?.mesh.isLeader === true)
        await site.cdn.set(isSilent ? { rateBytesPerSecond: 1 } : 'down')
        await startDownload(page, site.image.name)
        const finished = await finish(page)
        const { sources } = await requireFromPeers(room, site, page, finished)
        const first = finished.events.find(({ event }) => event.kind === 'progress' && event.pieces.some(({ tier }) => tier === 'mesh'))
        const tookMs = (first?.atMs ?? Number.POSITIVE_INFINITY) - finished.startedMs
        if (best === undefined || tookMs < best.tookMs) best = { tookMs, sources }
        await close()
      }
      if (best === undefined) throw new Error('not so: it was tried')
      return { recoveryMs: within(best.tookMs, FIRST_PIECE_MS, 'the first verified piece of a peer is in'), sources: best.sources }
    })
}

const PROFILES = 6
const TRICKLE = 512 * 1024
const COPIES = 1.5

/** Six browsers want the same at once, and the CDN sends hardly anything: they live on each other. */
export const sixProfiles = (room: DrillRoom): Promise<Outcome> =>
  withPeerSite(async (site) => {
    const launched = await Promise.all(Array.from({ length: PROFILES }, () => room.launch()))
    const pages: Page[] = []
    for (const { browser } of launched) pages.push(await site.openVictim(browser))
    await until(
      async () => (await Promise.all(pages.map((page) => page.evaluate(() => window.sealift?.mesh.isLeader === true)))).every(Boolean),
      'all may share',
    )
    await site.cdn.set({ rateBytesPerSecond: TRICKLE })
    site.cdn.forgetRequests()
    for (const page of pages) await startDownload(page, site.image.name)
    let total = { cdn: 0, gateway: 0, mesh: 0 }
    for (const page of pages) {
      const { sources } = await requireFromPeers(room, site, page, await finish(page))
      total = { cdn: total.cdn + sources.cdn, gateway: total.gateway + sources.gateway, mesh: total.mesh + sources.mesh }
    }
    const sent = site.cdn.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0)
    demand(sent <= COPIES * site.image.sizeBytes, `the CDN sends at most ${COPIES} copies, not ${(sent / site.image.sizeBytes).toFixed(2)}`)
    return { recoveryMs: null, sources: total }
  })
