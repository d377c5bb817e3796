import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../../../demo/stack/switchable-server.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { startNginxGateway } from '../../../src/node/nginx-gateway.ts'
import { startSite, type Site } from '../../browser/site.ts'
import { startFaultServer, type FaultServer } from '../../faults/fault-server.ts'
import { sourcesOf } from '../evidence.ts'
import { NO_SOURCES, demand } from '../scenario.ts'
import type { CellTools, MatrixCell, VariantOutcome } from './cell.ts'
import { downloadOnce, recoveryFrom, wastedBytesOf } from './download-once.ts'
import { LOST_HOSTS } from './http-cell.ts'
import type { MatrixArtifact } from './matrix-room.ts'
import { startNameServer, type NameServer } from './name-server.ts'

/** The gateway is nginx with the configuration that is shipped; its origins have names, which only a DNS server of the cell knows. */
export const nginxCells: readonly MatrixCell[] = [
  {
    group: 'nginx',
    name: 'N01 origins and DNS dead, nginx restarted: what it has is delivered',
    does: 'starts without them, and serves whatever it has pulled within a year',
    limitMs: 600,
    run: inLab(originsAndDnsDead),
  },
  {
    group: 'nginx',
    name: 'N02 a wrong slice in its cache is refused, and healed by one refetch',
    does: 'the first client that meets it asks once more with `?refetch=1`, which puts the right slice in its place for everybody',
    limitMs: undefined,
    run: inLab(poisoned),
  },
  {
    group: 'nginx',
    name: 'N03 twenty cold clients make one request for each slice',
    does: 'the others wait for the first, so that a site behind one line pulls a file once',
    limitMs: undefined,
    run: inLab(coalesced),
  },
  {
    group: 'nginx',
    name: 'N04 a hanging origin costs its timeout once',
    does: 'gives it up after 3 s, goes on with the next origin, and leaves the first alone for 10 s',
    limitMs: 3200,
    run: inLab(hangingOrigin),
  },
  {
    group: 'nginx',
    name: 'N05 what it does not have is refused at once, readable for the page',
    does: 'an error with CORS and without a lifetime, so that pages go on at once; with DNS dead as well it takes a second for each origin',
    limitMs: 100,
    run: inLab(uncached),
  },
]

const MIB = 2 ** 20
/** As in the shipped configuration. */
const SLICE_BYTES = MIB
const CLIENTS = 20
/** An origin that answered at once would not show who shares an answer. */
const COLD_BYTES_PER_SECOND = 16 * MIB
const QUICK_MS = 100
/** As in the shipped configuration. */
const ORIGIN_TIMEOUT_MS = 3000

interface Lab {
  readonly tools: CellTools
  readonly origins: readonly [FaultServer, FaultServer]
  readonly names: NameServer
  /** Without a trailing slash. */
  readonly gatewayUrl: string
  /** A new portal, whose CDN nobody can reach and whose gateway is nginx; (re)starts nginx for it. @param behind another gateway, after it */
  openPortal(behind?: FaultServer): Promise<Site>
}

function inLab(run: (lab: Lab) => Promise<readonly VariantOutcome[]>): MatrixCell['run'] {
  return async (tools) => {
    const closers: (() => Promise<unknown>)[] = []
    try {
      return await run(await openLab(tools, closers))
    } finally {
      for (const close of closers.toReversed()) await close()
    }
  }
}

