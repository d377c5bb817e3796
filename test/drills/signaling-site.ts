import type { Browser, Page } from 'puppeteer-core'
import { startSignalingProcess, type SignalingProcess } from '../hostile/signaling-process.ts'
import type { PeerPage, PeerSite, PeerSiteChoices } from '../hostile/peer-site.ts'
import { withPeerSite } from './peers-site.ts'
import { until } from './returning.ts'
import type { DrillRoom } from './scenario.ts'
import { watchSignaling } from './signaling-watch.ts'
import type { Finished } from './visit.ts'

export interface Rehearsal {
  readonly room: DrillRoom
  readonly site: PeerSite
  readonly signaling: SignalingProcess
  /** In which everybody is, each in a tab, unless a profile of its own is needed. */
  readonly browser: Browser
}

/** Runs a drill on a site whose signaling server is a process of its own. */
export async function withSignaling<T>(
  room: DrillRoom,
  run: (rehearsal: Rehearsal) => Promise<T>,
  choices: Omit<PeerSiteChoices, 'startSignaling'> = {},
): Promise<T> {
  const started: SignalingProcess[] = []
  return withPeerSite(
    async (site) => {
      const [signaling] = started
      if (signaling === undefined) throw new Error('the site did not start its signaling')
      const { browser } = await room.launch()
      return run({ room, site, signaling, browser })
    },
    {
      ...choices,
      async startSignaling(origin) {
        const one = await startSignalingProcess([origin])
        started.push(one)
        return one
      },
    },
  )
}

/** A page that may share and leads. */
export async function openWatched({ site, browser }: Pick<Rehearsal, 'site' | 'browser'>): Promise<Page> {
  const page = await site.openVictim(browser, watchSignaling)
  await page.waitForFunction(() => window.sealift?.mesh.isLeader === true)
  return page
}

/** A page with one honest peer. */
export async function openHonest({ site, browser }: Rehearsal, bytesPerSecond?: number): Promise<PeerPage> {
  return site.openPeers(browser, [{ manner: 'honest', ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) }])
}

export async function untilSessions({ signaling }: Pick<Rehearsal, 'signaling'>, count: number): Promise<void> {
  await until(async () => (await signaling.facts()).sessions >= count, `${count} are let in`)
}

/** From the call of `download()` to the first verified piece; those of one tier, where one is named. */
export function firstPieceMs({ events, startedMs }: Finished, tier?: 'cdn' | 'mesh'): number {
  const first = events.find(
    ({ event }) => event.kind === 'progress' && event.pieces.some((span) => tier === undefined || span.tier === tier),
  )
  if (first === undefined) throw new Error('not so: a piece came')
  return first.atMs - startedMs
}
