import { DeliveryError } from '../core/errors.ts'
import type { SourceId } from '../core/model/ids.ts'
import { modeFor } from '../core/plan/admission.ts'
import { rankSources } from '../core/plan/policy.ts'
import { createRetryBudget } from '../core/plan/retry-budget.ts'
import { giveUpMs, timingFor } from '../core/plan/timers.ts'
import { createAbort } from './abort.ts'
import { admitSomebody, isUsable, wantTiers, type Delivery, type DeliveryJob, type DeliveryTools } from './delivery-state.ts'
import { createGate } from './gate.ts'
import { runLanes } from './lanes.ts'
import { createLedger } from './ledger.ts'
import { createPieceBuffers } from './piece-buffers.ts'
import { createPieceRoom } from './piece-room.ts'
import { createSourceState, type SourceState } from './source-state.ts'
import { watchTransfers } from './watch.ts'

/** Pieces in memory, over all sources of a delivery (I07). */
const PIECES_HELD = 8
/** Small pieces may be more of them: what a commit costs is paid by the group. */
const BYTES_HELD = 16 * 1024 * 1024

/**
 * Fetches every missing piece, from whichever sources get there, and keeps each once it is verified.
 * Pieces that are kept already are never asked for. Resolves when all are kept.
 *
 * @throws {DeliveryError} `sources-exhausted`; store failures as they come
 */
export async function deliverPieces(job: DeliveryJob, tools: DeliveryTools, signal: AbortSignal): Promise<void> {
  const delivery = createDelivery(job, tools)
  const end = createAbort(signal)
  const stopListening = tools.sources.onChange(() => {
    syncSources(delivery)
    delivery.gate.open()
  })
  try {
    if (delivery.ledger.isComplete()) return
    syncSources(delivery)
    await Promise.race([supervise(delivery, end.signal), watchTransfers(delivery, end.signal)])
  } finally {
    stopListening()
    delivery.presence.leave()
    end.cut(signal.aborted ? signal.reason : undefined)
    for (const transfer of delivery.ledger.running()) transfer.abort.cut(signal.aborted ? signal.reason : undefined)
  }
}

function createDelivery(job: DeliveryJob, tools: DeliveryTools): Delivery {
  const { artifact } = job
  const states = new Map<SourceId, SourceState>()
  const gate = createGate()
  const mostHeld = tools.mostPieces ?? Math.max(PIECES_HELD, Math.floor(BYTES_HELD / artifact.pieces.lengthBytes))
  const ledger = createLedger(artifact, job.stored, { nowMs: () => tools.clock.monotonicMs(), source: (id) => states.get(id) })
  return {
    ...job,
    tools,
    timing: timingFor(artifact.sizeBytes, tools.timing),
    mode: modeFor(artifact),
    ledger,
    gate,
    budget: createRetryBudget(),
    presence: tools.roster.traffic.enter(artifact.priority, () => gate.open()),
    states,
    admitted: new Set(),
    changes: 0,
    rarestFree: undefined,
    buffers: createPieceBuffers(artifact, mostHeld),
    room: createPieceRoom(mostHeld, { gate, nowMs: () => tools.clock.monotonicMs(), running: () => ledger.running() }),
    sinceTurnBytes: 0,
    lastProgressMs: tools.clock.monotonicMs(),
  }
}

/** Takes over what the source set holds now. Of one that came back by another way, what is known holds. */
function syncSources(delivery: Delivery): void {
  const { tools, states } = delivery
  delivery.changes++
  const ranked = rankSources(tools.sources.current(), tools.policy)
  const present = new Set(ranked.map(({ source }) => source.id))
  for (const [id, state] of states) if (!present.has(id)) state.isGone = true
  for (const { source, rank } of ranked) {
    const known = states.get(source.id)
    if (known?.source === source) {
      known.rank = rank
      known.isGone = false
      continue
    }
    const { verifiedPieces = 0 } = known ?? {}
    // Its lanes end by themselves: each looks at the state that it was started with.
    if (known !== undefined) known.isGone = true
    states.set(source.id, { ...createSourceState(source, rank, tools.roster.healthOf(source.id)), verifiedPieces })
  }
  wantTiers(delivery)
}

/** Starts lanes for each HTTP source and one loop for all peers, those that come later included; resolves when the last piece is kept. */
async function supervise(delivery: Delivery, signal: AbortSignal): Promise<void> {
  const served = new WeakSet<SourceState>()
  const failed: { error: unknown }[] = []
  const fail = (error: unknown): void => {
    if (signal.aborted) return
    failed.push({ error })
    delivery.gate.open()
  }
  let arePeersServed = false
  while (!delivery.ledger.isComplete()) {
    const failure = failed[0]
    if (failure !== undefined) throw failure.error
    const exhausted = exhaustion(delivery)
    if (exhausted !== undefined) throw exhausted
    admitSomebody(delivery)
    for (const state of delivery.states.values()) {
      if (served.has(state)) continue
      served.add(state)
      if (state.source.tier !== 'mesh') runLanes(delivery, state, signal).catch(fail)
      else if (!arePeersServed) {
        arePeersServed = true
        delivery.tools.runPeers?.(delivery, signal).catch(fail)
      }
    }
    await delivery.gate.wait(signal)
  }
}

function exhaustion(delivery: Delivery): DeliveryError | undefined {
  const { tools, ledger, artifact, timing } = delivery
  const idleMs = tools.clock.monotonicMs() - delivery.lastProgressMs
  const isUsableLeft = [...delivery.states.values()].some((state) => isUsable(state, tools.reputation))
  // What is still coming from one that left, or was banned elsewhere, may come for ever.
  const mayCome = isUsableLeft || tools.sources.isGrowing() || ledger.running().size > 0
  if (mayCome && idleMs < giveUpMs(artifact.pieces.lengthBytes, timing)) return undefined
  const reasons = [...delivery.states.values()].flatMap(({ lastFailure }) => lastFailure ?? [])
  return new DeliveryError({ code: 'sources-exhausted', missingPieces: ledger.missing(), reasons })
}
