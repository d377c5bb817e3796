import { DeliveryError } from '../core/errors.ts'
import type { SourceId } from '../core/model/ids.ts'
import { timingFor } from '../core/plan/backoff.ts'
import { rankSources } from '../core/plan/policy.ts'
import { createAbort } from './abort.ts'
import {
  isUsable,
  skipUnusable,
  wantTiers,
  type Delivery,
  type DeliveryJob,
  type DeliveryTools,
  type SourceReport,
} from './delivery-state.ts'
import { createGate } from './gate.ts'
import { createLedger } from './ledger.ts'
import { runLanes } from './piece-loop.ts'
import { createSourceState, FAILURES_KEPT, succeedSourceState, type SourceState } from './source-state.ts'
import { watchTransfers } from './watch.ts'

/**
 * Fetches every missing piece, from whichever sources get there, and keeps each once it is verified.
 * Pieces that are kept already are never asked for. Resolves when all are kept.
 *
 * @param report receives one entry per source that was used, also when the delivery fails
 * @throws {DeliveryError} `sources-exhausted`; store failures as they come
 */
export async function deliverPieces(
  job: DeliveryJob,
  tools: DeliveryTools,
  report: (sources: readonly SourceReport[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const delivery = createDelivery(job, tools)
  if (delivery.ledger.isComplete()) {
    report([])
    return
  }
  const end = createAbort(signal)
  const stopListening = tools.sources.onChange(() => {
    syncSources(delivery)
    delivery.gate.open()
  })
  syncSources(delivery)
  try {
    await Promise.race([superviseLanes(delivery, end.signal), watchTransfers(delivery, end.signal)])
  } finally {
    stopListening()
    end.cut(signal.aborted ? signal.reason : undefined)
    for (const transfer of delivery.ledger.running()) transfer.abort.cut(signal.aborted ? signal.reason : undefined)
    report(toReports([...delivery.former, ...delivery.states.values()]))
  }
}

function createDelivery(job: DeliveryJob, tools: DeliveryTools): Delivery {
  const states = new Map<SourceId, SourceState>()
  const live = (): readonly SourceState[] => [...states.values()].filter((state) => isUsable(state, tools.reputation))
  return {
    ...job,
    tools,
    timing: timingFor(job.artifact.sizeBytes, tools.timing),
    ledger: createLedger(job.artifact, job.stored, {
      nowMs: () => tools.clock.monotonicMs(),
      sources: live,
      source: (id) => states.get(id),
    }),
    gate: createGate(),
    states,
    former: [],
    level: 0,
    lastProgressMs: tools.clock.monotonicMs(),
  }
}

/** Takes over what the source set holds now. A source that came back keeps what is known of it. */
function syncSources(delivery: Delivery): void {
  const ranked = rankSources(delivery.tools.sources.current(), delivery.tools.policy)
  const present = new Set(ranked.map(({ source }) => source.id))
  for (const [id, state] of delivery.states) if (!present.has(id)) state.isGone = true
  for (const { source, rank } of ranked) {
    const known = delivery.states.get(source.id)
    if (known === undefined) delivery.states.set(source.id, createSourceState(source, rank))
    else if (known.source !== source) {
      known.isGone = true
      delivery.former.push(known)
      delivery.states.set(source.id, succeedSourceState(known, source, rank))
    } else {
      known.rank = rank
      known.isGone = false
    }
  }
  wantTiers(delivery)
}

/** Starts a set of lanes for every source, those that come later included; resolves when the last piece is kept. */
async function superviseLanes(delivery: Delivery, signal: AbortSignal): Promise<void> {
  const served = new WeakSet<SourceState>()
  const failed: { error: unknown }[] = []
  while (!delivery.ledger.isComplete()) {
    const failure = failed[0]
    if (failure !== undefined) throw failure.error
    const exhausted = exhaustion(delivery)
    if (exhausted !== undefined) throw exhausted
    skipUnusable(delivery)
    for (const state of delivery.states.values()) {
      if (served.has(state)) continue
      served.add(state)
      runLanes(delivery, state, signal).catch((error: unknown) => {
        if (signal.aborted) return
        failed.push({ error })
        delivery.gate.open()
      })
    }
    await delivery.gate.wait(signal)
  }
}

function exhaustion(delivery: Delivery): DeliveryError | undefined {
  const { tools, ledger } = delivery
  const idleMs = tools.clock.monotonicMs() - delivery.lastProgressMs
  const usable = [...delivery.states.values()].some((state) => isUsable(state, tools.reputation))
  if (usable || tools.sources.isGrowing()) {
    if (idleMs < delivery.timing.giveUpMs) return undefined
  } else if (ledger.running().length > 0) return undefined
  const reasons = [...delivery.states.values()].flatMap((state) => state.failures.slice(-1))
  return new DeliveryError({ code: 'sources-exhausted', missingPieces: ledger.missing(), reasons })
}

/** One entry for each source that did anything, however often it came back. */
function toReports(states: readonly SourceState[]): readonly SourceReport[] {
  const reports = new Map<SourceId, SourceReport>()
  for (const { source, verifiedBytes, receivedBytes, failures } of states) {
    if (receivedBytes === 0 && failures.length === 0) continue
    const before = reports.get(source.id)
    reports.set(source.id, {
      source: source.id,
      tier: source.tier,
      verifiedBytes: verifiedBytes + (before?.verifiedBytes ?? 0),
      receivedBytes: receivedBytes + (before?.receivedBytes ?? 0),
      failures: [...(before?.failures ?? []), ...failures].slice(0, FAILURES_KEPT),
    })
  }
  return [...reports.values()]
}
