import type { SiteConfig } from '../core/manifest/site-config.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { Reputation } from '../core/plan/reputation.ts'
import type { Clock, Hasher } from '../core/ports.ts'
import type { DeliveryTools } from '../scheduler/delivery-state.ts'
import type { Roster } from '../scheduler/roster.ts'
import type { StoreView } from '../stores/store-view.ts'
import type { Memory } from '../stores/volatile-index.ts'
import type { LiveArtifacts } from './live-artifacts.ts'
import type { SourceHub } from './source-hub.ts'
import type { VerdictMemory } from './verdict-memory.ts'
import type { TrustDesk } from './trust-desk.ts'

/** Holds a named lock of the whole origin while `work` runs. */
export type WithLock = <T>(name: string, work: () => Promise<T>, signal: AbortSignal) => Promise<T>

/** Of whoever writes, judges or deletes what is kept of this artifact: one at a time, over all tabs and workers. */
export function artifactLock(sha256: Sha256): string {
  return `sealift-artifact:${sha256}`
}

/** Reaches the engines of all other tabs and workers of this origin. What comes over it proves nothing: look for yourself. A `BroadcastChannel`. */
export interface OtherTabs {
  postMessage(message: 'catalogue'): void
  addEventListener(type: 'message', listener: () => void): void
}

/** What the rooms of an engine share. Wired once, in `compose.ts`. */
export interface EngineParts {
  readonly config: SiteConfig
  readonly stores: StoreView
  readonly memory: Memory
  readonly hub: SourceHub
  readonly verifier: VerdictMemory
  readonly trust: TrustDesk
  readonly hasher: Hasher
  readonly reputation: Reputation
  readonly roster: Roster
  readonly clock: Clock
  readonly random: () => number
  readonly runPeers: DeliveryTools['runPeers']
  readonly withLock: WithLock
  readonly otherTabs: OtherTabs
  readonly live: LiveArtifacts
}
