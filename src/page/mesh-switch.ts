import type { Clock } from '../core/ports.ts'
import type { EngineClient } from './engine-client.ts'
import type { MeshHost } from './mesh-host.ts'
import { trackMeshNeeds, type MeshNeeds } from './mesh-needs.ts'
import type { WindowLending } from './window-sources.ts'

/** What crossed the wire to and from one peer, by WebRTC's own counters, in bytes. */
export interface PeerStats {
  readonly peer: string
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Where the selected candidate pair leads. */
  readonly pair: 'lan' | 'wan' | 'relay' | 'unknown'
}

/** The page's side of the mesh. */
export interface MeshPort {
  /** Remembered for this origin. Taking it back closes every connection of this tab at once. */
  setConsent(isGranted: boolean): void
  readonly hasConsent: boolean
  /** This tab holds the connections of its origin. */
  readonly isLeader: boolean
  stats(): Promise<readonly PeerStats[]>
  /** Peers came or went, consent or leadership changed. Returns what stops it. */
  onChange(listener: () => void): () => void
}

export interface MeshSwitch {
  readonly port: MeshPort
  close(): void
}

const CONSENT_KEY = 'sealift-mesh-consent'
/** One tab of an origin holds the connections; the others share its store, not its peers. */
const LEADER_LOCK = 'sealift-mesh-leader'
/** Consent taken back in one tab ends sharing in all of them. */
const CONSENT_CHANNEL = 'sealift-mesh-consent'

/** The lock is granted and the chunk loaded within this, or this tab goes without peers. */
const START_MS = 4000

interface Room {
  readonly engine: EngineClient
  readonly needs: MeshNeeds
  readonly lending: WindowLending
  readonly clock: Clock
  readonly listeners: Set<() => void>
  host: MeshHost | undefined
  /** Aborting it gives up leadership, or the place in the queue for it. */
  candidacy: AbortController | undefined
}

export function createMeshSwitch(options: {
  readonly engine: EngineClient
  readonly lending: WindowLending
  readonly clock: Clock
}): MeshSwitch {
  const room: Room = { ...options, needs: trackMeshNeeds(options.engine), listeners: new Set(), host: undefined, candidacy: undefined }
  const channel = new BroadcastChannel(CONSENT_CHANNEL)
  const apply = (): void => {
    if (isAllowed(room)) stand(room)
    else resign(room)
  }
  channel.addEventListener('message', apply)
  // A tab without a mesh has to say so: the engine waits for an answer when it asks for peers.
  room.needs.onChange(() => {
    if (room.host === undefined) room.lending.server.announce()
  })
  const onHide = (): void => resign(room)
  const onShow = (event: PageTransitionEvent): void => {
    if (event.persisted) apply()
  }
  // A peer that is told learns of it in milliseconds; one that is not waits out its ICE timers, up to 16 s (measured).
  addEventListener('pagehide', onHide)
  addEventListener('pageshow', onShow)
  apply()
  return {
    port: {
      setConsent(isGranted) {
        localStorage.setItem(CONSENT_KEY, isGranted ? 'granted' : 'denied')
        channel.postMessage('changed')
        apply()
      },
      get hasConsent() {
        return localStorage.getItem(CONSENT_KEY) === 'granted'
      },
      get isLeader() {
        return room.host !== undefined
      },
      stats: async () => (await room.host?.stats()) ?? [],
      onChange(listener) {
        room.listeners.add(listener)
        return () => void room.listeners.delete(listener)
      },
    },
    close() {
      removeEventListener('pagehide', onHide)
      removeEventListener('pageshow', onShow)
      channel.close()
      resign(room)
    },
  }
}

function isAllowed({ engine }: Room): boolean {
  const { mode, signaling } = engine.site.mesh
  return mode !== 'off' && signaling.length > 0 && localStorage.getItem(CONSENT_KEY) === 'granted'
}

/** Stands for leader; the mesh starts when the lock is granted, in this tab or, when its holder dies, the next. */
function stand(room: Room): void {
  if (room.candidacy !== undefined) return
  const candidacy = new AbortController()
  room.candidacy = candidacy
  const { signal } = candidacy
  room.lending.expectPeers(START_MS)
  const lead = async (): Promise<void> => {
    const { startMeshHost } = await import('./mesh-host.ts')
    if (signal.aborted) return
    const host = startMeshHost({
      engine: room.engine,
      lending: room.lending,
      needs: room.needs,
      clock: room.clock,
      onChange: () => changed(room),
    })
    room.host = host
    changed(room)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    host.close()
    room.host = undefined
    changed(room)
  }
  navigator.locks.request(LEADER_LOCK, { signal }, lead).catch((error: unknown) => {
    // Resigned while it waited. Anything else: the chunk did not load, and this tab goes without peers.
    if (!signal.aborted) reportError(error)
  })
}

function resign(room: Room): void {
  room.candidacy?.abort(new DOMException('The mesh is switched off.', 'AbortError'))
  room.candidacy = undefined
}

function changed(room: Room): void {
  for (const listener of room.listeners) listener()
}
