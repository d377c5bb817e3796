import { DeliveryError } from '../core/errors.ts'
import type { CatalogueEntry } from '../core/manifest/catalogue.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { createAbort, type Abort } from '../scheduler/abort.ts'

/** Ends deliveries of what the publisher has withdrawn, while they run. */
export interface Withdrawals {
  /** A signal that follows `signal` and also aborts with `artifact-denied`: at once, if that is known already. */
  watch(entry: CatalogueEntry, signal: AbortSignal): { readonly signal: AbortSignal; stop(): void }
  /** From now on these are denied, and no others. */
  deny(denied: ReadonlySet<Sha256>): void
}

export function createWithdrawals(): Withdrawals {
  const running = new Map<Abort, CatalogueEntry>()
  let known: ReadonlySet<Sha256> = new Set()
  const check = (own: Abort, { artifact, manifest }: CatalogueEntry): void => {
    if (known.has(artifact.sha256) || known.has(manifest.sha256))
      own.cut(new DeliveryError({ code: 'artifact-denied', sha256: artifact.sha256 }))
  }
  return {
    watch(entry, signal) {
      const own = createAbort(signal)
      running.set(own, entry)
      check(own, entry)
      return { signal: own.signal, stop: () => void running.delete(own) }
    },
    deny(denied) {
      known = denied
      for (const [own, entry] of running) check(own, entry)
    },
  }
}
