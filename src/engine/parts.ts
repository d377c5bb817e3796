import type { SiteConfig } from '../core/manifest/site-config.ts'
import type { Reputation } from '../core/plan/reputation.ts'
import type { Clock, Hasher, SignatureVerifier } from '../core/ports.ts'
import type { StoreView } from '../stores/store-view.ts'
import type { Memory } from '../stores/volatile-index.ts'
import type { SourceHub } from './source-hub.ts'

/** Holds a named lock of the whole origin while `work` runs. */
export type WithLock = <T>(name: string, work: () => Promise<T>, signal: AbortSignal) => Promise<T>

/** What the rooms of an engine share. Wired once, in `compose.ts`. */
export interface EngineParts {
  readonly config: SiteConfig
  readonly stores: StoreView
  readonly memory: Memory
  readonly hub: SourceHub
  readonly verifier: SignatureVerifier
  readonly hasher: Hasher
  readonly reputation: Reputation
  readonly clock: Clock
  readonly random: () => number
  readonly withLock: WithLock
}

export function nowSeconds(clock: Clock): number {
  return Math.floor(clock.nowMs() / 1000)
}
