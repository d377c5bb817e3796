import type { Failure } from '../core/errors.ts'
import type { Artifact } from '../core/model/artifact.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { Timing } from '../core/plan/backoff.ts'
import type { DeliveryPolicy } from '../core/plan/policy.ts'
import type { Reputation } from '../core/plan/reputation.ts'
import type { Clock, Hasher, SourceSet, StoredArtifact, Tier } from '../core/ports.ts'
import type { Gate } from './gate.ts'
import type { Ledger } from './ledger.ts'
import type { DeliveryObserver } from './observer.ts'
import type { SourceState } from './source-state.ts'

/** Everything that a delivery is given. It makes no adapter itself, so it runs under a fake clock with array-backed sources. */
export interface DeliveryTools {
  readonly sources: SourceSet
  readonly policy: DeliveryPolicy
  readonly reputation: Reputation
  readonly clock: Clock
  /** 0 to below 1. */
  readonly random: () => number
  readonly hasher: Hasher
  readonly timing?: Timing
}

export interface DeliveryJob {
  readonly artifact: Artifact
  readonly stored: StoredArtifact
  readonly observer: DeliveryObserver
}

/** What each source did, for the audit record. */
export interface SourceReport {
  readonly source: SourceId
  readonly tier: Tier
  readonly verifiedBytes: number
  readonly receivedBytes: number
  readonly failures: readonly Failure[]
}

/** One delivery in progress: what its loops share. */
export interface Delivery extends DeliveryJob {
  readonly tools: DeliveryTools
  readonly timing: Timing
  readonly ledger: Ledger
  readonly gate: Gate
  readonly states: Map<SourceId, SourceState>
  /** States of sources whose place another object with the same id took: a peer that came back over a new link. */
  readonly former: SourceState[]
  /** Highest rank that may work. Only rises: a source is joined, never cancelled, by the next. */
  level: number
  lastProgressMs: number
}

/** Lets the next source in beside the one that is in trouble, and the tier after it get ready. */
export function escalate(delivery: Delivery, from: SourceState): void {
  if (from.rank < delivery.level) return
  delivery.level = from.rank + 1
  wantTiers(delivery)
  delivery.gate.open()
}

/** A source that is out of the game (banned in an earlier download, say) must not hold up those after it. */
export function skipUnusable(delivery: Delivery): void {
  const ranks = [...delivery.states.values()].filter((state) => isUsable(state, delivery.tools.reputation)).map((state) => state.rank)
  const first = Math.min(...ranks)
  if (first <= delivery.level || ranks.length === 0) return
  delivery.level = first
  wantTiers(delivery)
}

/**
 * Asks for the tiers up to the first that has a source in good standing. Once anything went wrong, for one tier more: joining a mesh takes
 * longer than a hedge, so it starts while the gateway is tried.
 */
export function wantTiers(delivery: Delivery): void {
  const { sources, policy, reputation } = delivery.tools
  const inGoodStanding = [...delivery.states.values()].filter((state) => state.rank >= delivery.level && isUsable(state, reputation))
  const at = policy.tiers.findIndex((tier) => inGoodStanding.some((state) => state.source.tier === tier))
  const upTo = at === -1 ? policy.tiers.length : at + 1 + (delivery.level > 0 ? 1 : 0)
  for (const tier of policy.tiers.slice(0, upTo)) sources.want(tier)
}

export function isUsable(state: SourceState, reputation: Reputation): boolean {
  return !state.isGone && !state.isMissing && !reputation.isBanned(state.source.id)
}
