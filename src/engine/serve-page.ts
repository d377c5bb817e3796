import { encodeAuditRecord } from '../core/audit/encode-audit-record.ts'
import { redactFailure } from '../core/audit/redact.ts'
import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import { toPieceIndex } from '../core/model/ids.ts'
import type { DeliveryEvent } from '../core/wire/delivery-event.ts'
import { parsePageMessage } from '../core/wire/parse-page-message.ts'
import { BRIDGE_VERSION, type EngineMessage, type PageMessage } from '../core/wire/bridge-message.ts'
import { createPortSources, type PortSources } from '../bridge/port-source.ts'
import type { OpenFileNamed } from '../stores/open-file.ts'
import { openStoreView } from '../stores/store-view.ts'
import { createEngine, type Engine } from './compose.ts'
import type { FileEngineEnd } from './file-message.ts'
import { openOnThread } from './file-thread.ts'
import type { HashEngineEnd } from './hash-message.ts'
import { createHasher } from './hasher.ts'
import { openOtherTabs, openSeedTabs } from './other-tabs.ts'
import { watchSeeds } from './seed-watch.ts'
import { loadSite, loadTicket } from './site.ts'
import { systemClock } from './system-clock.ts'
import { growTrust, type LoadTrustRefresher } from './trust-growth.ts'
import { withWebLock } from './web-lock.ts'

/** Sends to the page; `transfer` lists buffers to move. */
export type SendToPage = (message: EngineMessage, transfer?: readonly Transferable[]) => void

/** Serves one page. Give it every message of the page; it never throws. */
export interface PageServer {
  receive(data: unknown): void
}

interface Room {
  readonly send: SendToPage
  readonly sources: PortSources
  readonly calls: Map<number, AbortController>
  readonly whenOnline: Set<() => void>
  readonly life: AbortController
  readonly around: Surroundings
  engine: Promise<Engine> | undefined
  onSeeding: (isOn: boolean) => void
}

type Call = Extract<PageMessage, { readonly call: number }>

/** What the engine's script knows of the place that it runs in, and loads from beside itself. */
export interface Surroundings {
  /** The page is https: what its worker may reach differs. */
  readonly isSecurePage: boolean
  /** Called where the site names a repository of trusted roots. */
  readonly loadTrustRefresher?: LoadTrustRefresher
  readonly startHashThread: () => HashEngineEnd
  readonly startFileThread: () => FileEngineEnd
}

export function servePage(send: SendToPage, around: Surroundings): PageServer {
  const own = { calls: new Map<number, AbortController>(), whenOnline: new Set<() => void>(), life: new AbortController(), around }
  const room: Room = { send, sources: createPortSources(send), ...own, engine: undefined, onSeeding: () => undefined }
  return {
    receive(data) {
      const message = tryParse(data)
      if (message === undefined || room.sources.receive(message)) return
      if (message.type === 'open') {
        room.engine ??= open(room, message)
        // `open-failed` has told the page; calls that come later fail with the same reason.
        room.engine.catch(() => undefined)
      } else if (message.type === 'cancel') room.calls.get(message.call)?.abort(CANCELLED)
      else if (message.type === 'seeding') room.onSeeding(message.isOn)
      else if (message.type === 'online') for (const listener of room.whenOnline) listener()
      else if ('call' in message) void answer(room, message)
    },
  }
}

const CANCELLED: unique symbol = Symbol('the page cancelled')

