import { serveSources, type SourceServer } from '../bridge/serve-source.ts'
import { toSourceId } from '../core/model/ids.ts'
import type { Clock, SourceSet } from '../core/ports.ts'
import type { HttpSource } from '../sources/http/http-source.ts'
import type { EngineClient } from './engine-client.ts'

/** Peers, once the mesh runs. */
export type PeerSources = Pick<SourceSet, 'current' | 'catalogues' | 'isGrowing'>

/** What this window lends to its engine: gateways that only a window may reach, and peers. */
export interface WindowLending {
  readonly server: SourceServer
  /** The mesh started, changed or ended. */
  setPeers(peers: PeerSources | undefined): void
  /** The mesh is about to start: for so long, peers may still appear. 0: none will. */
  expectPeers(ms: number): void
}

export function lendSources(engine: EngineClient, clock: Clock): WindowLending {
  let peers: PeerSources | undefined
  let expectedUntilMs = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let gateways: readonly HttpSource[] = []
  const lent: PeerSources = {
    current: () => [...gateways, ...(peers?.current() ?? [])],
    catalogues: () => [...gateways, ...(peers?.catalogues() ?? [])],
    // For a mesh that has only just started too: the wish for peers may be on its way here while this is said.
    isGrowing: () => peers?.isGrowing() === true || clock.monotonicMs() < expectedUntilMs,
  }
  const server = serveSources(lent, (message, transfer) => engine.send(message, transfer))
  engine.onMessage((message) => void server.receive(message))
  server.announce()
  void windowGateways(engine, clock).then((sources) => {
    if (sources.length === 0) return
    gateways = sources
    server.announce()
  }, reportError)
  return {
    server,
    setPeers(next) {
      peers = next
      server.announce()
    },
    expectPeers(ms) {
      expectedUntilMs = clock.monotonicMs() + ms
      clearTimeout(timer)
      timer = setTimeout(() => server.announce(), ms + 1)
    },
  }
}

/** Only a window may reach an http gateway from an https page (Local Network Access); everything else the worker fetches itself. */
async function windowGateways(engine: EngineClient, clock: Clock): Promise<readonly HttpSource[]> {
  const gateways = engine.site.gateways.filter((gateway) => location.protocol === 'https:' && gateway.url.startsWith('http:'))
  if (gateways.length === 0) return []
  const { createHttpSource } = await import('../sources/http/http-source.ts')
  return gateways.map(({ id, url, addressSpace }) =>
    createHttpSource({
      id: toSourceId(id),
      tier: 'gateway',
      baseUrl: url,
      clock,
      addressSpace,
      fetch: (target, init) => fetch(target, init),
    }),
  )
}
