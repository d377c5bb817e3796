import type { AuditRecord } from 'sealift/page'
import { startSite, type Site } from '../../browser/site.ts'
import { startFaultServer, type FaultServer } from '../../faults/fault-server.ts'
import { requireNoPieceTwice, sourcesOf } from '../evidence.ts'
import { demand } from '../scenario.ts'
import type { CellTools, VariantOutcome } from './cell.ts'
import { downloadOnce, recoveryFrom, wastedBytesOf } from './download-once.ts'
import type { Variant } from './http-faults.ts'
import type { MatrixArtifact, MatrixRoom } from './matrix-room.ts'

/** Which source is faulty. The next one of the order is healthy; whatever stands before it is down. */
export type FaultyTier = 'cdn' | 'gateway'

/** So fast that a cell is quick, and so slow that a download has a middle. */
const BYTES_PER_SECOND = 16 * 2 ** 20
/** Names that the browser is told to find no address for. */
export const LOST_HOSTS = ['cdn.test', 'gateway.test'] as const
/** On a busy machine a request lies in a socket for so long before its server sees it; the piece may be verified meanwhile. */
const UNREAD_MS = 100

/** One download over servers of which one fails; the page, its origin and its storage are new. */
export async function runVariant(tools: CellTools, tier: FaultyTier, variant: Variant): Promise<VariantOutcome> {
  const closers: (() => Promise<unknown>)[] = []
  try {
    const servers = await startServers(tools.room, tier, closers)
    const site = await startSite(tools.room.publication, configOf(servers, variant))
    closers.push(() => site.close())
    return await download({ tools, site, servers, variant })
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

interface Servers {
  readonly tier: FaultyTier
  readonly faulty: FaultServer
  readonly healthy: FaultServer
  /** In the gateway's cells: a CDN that is down. */
  readonly down: FaultServer | undefined
}

async function startServers(room: MatrixRoom, tier: FaultyTier, closers: (() => Promise<unknown>)[]): Promise<Servers> {
  const start = async (): Promise<FaultServer> => {
    const server = await startFaultServer({
      siteDir: room.publication.siteDir,
      isArtifact: room.isArtifact,
      bytesPerSecond: BYTES_PER_SECOND,
    })
    closers.push(() => server.close())
    return server
  }
  return { tier, faulty: await start(), healthy: await start(), down: tier === 'gateway' ? await start() : undefined }
}

/** Ids of the sources, as the record names them. */
const IDS = { cdn: { faulty: 'cdn', healthy: 'gateway' }, gateway: { faulty: 'gateway', healthy: 'second-gateway' } } as const

function configOf({ tier, faulty, healthy, down }: Servers, { fault }: Variant) {
  const lostHost = tier === 'cdn' ? LOST_HOSTS[0] : LOST_HOSTS[1]
  const broken = { id: IDS[tier].faulty, url: fault === 'dns' ? `http://${lostHost}:${faulty.port}/` : faulty.url }
  const good = { id: IDS[tier].healthy, url: healthy.url }
  if (down === undefined) return { origins: [broken], gateways: [good] }
  return { origins: [{ id: 'cdn', url: down.url }], gateways: [broken, good] }
}

interface Trial {
  readonly tools: CellTools
  readonly site: Site
  readonly servers: Servers
  readonly variant: Variant
}

async function download({ tools, site, servers, variant }: Trial): Promise<VariantOutcome> {
  const { faulty, healthy, down } = servers
  const artifact = variant.artifact === 'small' ? tools.room.small : tools.room.middle
  const { finished, record } = await downloadOnce(tools, {
    url: site.url,
    artifact,
    async beforeStart() {
      await down?.set('refused')
      if (variant.fault !== 'dns') await faulty.set(variant.fault)
      for (const server of [faulty, healthy]) server.forget()
    },
  })
  const ids = IDS[servers.tier]
  requireNamed(record, ids, variant)
  const requests = [faulty, healthy].flatMap((server) => artifactRequests(server, artifact))
  requireNoPieceTwice(finished.events, requests, record.artifact.pieceLengthBytes)
  if (variant.isToRest === true)
    demand(artifactRequests(faulty, artifact).length === 1, 'it is not asked again before the time that it named')
  const faultMs = withoutHttp(variant) ? finished.startedMs : faulty.firstFaultMs
  return {
    fault: variant.fault,
    recoveryMs: faultMs === undefined ? null : recoveryFrom(finished, faultMs, ids.healthy),
    sources: sourcesOf(record),
    wastedBytes: wastedBytesOf(record),
  }
}

/** Then no request reaches the server, and the clock starts with the download. */
function withoutHttp({ fault }: Variant): boolean {
  return fault === 'dns' || fault === 'refused' || fault === 'black-hole'
}

function artifactRequests(server: FaultServer, artifact: MatrixArtifact) {
  return server.requests
    .filter(({ path }) => path.endsWith(artifact.sha256))
    .map(({ atMs, path, range, sentBytes }) => ({
      atMs: atMs - UNREAD_MS,
      path,
      sentBytes,
      start: range?.start ?? 0,
      end: range?.end ?? artifact.sizeBytes,
    }))
}

/** The record tells who delivered, and what the other one did wrong. */
function requireNamed(
  record: AuditRecord,
  ids: { readonly faulty: string; readonly healthy: string },
  { codes, mayDeliver }: Variant,
): void {
  const tallies = new Map<string, AuditRecord['sources'][number]>(record.sources.map((tally) => [tally.source, tally]))
  if (mayDeliver === true) return
  demand((tallies.get(ids.healthy)?.pieces.length ?? 0) > 0, `the record names ${ids.healthy} as a source of pieces`)
  if (codes.length === 0) return
  const failures = (tallies.get(ids.faulty)?.failures ?? []).map(({ code }) => code)
  demand(
    failures.some((code) => codes.includes(code)),
    `the record says of ${ids.faulty}: ${codes.join(' or ')}, not ${failures.join(', ') || 'nothing'}`,
  )
}
