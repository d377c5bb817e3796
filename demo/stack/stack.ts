import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority, openMembership, systemClock, type Authority, type PublishReport } from 'sealift/node'
import { startCdnOrigin, type CdnOptions, type CdnOrigin } from './cdn-origin.ts'
import { startControlServer } from './control-server.ts'
import { startGatewayPart, type GatewayPart } from './gateway-part.ts'
import { PARTS, type Part, type PartMode, type PartState } from './parts.ts'
import { serviceWorkerScript, startPortalServer, type PortalFile } from './portal-server.ts'
import { publishDemo } from './publish-demo.ts'
import { startSignalingPart, type SignalingPart } from './signaling-part.ts'
import { siteConfig } from './site-config.ts'
import { findFreePort, type SwitchableServer } from './switchable-server.ts'

export interface StackOptions {
  /** This project's own folder: what is built in its `dist` is served. */
  readonly project: string
  /** Keeps keys, tickets' secrets and the published site between starts. Undefined: a temporary folder, removed at the end. */
  readonly stateDir?: string | undefined
  /** Ports to try for the portal, first choice first. Default: any. */
  readonly portalPorts?: readonly number[]
  /** How fast each CDN origin is. Default: as fast as it goes. */
  readonly cdnBytesPerSecond?: number | undefined
}

/** Everything that a portal needs, on loopback: two portal origins, two CDN origins, a gateway, signaling, and the switches. */
export interface Stack {
  readonly urls: { readonly portal: string; readonly peer: string; readonly control: string; readonly signaling: string }
  readonly cdn: readonly [CdnOrigin, CdnOrigin]
  readonly gateway: GatewayPart
  readonly authority: Authority
  readonly published: PublishReport
  /** Folder of the published layout that the origins serve. */
  readonly siteDir: string
  /** A folder of this stack for whatever else is needed; gone after `close` unless a state folder was named. */
  readonly workDir: string
  /** Requests that reached the portal, with what they were answered. */
  readonly portalRequests: readonly PortalRequest[]
  forgetPortalRequests(): void
  /** Files that the portal serves in the place of its own, by path. A test may change it. */
  readonly portalFiles: Map<string, PortalFile>
  /** The service worker's script as the portal serves it by itself. */
  workerScript(): Promise<string>
  state(): Readonly<Record<Part, PartState>>
  set(part: Part, mode: PartMode): Promise<void>
  /** Serves another published layout from both origins and the gateway; undefined: its own again. */
  serveSite(siteDir: string | undefined): Promise<void>
  onChange(listener: () => void): () => void
  /** Ends every server and child process, and removes what is temporary. */
  close(): Promise<void>
}

interface PortalRequest {
  readonly atMs: number
  readonly path: string
  readonly status: number
}

export async function startStack(options: StackOptions, signal: AbortSignal): Promise<Stack> {
  const workDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), 'sealift-stack-')))
  const closers: Closers = []
  if (options.stateDir === undefined) closers.push(() => rm(workDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).toReversed()) await end()
  }
  try {
    return { ...(await assemble({ options, workDir, closers }, signal)), close }
  } catch (error) {
    await close()
    throw error
  }
}

type Closers = (() => Promise<unknown>)[]

interface Room {
  readonly options: StackOptions
  readonly workDir: string
  readonly closers: Closers
}

