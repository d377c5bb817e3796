import type { AuditRecord } from 'sealift/page'
import { bundleHostilePage } from '../hostile/bundle-page.ts'
import { openPeerSite, type PeerSite, type PeerSiteChoices } from '../hostile/peer-site.ts'
import { publishFiles } from '../browser/site.ts'
import { sourcesOf } from './evidence.ts'
import { requireDelivered } from './returning.ts'
import { demand, type DrillRoom, type SourceCounts } from './scenario.ts'
import { dataChannelBytes, type Finished } from './visit.ts'
import type { Page } from 'puppeteer-core'

let script: Promise<string> | undefined

/** Runs a drill on a site of its own, which is gone afterwards. */
export async function withPeerSite<T>(run: (site: PeerSite) => Promise<T>, choices?: PeerSiteChoices): Promise<T> {
  script ??= bundleHostilePage()
  const publication = await publishFiles()
  try {
    const site = await openPeerSite({ publication, script: await script }, choices)
    try {
      return await run(site)
    } finally {
      await site.close()
    }
  } finally {
    await publication.remove()
  }
}

export interface FromPeers {
  readonly sources: SourceCounts
  readonly record: AuditRecord
}

/** The image is there, whole and right, and the record names peers for it. */
export async function requireFromPeers(room: DrillRoom, site: PeerSite, page: Page, finished: Finished): Promise<FromPeers> {
  await requireDelivered(room, page, finished, { artifact: site.image })
  const { ending } = finished
  if (ending.kind !== 'delivered') throw new Error('not so: it is delivered')
  const sources = sourcesOf(ending.record)
  demand(sources.mesh > 0, 'the record names peers')
  const meshBytes = ending.record.sources.filter(({ tier }) => tier === 'mesh').reduce((sum, { verifiedBytes }) => sum + verifiedBytes, 0)
  const overWebRtc = await dataChannelBytes(page, meshBytes)
  demand(overWebRtc >= meshBytes, `WebRTC statistics show what the record says (${overWebRtc} of ${meshBytes} bytes)`)
  return { sources, record: ending.record }
}

/** Bytes that came from peers and were of no use. */
export function wastedBytes({ sources }: AuditRecord): number {
  return sources
    .filter(({ tier }) => tier === 'mesh')
    .reduce((sum, { receivedBytes, verifiedBytes }) => sum + receivedBytes - verifiedBytes, 0)
}
