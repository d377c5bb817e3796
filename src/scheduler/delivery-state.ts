import type { Artifact } from '../core/model/artifact.ts'
import { toPieceIndex, type PieceIndex, type SourceId } from '../core/model/ids.ts'
import { admissionOf, firstWave, nextWave, type Admitted, type Candidate, type Mode } from '../core/plan/admission.ts'
import type { Others } from '../core/plan/breaker.ts'
import type { DeliveryPolicy } from '../core/plan/policy.ts'
import type { Reputation } from '../core/plan/reputation.ts'
import type { RetryBudget } from '../core/plan/retry-budget.ts'
import { isSuspect, restsUntilMs } from '../core/plan/source-health.ts'
import type { Timing } from '../core/plan/timers.ts'
import type { Clock, Hasher, SourceSet, StoredArtifact } from '../core/ports.ts'
import type { Gate } from './gate.ts'
import type { Ledger } from './ledger.ts'
import type { DeliveryObserver } from './observer.ts'
import type { PieceBuffers } from './piece-buffers.ts'
import type { PieceRoom } from './piece-room.ts'
import type { Roster } from './roster.ts'
import type { SourceState } from './source-state.ts'
import type { Presence } from './traffic.ts'

/** Everything that a delivery is given. It makes no adapter itself, so it runs under a fake clock with array-backed sources. */
export interface DeliveryTools {
  readonly sources: SourceSet
  readonly policy: DeliveryPolicy
  readonly reputation: Reputation
  readonly roster: Roster
  readonly clock: Clock
  /** 0 to below 1. */
  readonly random: () => number
  readonly hasher: Hasher
  /** Asks peers until the delivery is complete: `runPeers`, which whoever has none need not carry. */
  readonly runPeers: ((delivery: Delivery, signal: AbortSignal) => Promise<void>) | undefined
  readonly timing?: Timing
  /** Whole pieces in memory at once, at most. Default: 16 MiB of them, or eight. */
  readonly mostPieces?: number
  /** Lets what has arrived on this thread be handled: storage that answers, say. Default: nothing waits there. */
  readonly nextTask?: () => Promise<void>
}

export interface DeliveryJob {
  readonly artifact: Artifact
  readonly stored: StoredArtifact
  readonly observer: DeliveryObserver
}

/** One delivery in progress: what its loops share. */
export interface Delivery extends DeliveryJob {
  readonly tools: DeliveryTools
  readonly timing: Timing
  readonly mode: Mode
  readonly ledger: Ledger
  readonly gate: Gate
  readonly budget: RetryBudget
  readonly presence: Presence
  readonly states: Map<SourceId, SourceState>
  /** Only grows: a source is joined, never cancelled, by the next. */
  readonly admitted: Set<Admitted>
  /** How often the source set has said that something changed, offers included. */
  changes: number
  /**
   * Where an HTTP source may begin while others of the swarm fetch too: at what the fewest of them have, or all would have it send the same and
   * have nothing to give each other. Undefined: in order.
   */
  rarestFree: (() => PieceIndex | undefined) | undefined
  readonly buffers: PieceBuffers
  readonly room: PieceRoom
  /** Read since other work of this thread had its turn. */
  sinceTurnBytes: number
  lastProgressMs: number
}

export function isUsable(state: SourceState, reputation: Reputation): boolean {
  return !state.isGone && !state.isMissing && !reputation.isBanned(state.source.id)
}

/** True while it is left alone after a failure. */
export function isResting(delivery: Delivery, state: SourceState): boolean {
  const nowMs = delivery.tools.clock.monotonicMs()
  // Most rest not at all: who else could go on is asked of all others.
  if (nowMs >= restsUntilMs(state.health, 'ready')) return false
  return nowMs < restsUntilMs(state.health, othersOf(delivery, state))
}