async function openLab(tools: CellTools, closers: (() => Promise<unknown>)[]): Promise<Lab> {
  const { siteDir } = tools.room.publication
  const startOrigin = async (): Promise<FaultServer> => {
    const origin = await startFaultServer({ siteDir, isArtifact: tools.room.isArtifact })
    closers.push(() => origin.close())
    return origin
  }
  const origins = [await startOrigin(), await startOrigin()] as const
  const names = await startNameServer()
  closers.push(() => names.close())
  // Of its own, since the path of a socket is limited.
  const folder = await mkdtemp(join(tmpdir(), 'sealift-nginx-'))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  const port = await findFreePort([])
  const gatewayUrl = `http://127.0.0.1:${port}`
  let running: { close(): Promise<void> } | undefined
  closers.push(async () => running?.close())
  return {
    tools,
    origins,
    names,
    gatewayUrl,
    async openPortal(behind) {
      const site = await startSite(tools.room.publication, {
        origins: [{ id: 'cdn', url: `http://${LOST_HOSTS[0]}:${origins[0].port}/` }],
        gateways: [{ id: 'gateway', url: `${gatewayUrl}/` }, ...(behind === undefined ? [] : [{ id: 'behind', url: behind.url }])],
      })
      closers.push(() => site.close())
      await running?.close()
      running = await startNginxGateway({
        origins: origins.map((origin) => `http://${LOST_HOSTS[0]}:${origin.port}/`),
        allowedOrigins: [new URL(site.url).origin],
        cacheDir: join(folder, 'cache'),
        pinnedRoot: join(folder, 'pinned'),
        runDir: join(folder, 'run'),
        resolver: [names.address],
        port,
      })
      return site
    },
  }
}

const nothingBroken = (): Promise<void> => Promise.resolve()

async function originsAndDnsDead(lab: Lab): Promise<readonly VariantOutcome[]> {
  const { tools, origins, names } = lab
  const artifact = tools.room.middle
  await downloadOnce(tools, { url: (await lab.openPortal()).url, artifact, beforeStart: nothingBroken })
  demand(names.questions > 0, 'nginx asked for the address of its origins')
  for (const origin of origins) await origin.set('refused', 'everything')
  await names.close()
  // A second machine, as it were: nothing of the first visit is left but what nginx has on disk.
  const site = await lab.openPortal()
  const { finished, record } = await downloadOnce(tools, { url: site.url, artifact, beforeStart: nothingBroken })
  const recoveryMs = recoveryFrom(finished, finished.startedMs, 'gateway')
  return [{ fault: 'origins and DNS dead', recoveryMs, sources: sourcesOf(record), wastedBytes: wastedBytesOf(record) }]
}

async function poisoned(lab: Lab): Promise<readonly VariantOutcome[]> {
  const { tools, origins } = lab
  const artifact = tools.room.small
  const site = await lab.openPortal(origins[1])
  for (const origin of origins) await origin.set('corrupt-byte')
  await blobThrough(lab, artifact)
  for (const origin of origins) await origin.set('none')
  demand(
    sha256Of(await blobThrough(lab, artifact)) !== artifact.sha256,
    'the wrong slice stays in the cache, though its origins are healed',
  )
  const { record: refusal } = await downloadOnce(tools, { url: site.url, artifact, beforeStart: nothingBroken })
  const tallyOf = (id: string) => refusal.sources.find(({ source }) => source === id)
  demand(tallyOf('gateway')?.failures.some(({ code }) => code === 'digest-mismatch') === true, 'the record says what the gateway did')
  demand((tallyOf('gateway')?.pieces.length ?? 0) > 0, 'it goes on delivering')
  demand(sha256Of(await blobThrough(lab, artifact)) === artifact.sha256, 'from then on everybody gets the right slice')
  const next = await lab.openPortal()
  const { record } = await downloadOnce(tools, { url: next.url, artifact, beforeStart: nothingBroken })
  return [{ fault: 'poisoned', recoveryMs: null, sources: sourcesOf(record), wastedBytes: wastedBytesOf(refusal) }]
}

