import { DeliveryError } from '../core/errors.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { createAbort, type Abort } from '../scheduler/abort.ts'

/** Ends deliveries of what the publisher has withdrawn, while they run. */
export interface Withdrawals {
  /** A signal that follows `signal` and also aborts with `artifact-denied`. */
  watch(sha256: Sha256, signal: AbortSignal): { readonly signal: AbortSignal; stop(): void }
  /** A newer catalogue denies these. */
  deny(denied: readonly Sha256[]): void
}

export function createWithdrawals(): Withdrawals {
  const running = new Map<Abort, Sha256>()
  return {
    watch(sha256, signal) {
      const own = createAbort(signal)
      running.set(own, sha256)
      return { signal: own.signal, stop: () => void running.delete(own) }
    },
    deny(denied) {
      const all = new Set(denied)
      for (const [abort, sha256] of running) if (all.has(sha256)) abort.cut(new DeliveryError({ code: 'artifact-denied', sha256 }))
    },
  }
}
