import type { DrillBrowser } from './browser.ts'
import { askedPieces, owedBy } from '../hostile/frame-log.ts'
import type { PeerPage, PeerSite } from '../hostile/peer-site.ts'
import { requireFromPeers, withPeerSite } from './peers-site.ts'
import { until, within } from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { crash, finish, startDownload, waitForPieces } from './visit.ts'

const MIB = 2 ** 20
/** So that there is a middle, in which every peer owes something. */
const RATE = 4 * MIB
const BEFORE_PIECES = 8
const ASKED_ELSEWHERE_MS = 2500

interface Departure {
  readonly leave: (goner: PeerPage, home: DrillBrowser) => Promise<unknown>
  readonly isPolite?: boolean
  /** It takes its whole browser with it. */
  readonly isWholeBrowser?: boolean
}

/** Ways in which a peer goes, in the middle of what it was asked for. */
export const DEPARTURES = {
  closedConnection: {
    leave: ({ page }) => page.evaluate(() => window.drillConnections?.forEach((connection) => connection.close())),
  },
  closedTab: { leave: ({ page }) => page.close(), isPolite: true },
  closedTabSilently: { leave: ({ page }) => page.close(), isPolite: false },
  crashed: { leave: ({ page }) => crash(page) },
  killed: { leave: (_, home) => home.kill(), isWholeBrowser: true },
  frozen: { leave: async (_, home) => signalGroup(home, 'SIGSTOP'), isWholeBrowser: true },
} as const satisfies Readonly<Record<string, Departure>>

function signalGroup({ browser }: DrillBrowser, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const pid = browser.process()?.pid
  if (pid === undefined) throw new Error('the browser has no process')
  process.kill(-pid, signal)
}

export function peerGone(departure: Departure): (room: DrillRoom) => Promise<Outcome> {
  return (room) => withPeerSite((site) => runGone(room, site, departure))
}

async function runGone(room: DrillRoom, site: PeerSite, { leave, isPolite = true, isWholeBrowser = false }: Departure): Promise<Outcome> {
  const [visitor, staying, going] = await Promise.all([room.launch(), room.launch(), ...(isWholeBrowser ? [room.launch()] : [])])
  const home = going ?? staying
  const wish = { manner: 'honest', bytesPerSecond: RATE } as const
  const [goner, other, page] = await Promise.all([
    site.openPeers(home.browser, [wish], { isPolite }),
    site.openPeers(staying.browser, [wish]),
    site.openVictim(visitor.browser),
  ])
  await site.cdn.set('down')
  await startDownload(page, site.image.name)
  await waitForPieces(page, BEFORE_PIECES)
  const [gone = ''] = goner.fingerprints
  await until(
    async () => owedBy(await askedPieces(page), gone, { atMs: Date.now(), pieceBytes: site.image.pieceBytes }).length > 0,
    'it owes something',
  )
  const faultMs = Date.now()
  await leave(goner, home)
  await other.hurry()
  const finished = await finish(page)
  if (isWholeBrowser) await home.kill()
  const { sources } = await requireFromPeers(room, site, page, finished)
  const owed = owedBy(await askedPieces(page), gone, { atMs: faultMs, pieceBytes: site.image.pieceBytes })
  demand(owed.length > 0, 'it owed something when it went')
  const waits = owed.map(({ piece, elsewhereMs }) => {
    demand(elsewhereMs !== undefined, `piece ${piece} was asked for elsewhere`)
    return Math.max(0, (elsewhereMs ?? 0) - faultMs)
  })
  const inVain = owed.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0)
  demand(inVain <= site.image.pieceBytes, `no more than a piece came from it in vain, not ${inVain} bytes`)
  return { recoveryMs: within(Math.max(...waits), ASKED_ELSEWHERE_MS, 'what it owed is asked for elsewhere'), sources }
}