/** The page is of the same build; what does not parse is a foreign message, and none of our business. */
function tryParse(data: unknown): PageMessage | undefined {
  try {
    return parsePageMessage(data)
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}

async function open(room: Room, message: Extract<PageMessage, { type: 'open' }>): Promise<Engine> {
  const { signal } = room.life
  const { isSecurePage, loadTrustRefresher, startHashThread, startFileThread } = room.around
  try {
    if (message.version !== BRIDGE_VERSION)
      throw new DeliveryError({ code: 'version-skew', expected: BRIDGE_VERSION, actual: message.version })
    const clock = systemClock
    const fileOpener = (here: OpenFileNamed): OpenFileNamed => openOnThread(startFileThread, here, clock)
    const stores = await openStoreView({ clock, fileOpener }, signal)
    const memory = stores.memory
    const site = { configUrl: message.configUrl, memory, clock }
    const config = await loadSite(site, signal)
    const ticket = await loadTicket(site, config, signal)
    const engine = createEngine({
      config,
      stores,
      memory,
      clock,
      withLock: withWebLock,
      otherTabs: openOtherTabs(),
      onOnline: (listener) => void room.whenOnline.add(listener),
      isSecurePage,
      windowSources: room.sources,
      hasher: createHasher(startHashThread, clock),
      growth: growTrust({ config, records: memory.records, clock, load: loadTrustRefresher }, signal),
    })
    room.send({
      type: 'opened',
      version: BRIDGE_VERSION,
      site: { repository: config.repository, gateways: config.gateways, mesh: config.mesh },
      ticket,
    })
    // What was withdrawn while its tab hung, or died, is still kept. A page that cannot know of it now can do all else.
    engine.recall(signal).catch(() => undefined)
    const seeds = watchSeeds({ engine, tabs: openSeedTabs(), clock, send: room.send }, signal)
    room.onSeeding = (isOn) => seeds.setOn(isOn)
    return engine
  } catch (error) {
    room.send({ type: 'open-failed', failure: toFailure(error) })
    throw error
  }
}

async function answer(room: Room, message: Call): Promise<void> {
  const stop = new AbortController()
  room.calls.set(message.call, stop)
  try {
    if (room.engine === undefined) throw new DeliveryError({ code: 'engine-lost', detail: 'the page has not opened the engine' })
    await runCall({ room, engine: await room.engine }, message, stop.signal)
  } catch (error) {
    room.send({ type: 'failed', call: message.call, failure: error === CANCELLED ? 'cancelled' : toFailure(error) })
  } finally {
    room.calls.delete(message.call)
  }
}

interface OpenRoom {
  readonly room: Room
  readonly engine: Engine
}

async function runCall({ room, engine }: OpenRoom, message: Call, signal: AbortSignal): Promise<void> {
  const { call } = message
  switch (message.type) {
    case 'deliver': {
      const delivered = await engine.deliver(message.request, (event) => room.send({ type: 'event', call, event: bounded(event) }), signal)
      room.send({
        type: 'delivered',
        call,
        blob: delivered.blob,
        artifact: delivered.artifact,
        record: encodeAuditRecord(delivered.record),
      })
      return
    }
    case 'list':
      room.send({ type: 'listed', call, ...(await engine.list(signal)) })
      return
    case 'forget':
      await engine.forget(message.sha256, signal)
      room.send({ type: 'done', call })
      return
    case 'audit':
      room.send({ type: 'audited', call, lines: await engine.audit(signal) })
      return
    case 'seed-read':
      sendSeed(room, call, await engine.readSeed(message.sha256, toPieceIndex(message.piece), signal))
      return
    case 'seed-catalogue':
      sendSeed(room, call, (await (message.trust === 0 ? engine.catalogueFile(signal) : engine.trustFile(message.trust, signal)))?.slice())
      return
    case 'cancel':
  }
}

function sendSeed(room: Room, call: number, bytes: Uint8Array | undefined): void {
  const buffer = bytes?.buffer
  room.send({ type: 'seed-bytes', call, bytes }, buffer instanceof ArrayBuffer ? [buffer] : [])
}

/** A failure as a message may carry it: what a hostile file made long is cut here, or the page would refuse the whole message. */
function toFailure(error: unknown): Failure {
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return redactFailure(failureOf(error) ?? { code: 'engine-lost', detail })
}

/** Cut to what a message may hold, or the page would refuse it, and nobody would hear of the trouble. */
function bounded(event: DeliveryEvent): DeliveryEvent {
  return event.kind === 'trouble' ? { ...event, failure: redactFailure(event.failure) } : event
}
