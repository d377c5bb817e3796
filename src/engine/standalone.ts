import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import type { VerifiedFile } from '../stores/lookups.ts'
import { openStoreView, type StoreView } from '../stores/store-view.ts'
import { ALIASES_KEY } from './catalogue-desk.ts'
import { createDeliverer } from './compose.ts'
import { openOtherTabs } from './other-tabs.ts'
import type { OtherTabs } from './parts.ts'
import { createScriptHasher } from './script-hasher.ts'
import { loadSite } from './site.ts'
import { systemClock } from './system-clock.ts'
import { withWebLock } from './web-lock.ts'

export type { VerifiedFile } from '../stores/lookups.ts'

/** An engine without a page, for a service worker: HTTP sources only, and of what it must fetch only small artifacts. */
export interface Standalone {
  /**
   * Fetches and verifies; the file is then to be found with `find`.
   * @throws {DeliveryError} `no-page` for an artifact that is too large to be fetched here, and any other
   */
  deliver(request: ArtifactRequest, signal: AbortSignal): Promise<Sha256>
  /** A file that was verified whole when it was kept. */
  find(sha256: Sha256, signal: AbortSignal): Promise<VerifiedFile | undefined>
  /** Plain URLs that stand for artifacts, as the last accepted catalogue listed them. */
  aliases(signal: AbortSignal): Promise<readonly string[]>
}

const SHARED = new AbortController().signal

export function createStandalone(options: { readonly configUrl: string; readonly isSecurePage: boolean }): Standalone {
  let opened: Promise<StoreView> | undefined
  const stores = (signal: AbortSignal): Promise<StoreView> => {
    // Shared by all requests, so no one request's signal may end it; the store has deadlines of its own.
    opened ??= openStoreView({ clock: systemClock }, SHARED).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    signal.throwIfAborted()
    return opened
  }
  return {
    find: async (sha256, signal) => await (await stores(signal)).lookups.findVerified(sha256, signal),
    async aliases(signal) {
      const { records } = (await stores(signal)).memory
      const keys = (await records.keys(signal)).filter((key) => key.startsWith(`${ALIASES_KEY}:`))
      const lists = await Promise.all(keys.map((key) => records.get(key, signal)))
      return lists.flat().filter((url) => typeof url === 'string')
    },
    async deliver(request, signal) {
      const otherTabs = openOtherTabs()
      try {
        return await deliverAlone({ ...options, stores: await stores(signal), otherTabs }, request, signal)
      } finally {
        otherTabs.close()
      }
    },
  }
}

interface Alone {
  readonly configUrl: string
  readonly isSecurePage: boolean
  readonly stores: StoreView
  readonly otherTabs: OtherTabs
}

/** The engine is composed anew for each request: a service worker lives for seconds, and the configuration may have changed meanwhile. */
async function deliverAlone(alone: Alone, request: ArtifactRequest, signal: AbortSignal): Promise<Sha256> {
  const { configUrl, isSecurePage, stores, otherTabs } = alone
  const memory = stores.memory
  const clock = systemClock
  const config = await loadSite({ configUrl, memory, clock }, signal)
  const parts = {
    config,
    stores,
    memory,
    clock,
    withLock: withWebLock,
    otherTabs,
    isSecurePage,
    windowSources: undefined,
    hasher: createScriptHasher(),
  }
  const engine = createDeliverer(parts)
  // The roots that such a site adds are a page's. An update that only they let pass cannot be judged here, and must not be passed over.
  if (config.trust.refresh !== undefined) {
    const { trust } = engine.parts
    if (await trust.file((await trust.current(signal)).config.version + 1, signal))
      throw new DeliveryError({ code: 'no-page', sizeBytes: 0 })
  }
  const stop = new AbortController()
  const { artifact } = await engine.deliver(
    request,
    (event) => {
      if (event.kind !== 'resolved' || event.artifact.sizeBytes <= LIMITS.serviceWorkerAloneBytes) return
      // What is kept whole needs no fetching, only its digest; that may take as long as it takes.
      const kept = event.kept.reduce((sum, span) => sum + span.end - span.start, 0)
      if (kept < event.artifact.pieceCount) stop.abort(new DeliveryError({ code: 'no-page', sizeBytes: event.artifact.sizeBytes }))
    },
    AbortSignal.any([signal, stop.signal]),
  )
  // Held in memory only, it would be gone for the reader: say so instead of answering from nothing.
  if ((await stores.lookups.findVerified(artifact.sha256, signal)) === undefined)
    throw new DeliveryError({ code: 'no-page', sizeBytes: artifact.sizeBytes })
  return artifact.sha256
}