async function assemble(room: Room, signal: AbortSignal): Promise<Omit<Stack, 'close'>> {
  const { options, workDir, closers } = room
  const listeners = new Set<() => void>()
  const onChange = (): void => listeners.forEach((listener) => listener())
  await mkdir(workDir, { recursive: true, mode: 0o700 })
  const siteDir = join(workDir, 'site')
  const authority = await openAuthority(join(workDir, 'authority'), { clock: systemClock })
  const published = await publishDemo(authority, { project: options.project, inbox: join(workDir, 'inbox'), site: siteDir }, signal)
  const digests = new Set<string>(published.catalogue.artifacts.map((entry) => entry.artifact.sha256))
  const blobs = { siteDir, isArtifact: (sha256: string): boolean => digests.has(sha256), onChange }

  const cdn = [await startCdn(room, 'cdn-1', blobs), await startCdn(room, 'cdn-2', blobs)] as const
  const portals = await startPortals(room)
  const { portal, peer, membership, pageOrigins, documents, requests, replaced, folders } = portals
  const signaling = await startSignalingPart({ key: membership.ticketKey, origins: pageOrigins, onChange })
  closers.push(() => signaling.close())
  const gateway = await startGatewayPart({ ...blobs, origins: cdn.map(({ url }) => url), pageOrigins })
  closers.push(() => gateway.close())
  const switches = createSwitches({ cdn, gateway, signaling, portal, onChange })
  const control = await startControlServer({ origins: () => pageOrigins, ...switches })
  closers.push(() => control.stop())

  const gateways = [{ id: 'gateway', url: gateway.url }]
  documents['/sealift.json'] = siteConfig(
    { origins: cdn.map(({ id, url }) => ({ id, url })), gateways, signaling: signaling.url },
    authority,
  )
  const urls = { portal: portal.url, peer: peer.url, control: control.url, signaling: signaling.url }
  documents['/demo.json'] = JSON.stringify({
    controlUrl: urls.control,
    portalUrl: urls.portal,
    peerUrl: urls.peer,
    gatewayKind: gateway.kind,
  })
  return {
    urls,
    cdn,
    gateway,
    authority,
    published,
    siteDir,
    workDir,
    portalRequests: requests,
    forgetPortalRequests() {
      requests.length = 0
    },
    portalFiles: replaced,
    workerScript: () => serviceWorkerScript(folders),
    ...switches,
    async serveSite(dir) {
      for (const origin of cdn) origin.serve(dir ?? siteDir)
      await gateway.serve(dir ?? siteDir)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

async function startCdn(room: Room, id: string, blobs: Pick<CdnOptions, 'siteDir' | 'isArtifact' | 'onChange'>): Promise<CdnOrigin> {
  const origin = await startCdnOrigin({ id, ...blobs, rateBytesPerSecond: room.options.cdnBytesPerSecond })
  room.closers.push(() => origin.close())
  return origin
}

/** Two origins with the same pages: a browser gives each a storage of its own. */
async function startPortals({ options, workDir, closers }: Room) {
  const documents: Record<string, string> = {}
  const requests: PortalRequest[] = []
  const replaced = new Map<string, PortalFile>()
  const folders = { pages: join(options.project, 'dist', 'demo-site'), scripts: join(options.project, 'dist') }
  const membership = await openMembership(join(workDir, 'membership'), { clock: systemClock })
  const start = async (port: number): Promise<SwitchableServer> => {
    const server = await startPortalServer({
      port,
      ...folders,
      replaced,
      documents: () => documents,
      mintTicket: (origin) => membership.mint({ site: origin, role: 'seed' }),
      onRequest: (path, status) => requests.push({ atMs: Date.now(), path, status }),
    })
    closers.push(() => server.stop())
    return server
  }
  const portal = await start(await findFreePort(options.portalPorts ?? []))
  const peer = await start(0)
  const pageOrigins = [portal, peer].flatMap(({ port }) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`])
  return { portal, peer, membership, pageOrigins, documents, requests, replaced, folders }
}

interface Switchable {
  readonly cdn: readonly [CdnOrigin, CdnOrigin]
  readonly gateway: GatewayPart
  readonly signaling: SignalingPart
  readonly portal: SwitchableServer
  readonly onChange: () => void
}

function createSwitches({ cdn, gateway, signaling, portal, onChange }: Switchable): Pick<Stack, 'state' | 'set'> {
  return {
    state: () => ({
      'cdn-1': cdn[0].state,
      'cdn-2': cdn[1].state,
      gateway: gateway.state,
      portal: portal.isUp ? 'up' : 'down',
      signaling: signaling.state,
    }),
    async set(part, mode) {
      switch (part) {
        case 'cdn-1':
          return cdn[0].set(mode)
        case 'cdn-2':
          return cdn[1].set(mode)
        case 'gateway':
          return gateway.set(mode)
        case 'signaling':
          return signaling.set(mode)
        case 'portal':
          await (mode === 'down' ? portal.stop() : portal.start())
          return onChange()
      }
    },
  }
}

/** Every part as it was at the start. */
export async function restoreStack(stack: Stack): Promise<void> {
  await stack.serveSite(undefined)
  for (const part of PARTS) {
    // A part may be up with a fault, or its clock ahead: off and on again ends either.
    if (part === 'signaling') await stack.set(part, 'down')
    await stack.set(part, 'up')
  }
  for (const origin of stack.cdn) origin.forgetRequests()
  await stack.gateway.forgetRequests()
  stack.portalFiles.clear()
  stack.forgetPortalRequests()
}