function othersOf(delivery: Delivery, state: SourceState): Others {
  const { states, tools } = delivery
  const others = [...states.values()].filter((other) => other !== state && hasWhatIsMissing(delivery, other))
  if (others.length === 0) return 'none'
  const nowMs = tools.clock.monotonicMs()
  return others.some(({ health }) => nowMs >= restsUntilMs(health, 'ready')) ? 'ready' : 'resting'
}

/** A peer that is still fetching itself may have nothing of use: whoever waits for it to do the work waits for ever. */
function hasWhatIsMissing({ artifact, ledger, tools }: Delivery, state: SourceState): boolean {
  const { firstMissing, pieceCount } = ledger
  return isUsable(state, tools.reputation) && firstMissing < pieceCount && state.source.isOffered(artifact, toPieceIndex(firstMissing))
}

/** True for one that could fetch the next piece in place of another: part by part, now, and with nothing against it. */
export function canStandIn(delivery: Delivery, state: SourceState): boolean {
  const { source, health } = state
  if (source.ignoresRanges?.() === true || health.failuresInRow > 0 || isSuspect(health, delivery.tools.clock.monotonicMs())) return false
  return hasWhatIsMissing(delivery, state) && !isResting(delivery, state)
}

/** It was let in, or comes before one that was: then it was passed over only while it rested, or was not there. */
export function isAdmitted({ admitted, states }: Delivery, { source, rank }: SourceState): boolean {
  if (admitted.has(admissionOf(source))) return true
  return [...states.values()].some((other) => other.rank > rank && admitted.has(admissionOf(other.source)))
}

/** In order of preference. */
function candidatesOf(delivery: Delivery): readonly Candidate[] {
  const { states, tools } = delivery
  const nowMs = tools.clock.monotonicMs()
  return [...states.values()]
    .toSorted((a, b) => a.rank - b.rank)
    .map((state) => {
      const usable = isUsable(state, tools.reputation)
      const { id, tier } = state.source
      const isReady = usable && !isResting(delivery, state) && !isSuspect(state.health, nowMs)
      return { id, tier, isUsable: usable, isReady, isLeftBehind: state.isLeftBehind }
    })
}

/** Somebody has to work: when none of those let in is of use any more (banned in another download, say), others are. */
export function admitSomebody(delivery: Delivery): void {
  const isAtWork = (state: SourceState): boolean =>
    isAdmitted(delivery, state) && !state.isLeftBehind && isUsable(state, delivery.tools.reputation)
  if ([...delivery.states.values()].some(isAtWork)) return
  const others = candidatesOf(delivery).filter((one) => !delivery.admitted.has(admissionOf(one)))
  admit(delivery, firstWave(others, delivery.admitted.size === 0 ? delivery.mode : 'hedged'))
}

/** Lets the next source in beside the one that is in trouble, and the tier after it get ready. */
export function escalate(delivery: Delivery, from: SourceState): void {
  from.isLeftBehind = true
  admit(delivery, nextWave(candidatesOf(delivery), delivery.admitted, from.source.id))
}

function admit(delivery: Delivery, wave: readonly Admitted[]): void {
  for (const one of wave) delivery.admitted.add(one)
  wantTiers(delivery)
  if (wave.length > 0) delivery.gate.open()
}

/**
 * Asks for the tiers up to the first that has a source in good standing. Once anything went wrong, for one tier more: joining a mesh takes
 * longer than a hedge, so it starts while the gateway is tried.
 */
export function wantTiers({ states, tools }: Delivery): void {
  const { sources, policy, reputation } = tools
  const usable = [...states.values()].filter((state) => isUsable(state, reputation))
  const inGoodStanding = usable.filter((state) => !state.isLeftBehind)
  const isTroubled = [...states.values()].some((state) => state.isLeftBehind)
  const at = policy.tiers.findIndex((tier) => inGoodStanding.some((state) => state.source.tier === tier))
  const upTo = at === -1 ? policy.tiers.length : at + 1 + (isTroubled ? 1 : 0)
  for (const tier of policy.tiers.slice(0, upTo)) sources.want(tier)
}
