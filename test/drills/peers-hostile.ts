import type { AuditRecord } from 'sealift/page'
import { askedPieces, connectedTo } from '../hostile/frame-log.ts'
import type { MannerName } from '../hostile/manners.ts'
import { requireFromPeers, wastedBytes, withPeerSite } from './peers-site.ts'
import { until } from './returning.ts'
import { demand, type DrillRoom, type Outcome } from './scenario.ts'
import { finish, startDownload } from './visit.ts'

const MIB = 2 ** 20
/** Of the honest peer: so slow that the others have their chance. */
const RATE = 8 * MIB

export interface Harm {
  readonly manners: readonly MannerName[]
  /** What the record says of each, once. Undefined: they are found out before anything is asked of them. */
  readonly code?: 'digest-mismatch' | 'source-missing' | 'peer-frame'
  /** Pieces' worth of bytes that were of no use, at most. */
  readonly wastedPieces: number
}

/** Peers that do harm, an honest one beside them, the CDN down: the file is right, they cost little, their links are closed, and the honest one is not blamed. */
export function peersDoHarm({ manners, code, wastedPieces }: Harm): (room: DrillRoom) => Promise<Outcome> {
  return (room) =>
    withPeerSite(async (site) => {
      const [visitor, home] = await Promise.all([room.launch(), room.launch()])
      const [bad, good, page] = await Promise.all([
        site.openPeers(
          home.browser,
          manners.map((manner) => ({ manner })),
        ),
        site.openPeers(home.browser, [{ manner: 'honest', bytesPerSecond: RATE }]),
        site.openVictim(visitor.browser),
      ])
      await site.cdn.set('down')
      await startDownload(page, site.image.name)
      const finished = await finish(page)
      const { sources, record } = await requireFromPeers(room, site, page, finished)
      const wasted = wastedBytes(record)
      demand(wasted <= wastedPieces * site.image.pieceBytes, `at most ${wastedPieces} pieces came in vain, not ${wasted} bytes`)
      if (code !== undefined) {
        const asked = await askedPieces(page)
        for (const peer of bad.fingerprints)
          demand(
            asked.some((one) => one.peer === peer),
            'each of them was asked',
          )
        requireBlamed(record, code, manners.length)
      }
      const [honest] = good.fingerprints
      const isAlone = async (): Promise<boolean> => (await connectedTo(page)).every((peer) => peer === honest)
      await until(isAlone, 'nobody but the honest one is connected any more')
      demand((await connectedTo(page)).length === 1, 'the honest one still is')
      return { recoveryMs: null, sources }
    })
}

/** Each that did harm is named once for it, and whoever delivered is not. */
function requireBlamed({ sources }: AuditRecord, code: string, count: number): void {
  const blamed = sources.filter(({ failures }) => failures.some((failure) => failure.code === code))
  demand(blamed.length === count, `${count} peers are told of as ${code}, not ${blamed.length}`)
  for (const { failures, verifiedBytes } of blamed) {
    demand(code !== 'digest-mismatch' || failures.filter((failure) => failure.code === code).length === 1, `each of them once as ${code}`)
    demand(verifiedBytes === 0, 'nothing was taken from them')
  }
}