async function coalesced(lab: Lab): Promise<readonly VariantOutcome[]> {
  const { tools, origins } = lab
  const artifact = tools.room.middle
  await lab.openPortal()
  for (const origin of origins) origin.setRate(COLD_BYTES_PER_SECOND)
  const answers = await Promise.all(Array.from({ length: CLIENTS }, () => blobThrough(lab, artifact)))
  demand(
    answers.every((bytes) => sha256Of(bytes) === artifact.sha256),
    'each client has the right bytes',
  )
  const asked = origins.flatMap((origin) => origin.requests).filter(({ isArtifact }) => isArtifact)
  const starts = asked.map(({ range }) => range?.start ?? -1).sort((a, b) => a - b)
  const slices = Array.from({ length: Math.ceil(artifact.sizeBytes / SLICE_BYTES) }, (_, at) => at * SLICE_BYTES)
  demand(starts.join() === slices.join(), `the origins were asked once for each slice, not for ${starts.join()}`)
  return [{ fault: 'cold', recoveryMs: null, sources: NO_SOURCES, wastedBytes: 0 }]
}

async function hangingOrigin(lab: Lab): Promise<readonly VariantOutcome[]> {
  const { tools, origins } = lab
  const artifact = tools.room.middle
  await lab.openPortal()
  await origins[0].set('hang', 'everything')
  const first = await timed(() => sliceThrough(lab, artifact, 0))
  // Who of the two was asked first is chance; from here on nginx knows which one hangs, if it has met it.
  const second = await timed(() => sliceThrough(lab, artifact, 1))
  const later: number[] = []
  for (let at = 2; at < 8; at++) later.push(await timed(() => sliceThrough(lab, artifact, at)))
  const typical = later.toSorted((a, b) => a - b)[later.length >> 1] ?? 0
  // One may be held up by whatever else this machine does; none may wait for the hanging origin again.
  demand(typical <= QUICK_MS && Math.max(...later) < ORIGIN_TIMEOUT_MS, `later slices come within ${QUICK_MS} ms, not ${later.join(', ')}`)
  return [{ fault: 'hang', recoveryMs: Math.max(first, second), sources: NO_SOURCES, wastedBytes: 0 }]
}

async function uncached(lab: Lab): Promise<readonly VariantOutcome[]> {
  const { tools, origins, gatewayUrl } = lab
  const site = await lab.openPortal()
  // With DNS dead as well it takes nginx a second for each origin to say so: the time that it is told to wait for a name.
  for (const origin of origins) await origin.set('refused', 'everything')
  const origin = new URL(site.url).origin
  const ask = async (): Promise<number> => {
    const startedMs = performance.now()
    const response = await fetch(`${gatewayUrl}/by-hash/sha256/${tools.room.small.sha256}`, { headers: { origin }, signal: tools.signal })
    await response.arrayBuffer()
    demand(response.status >= 500, `it is refused, not answered ${response.status}`)
    demand(response.headers.get('access-control-allow-origin') === origin, 'the page may read the refusal')
    demand(!(response.headers.get('cache-control') ?? '').includes('immutable'), 'nobody keeps the refusal')
    return Math.round(performance.now() - startedMs)
  }
  return [{ fault: 'uncached', recoveryMs: await ask(), sources: NO_SOURCES, wastedBytes: 0 }]
}

async function blobThrough({ gatewayUrl, tools }: Lab, artifact: MatrixArtifact): Promise<Uint8Array> {
  const response = await fetch(`${gatewayUrl}/by-hash/sha256/${artifact.sha256}`, { signal: tools.signal })
  demand(response.status === 200, `the gateway answers 200, not ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

async function sliceThrough({ gatewayUrl, tools }: Lab, artifact: MatrixArtifact, at: number): Promise<void> {
  const headers = { range: `bytes=${at * SLICE_BYTES}-${(at + 1) * SLICE_BYTES - 1}` }
  const response = await fetch(`${gatewayUrl}/by-hash/sha256/${artifact.sha256}`, { headers, signal: tools.signal })
  demand(response.status === 206, `the gateway answers 206, not ${response.status}`)
  await response.arrayBuffer()
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return Math.round(performance.now() - startedMs)
}
