import type { Failure } from '../core/errors.ts'
import type { Sha256, SourceId } from '../core/model/ids.ts'
import type { DeliveryPolicy } from '../core/plan/policy.ts'
import type { Reputation } from '../core/plan/reputation.ts'
import type { DeliveryTools } from '../scheduler/delivery-state.ts'
import { nextTask } from './next-task.ts'
import type { EngineParts } from './parts.ts'

/** One piece of work for the scheduler: what it is given, and what went wrong meanwhile. */
export interface Task {
  readonly tools: DeliveryTools
  /** What each source did wrong in this task, pieces and documents alike. */
  readonly troubles: ReadonlyMap<SourceId, readonly Failure[]>
  /** Manifest, piece list and bundles that were read for it. */
  readonly documents: Set<Sha256>
  /** Those of them that are being kept, or are kept by now. None rejects. */
  readonly writes: Promise<void>[]
  /** Takes its wishes back. */
  close(): void
}

/** A failing source can fail thousands of times; a record needs the kinds, not each one. */
const TROUBLES_KEPT = 20

export interface TaskOptions {
  readonly policy: DeliveryPolicy
  /** What is fetched, where peers may have it. */
  readonly artifact: Sha256 | undefined
  /** What went wrong before it began. */
  readonly troubles?: Map<SourceId, readonly Failure[]>
}

/** Whatever a source does in any task is held against it in all of them, and the window hears of a ban. */
export function openTask(parts: EngineParts, { policy, artifact, troubles = new Map() }: TaskOptions): Task {
  const { hub, reputation, roster, clock, random, hasher, runPeers } = parts
  const sources = hub.openTask(artifact)
  const blame: Reputation['blame'] = (source, failure, canReread) => {
    const known = troubles.get(source) ?? []
    if (known.length < TROUBLES_KEPT) troubles.set(source, [...known, failure])
    const sentence = reputation.blame(source, failure, canReread)
    if (sentence === 'banned') hub.ban(source)
    return sentence
  }
  return {
    tools: { sources, policy, reputation: { isBanned: reputation.isBanned, blame }, roster, clock, random, hasher, runPeers, nextTask },
    troubles,
    documents: new Set(),
    writes: [],
    close: () => sources.close(),
  }
}
