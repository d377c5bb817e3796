import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { ArtifactRequest } from '../core/wire/delivery-event.ts'
import { createEngine, memoryOf, type Engine } from '../engine/compose.ts'
import { createScriptHasher } from '../engine/script-hasher.ts'
import { loadSite } from '../engine/site.ts'
import { systemClock } from '../engine/system-clock.ts'
import { withWebLock } from '../engine/web-lock.ts'
import { openStoreView, type StoreView } from '../stores/store-view.ts'
import type { WorkerScope } from './scope.ts'

/** The service worker's own way to an artifact, for when no page answers: HTTP sources only, small artifacts only. */
export interface Alone {
  /** @throws {DeliveryError} `no-page` for an artifact that is too large to be fetched here, and any other */
  deliver(request: ArtifactRequest, signal: AbortSignal): Promise<Sha256>
  stores(signal: AbortSignal): Promise<StoreView>
}

export function createAlone(scope: WorkerScope, configUrl: string): Alone {
  let opened: Promise<StoreView> | undefined
  const stores = (signal: AbortSignal): Promise<StoreView> => {
    opened ??= openStoreView(systemClock, signal).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }
  // Composed anew for each request: the worker lives for seconds, and its configuration may have changed meanwhile.
  const compose = async (signal: AbortSignal): Promise<Engine> => {
    const view = await stores(signal)
    const memory = memoryOf(view)
    const { config } = await loadSite({ configUrl, memory, clock: systemClock }, signal)
    const isSecurePage = scope.location.protocol === 'https:'
    return createEngine({
      config,
      stores: view,
      memory,
      clock: systemClock,
      withLock: withWebLock,
      isSecurePage,
      windowSources: undefined,
      hasher: createScriptHasher(),
    })
  }
  return {
    stores,
    async deliver(request, signal) {
      const engine = await compose(signal)
      const view = await stores(signal)
      const stop = new AbortController()
      const both = AbortSignal.any([signal, stop.signal])
      const { artifact } = await engine.deliver(
        request,
        (event) => {
          if (event.kind !== 'resolved' || event.artifact.sizeBytes <= LIMITS.serviceWorkerAloneBytes) return
          // What is kept whole needs no fetching, only its digest; that may take as long as it takes.
          const kept = event.kept.reduce((sum, span) => sum + span.end - span.start, 0)
          if (kept < event.artifact.pieceCount) stop.abort(new DeliveryError({ code: 'no-page', sizeBytes: event.artifact.sizeBytes }))
        },
        both,
      )
      // Held in memory only, it would be gone for the reader: say so instead of answering from nothing.
      if ((await view.lookups.findVerified(artifact.sha256, signal)) === undefined)
        throw new DeliveryError({ code: 'no-page', sizeBytes: artifact.sizeBytes })
      return artifact.sha256
    },
  }
}
