/** `sealift/trust-refresh`: keeps a site's Sigstore trusted root up to date from a TUF repository. Loaded on demand; no download waits for it. */

import { openIndex } from '../stores/index-db.ts'
import { follow } from '../tuf/follow.ts'
import type { TrustStore } from '../tuf/kept.ts'
import { recallTrustedRoot, updateTrustedRoot, type RefreshedRoot, type TrustRefreshOptions } from '../tuf/refresh.ts'
import { refused } from '../tuf/refusal.ts'
import { TUF_LIMITS } from '../tuf/tuf-limits.ts'

export { DeliveryError, type Failure } from '../core/errors.ts'
export type { TrustStore } from '../tuf/kept.ts'
export type { RefreshedRoot, TrustRefreshOptions } from '../tuf/refresh.ts'

/** One refresh at a time in all tabs: the slower of two would put an older state over a newer one. */
const LOCK = 'sealift-trust-refresh'

const never = new AbortController().signal
const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/**
 * The trusted root of an earlier refresh, verified again from the pinned root on. Asks nothing of the network.
 * Undefined when none was ever fetched, or nothing kept leads back to the pinned root.
 * @throws {DeliveryError} `trust-refresh-failed` when the pinned root itself is no good; what the store throws
 * @example
 * const store = await openTrustStore()
 * const initialRoot: object = await (await fetch('/root.json')).json()
 * const kept = await keptTrustedRoot({ repositoryUrl: 'https://tuf.example/', initialRoot, store })
 * console.log(kept?.trustedRoot)
 */
export async function keptTrustedRoot(options: TrustRefreshOptions, signal: AbortSignal = never): Promise<RefreshedRoot | undefined> {
  return await recallTrustedRoot(options, signal)
}

/**
 * Asks the repository for a newer trusted root. At most a minute for it, and a minute for another tab to end; call it beside downloads,
 * never before them. What the repository does not confirm changes nothing: the answer is then the kept one, with the failure beside it.
 * @throws {DeliveryError} `trust-refresh-failed` when nothing is kept either, or another tab is still at it; what the store throws;
 * `signal.reason` itself
 * @example
 * const store = await openTrustStore()
 * const initialRoot: object = await (await fetch('/root.json')).json()
 * const fresh = await refreshTrustedRoot({ repositoryUrl: 'https://tuf.example/', initialRoot, store })
 * console.log(fresh.trustedRoot)
 */
export async function refreshTrustedRoot(options: TrustRefreshOptions, signal: AbortSignal = never): Promise<RefreshedRoot> {
  const turn = new AbortController()
  const timer = setTimeout(() => turn.abort(refused('root', 'unreachable', 'another tab is still asking')), TUF_LIMITS.refreshMs)
  try {
    return await navigator.locks.request(LOCK, { signal: AbortSignal.any([signal, turn.signal]) }, async () => {
      clearTimeout(timer)
      return await updateTrustedRoot(options, nowSeconds, signal)
    })
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Tells of the trusted root that is kept, then of what the repository has, which is asked once a day: what an engine calls.
 * @param onRoot called with what a chain of signatures from the pinned root vouches for
 * @throws {DeliveryError} as `refreshTrustedRoot`; what was told stays true
 * @example
 * const store = await openTrustStore()
 * const initialRoot: object = await (await fetch('/root.json')).json()
 * await followTrustedRoot({ repositoryUrl: 'https://tuf.example/', initialRoot, store }, (trustedRoot) => console.log(trustedRoot))
 */
export async function followTrustedRoot(
  options: TrustRefreshOptions,
  onRoot: (trustedRoot: object) => void,
  signal: AbortSignal = never,
): Promise<void> {
  await follow({ recall: () => recallTrustedRoot(options, signal), refresh: () => refreshTrustedRoot(options, signal), nowSeconds }, onRoot)
}

/**
 * What this origin's IndexedDB keeps of refreshes, in the same place as everything else of Sealift.
 * @example
 * const store = await openTrustStore()
 * console.log(await store.get('sealift-trust-refresh', AbortSignal.timeout(5_000)))
 */
export async function openTrustStore(signal: AbortSignal = never): Promise<TrustStore> {
  return (await openIndex(signal)).records
}
