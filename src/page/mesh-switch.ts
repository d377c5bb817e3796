import type { Clock } from '../core/ports.ts'
import type { EngineClient } from './engine-client.ts'
import type { MeshHost } from './mesh-host.ts'
import { openConsent, type MeshConsent } from './mesh-consent.ts'
import type { Leadership } from './mesh-leadership.ts'
import type { PairingDesk, PairingPort, PairingRoom } from './mesh-pairing.ts'
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
export interface MeshPort extends PairingPort {
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

/** The lock is granted and the chunk loaded within this, or this tab goes without peers. */
const START_MS = 4000
/** While another tab leads and takes from peers itself, it is asked again this often. */
const ASK_MS = 2000

interface Room {
  readonly engine: EngineClient
  readonly needs: MeshNeeds
  readonly lending: WindowLending
  readonly clock: Clock
  readonly consent: MeshConsent
  readonly listeners: Set<() => void>
  host: MeshHost | undefined
  /** Loaded when people pair browsers. */
  pairing: PairingDesk | undefined
}

export function createMeshSwitch(options: {
  readonly engine: EngineClient
  readonly lending: WindowLending
  readonly clock: Clock
}): MeshSwitch {
  const room: Room = {
    ...options,
    needs: trackMeshNeeds(options.engine),
    consent: openConsent(),
    listeners: new Set(),
    host: undefined,
    pairing: undefined,
  }
  const leadership = loadLeadership(room)
  const apply = (): void => {
    if (!isAllowed(room)) leadership.resign()
    else {
      room.lending.expectPeers(START_MS)
      leadership.stand()
    }
  }
  const pairing = (): Promise<PairingDesk> => loadPairing(room, { lead: () => leadership.ask(), onBusy: apply })
  const stopAsking = askWhileWanted(room, leadership)
  const stopConsent = room.consent.onChange(apply)
  const onHide = (): void => leadership.resign()
  const onShow = (event: PageTransitionEvent): void => {
    if (event.persisted) apply()
  }
  // A peer that is told learns of it in milliseconds; one that is not waits out its ICE timers, up to 16 s (measured).
  addEventListener('pagehide', onHide)
  addEventListener('pageshow', onShow)
  apply()
  return {
    port: portOf(room, { apply, pairing }),
    close() {
      removeEventListener('pagehide', onHide)
      removeEventListener('pageshow', onShow)
      stopAsking()
      stopConsent()
      leadership.close()
    },
  }
}

function portOf(room: Room, { apply, pairing }: { readonly apply: () => void; readonly pairing: () => Promise<PairingDesk> }): MeshPort {
  return {
    setConsent(isGranted) {
      room.consent.set(isGranted)
      apply()
    },
    get hasConsent() {
      return room.consent.isGranted
    },
    get isLeader() {
      return room.host !== undefined
    },
    stats: async () => (await room.host?.stats()) ?? [],
    onChange: (listener) => addListener(room, listener),
    pair: async (given) => await (await pairing()).pair(given),
    answer: async (code, given) => await (await pairing()).answer(code, given),
  }
}

async function loadPairing(room: Room, hooks: Pick<PairingRoom, 'lead' | 'onBusy'>): Promise<PairingDesk> {
  const { createPairingDesk } = await import('./mesh-pairing.ts')
  return (room.pairing ??= createPairingDesk({
    ...hooks,
    isAllowed: () => mayShare(room),
    host: () => room.host,
    onChange: (listener) => addListener(room, listener),
    clock: room.clock,
  }))
}

function mayShare({ engine, consent }: Room): boolean {
  return engine.site.mesh.mode !== 'off' && consent.isGranted
}

/** Somebody may be met: a server introduces peers, or people do. */
function isAllowed(room: Room): boolean {
  return mayShare(room) && (room.engine.site.mesh.signaling.length > 0 || room.pairing?.isBusy === true)
}

function addListener({ listeners }: Room, listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** The engine asks for peers and waits for an answer: a tab that leads gives it, one that may lead asks to, any other says at once that there are none. */
function askWhileWanted(room: Room, leadership: Leadership): () => void {
  const look = (): void => {
    if (room.host !== undefined || !room.needs.arePeersWanted) return
    if (!isAllowed(room)) room.lending.server.announce()
    else {
      room.lending.expectPeers(START_MS)
      leadership.ask()
    }
  }
  const stop = room.needs.onChange(look)
  const timer = setInterval(look, ASK_MS)
  return () => {
    stop()
    clearInterval(timer)
  }
}

/** Not in the page's first script: most pages never lead. What is wished for before it is there is done then, unless it was taken back. */
function loadLeadership(room: Room): Leadership {
  let loaded: Leadership | undefined
  let wish: 'stand' | 'ask' | undefined
  let isLoading = false
  let isClosed = false
  const load = async (): Promise<void> => {
    const { createLeadership, openLeaderChannel } = await import('./mesh-leadership.ts')
    if (isClosed) return
    loaded = createLeadership({
      lead: (signal) => lead(room, signal),
      // A paired peer is gone with its tab: no server would introduce it to the next one.
      mayHandOver: () => !room.needs.arePeersWanted && room.pairing?.isBusy !== true,
      clock: room.clock,
      locks: navigator.locks,
      channel: openLeaderChannel(),
    })
    if (wish !== undefined) loaded[wish]()
  }
  const want = (next: 'stand' | 'ask'): void => {
    if (loaded !== undefined) return loaded[next]()
    wish = next
    if (isLoading) return
    isLoading = true
    // The next wish for peers tries again.
    load()
      .catch(reportError)
      .finally(() => (isLoading = false))
  }
  return {
    stand: () => want('stand'),
    ask: () => want('ask'),
    resign() {
      wish = undefined
      loaded?.resign()
    },
    close() {
      isClosed = true
      loaded?.close()
    },
  }
}

/** Runs the mesh until this tab resigns. */
async function lead(room: Room, signal: AbortSignal): Promise<void> {
  const { startMeshHost } = await import('./mesh-host.ts')
  if (signal.aborted) return
  const { engine, lending, needs, clock } = room
  const host = await startMeshHost({ engine, lending, needs, clock, onChange: () => changed(room) })
  room.host = host
  changed(room)
  await untilAborted(signal)
  // A download that waits for peers, or whose wish for them is on its way here, would end if it heard that there are none: this tab leads again.
  lending.expectPeers(isAllowed(room) ? START_MS : 0)
  host.close()
  room.host = undefined
  changed(room)
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function changed(room: Room): void {
  for (const listener of room.listeners) listener()
}
