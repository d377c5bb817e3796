import { toPieceIndex } from '../core/model/ids.ts'
import { pickDuplicate, pickRun, pickSteal, type PieceRun } from '../core/pieces/picker.ts'
import { MOST_AT_ONCE } from '../core/plan/admission.ts'
import { LANES } from '../core/plan/policy.ts'
import { firstByteMs, isSuspect, isWorthProbing, type SourceHealth } from '../core/plan/source-health.ts'
import type { Artifact } from '../core/model/artifact.ts'
import type { PieceIndex } from '../core/model/ids.ts'
import { canStandIn, escalate, isAdmitted, isResting, isUsable, type Delivery } from './delivery-state.ts'
import { startRun } from './read-run.ts'
import type { SourceState } from './source-state.ts'
import { createTransfer } from './transfer.ts'

/** How long a run should keep a source busy, so that its requests are few but its pieces can still move elsewhere. */
const RUN_SECONDS = 0.5
/** Caches on the way cut what they keep into slices of this size. */
const SLICE_BYTES = 1024 * 1024
/** What a source that has not answered yet is assumed to need, when it is weighed against one that has. */
const UNKNOWN_FIRST_BYTE_MS = 200
const UNKNOWN_BYTES_PER_SECOND = 100_000

/** Works one HTTP source until the delivery is complete or the source is of no more use. Rejects only when the store does. */
export async function runLanes(delivery: Delivery, state: SourceState, signal: AbortSignal): Promise<void> {
  const { tier } = state.source
  if (tier === 'mesh') return
  const lanes = Array.from({ length: LANES[tier] }, (_, lane) => runLane(delivery, { state, lane }, signal))
  await Promise.all(lanes)
}

interface Lane {
  readonly state: SourceState
  readonly lane: number
}

/** One read to make. */
interface Errand {
  readonly run: PieceRun
  /** For what somebody else is fetching too. */
  readonly isExtra: boolean
}

async function runLane(delivery: Delivery, lane: Lane, signal: AbortSignal): Promise<void> {
  const { ledger, tools, gate, budget } = delivery
  let before: Promise<void> | undefined
  while (!ledger.isComplete() && isUsable(lane.state, tools.reputation)) {
    signal.throwIfAborted()
    const errand = nextErrand(delivery, lane)
    // Only who has something to fetch queues up for a slot.
    const giveBack = errand === undefined ? undefined : takeSlot(delivery, lane.state)
    if (errand === undefined || giveBack === undefined) {
      await gate.wait(signal)
      continue
    }
    if (errand.isExtra) budget.noteExtra()
    else budget.noteFirst()
    const run = startRun(delivery, createTransfer(lane.state, { run: errand.run, isReread: false }, tools.clock.monotonicMs()), signal)
    run.done.catch(() => undefined)
    await run.read
    giveBack()
    await before
    // What a source sends is checked and kept while it sends the next run. One on probation gets none before its last is known to be good.
    if (isProbing(lane.state)) await run.done
    else before = run.done
  }
  await before
}

function takeSlot({ artifact, tools, presence }: Delivery, { source }: SourceState): (() => void) | undefined {
  return tools.roster.traffic.mustYield(artifact.priority) ? undefined : presence.takeSlot(source.id)
}

/** What this lane may fetch now; undefined: nothing, look again when something has changed. */
function nextErrand(delivery: Delivery, { state, lane }: Lane): Errand | undefined {
  if (isResting(delivery, state)) return undefined
  if ((isProbing(state) || isSlow(delivery, state)) && lane > 0) return undefined
  const { source, parole } = state
  // It is reading past its cache, and shows by that whether it is worth more.
  if (parole !== undefined) return undefined
  if (!isAdmitted(delivery, state)) return undefined
  // What somebody else is fetching already: when it fails again, nobody has waited for it.
  if (mustProveItself(delivery, state)) return lane > 0 ? undefined : asExtra(delivery, chooseProof(delivery, state))
  if (source.ignoresRanges?.() === true) return asFirst(chooseWhole(delivery, state))
  return asFirst(chooseFree(delivery, state)) ?? asExtra(delivery, chooseShared(delivery, state))
}

/** A source that has proven nothing yet, or has just failed, works one lane and one piece: a probe shows whether it is worth more. */
export function isProbing({ verifiedPieces, health, parole }: SourceState): boolean {
  return verifiedPieces === 0 || health.failuresInRow > 0 || parole !== undefined
}

/** Two requests at less than a piece a second would only take twice as long, each. */
function isSlow({ artifact }: Delivery, { health: { bytesPerSecond } }: SourceState): boolean {
  return bytesPerSecond > 0 && bytesPerSecond < artifact.pieces.lengthBytes
}

function asFirst(run: PieceRun | undefined): Errand | undefined {
  return run === undefined ? undefined : { run, isExtra: false }
}

function asExtra({ budget }: Delivery, piece: PieceIndex | undefined): Errand | undefined {
  return piece !== undefined && budget.hasExtra() ? { run: one(piece), isExtra: true } : undefined
}

/** It kept somebody waiting, and others can be asked. */
function mustProveItself(delivery: Delivery, state: SourceState): boolean {
  if (!isSuspect(state.health, delivery.tools.clock.monotonicMs())) return false
  return [...delivery.states.values()].some((other) => isAdmitted(delivery, other) && canStandIn(delivery, other))
}

/** One that is known to trickle shows nothing new by the next piece: as often as it was asked, both would have fetched the whole file. */
function chooseProof({ ledger, tools }: Delivery, { source, health }: SourceState): PieceIndex | undefined {
  return isWorthProbing(health, tools.clock.monotonicMs()) ? pickDuplicate(ledger, source.id) : undefined
}

/** From a server that sends the whole file whatever it is asked for, the whole file is asked: while nobody else is any good. */
function chooseWhole(delivery: Delivery, state: SourceState): PieceRun | undefined {
  const { states, ledger, artifact } = delivery
  if ([...states.values()].some((other) => other !== state && canStandIn(delivery, other))) {
    escalate(delivery, state)
    return undefined
  }
  const isAtIt = [...ledger.running()].some(({ by }) => by === state)
  return isAtIt ? undefined : { start: toPieceIndex(0), end: artifact.pieces.count }
}

/** Pieces that nobody has or fetches. */
function chooseFree(delivery: Delivery, state: SourceState): PieceRun | undefined {
  const { artifact, ledger } = delivery
  const { source, health } = state
  const pieceBytes = artifact.pieces.lengthBytes
  const wanted = isProbing(state) ? 1 : Math.floor((health.bytesPerSecond * RUN_SECONDS) / pieceBytes)
  // Towards the end runs get short, so that all sources end together.
  const fair = Math.ceil(ledger.missing() / (2 * countAtWork(delivery)))
  const most = Math.max(1, Math.min(source.maxRunPieces, wanted, fair))
  return pickRun(ledger, source.id, { most, align: Math.max(1, SLICE_BYTES / pieceBytes), from: delivery.rarestFree?.() })
}

function countAtWork(delivery: Delivery): number {
  return [...delivery.states.values()].filter((state) => isAdmitted(delivery, state) && isUsable(state, delivery.tools.reputation)).length
}

/** A piece that somebody else is fetching too: because this source will be through with it sooner, or because it is a race. */
function chooseShared({ artifact, ledger, mode }: Delivery, { source, health }: SourceState): PieceIndex | undefined {
  return mode === 'race' ? pickDuplicate(ledger, source.id, MOST_AT_ONCE) : pickSteal(ledger, source.id, ownMs(artifact, health))
}

/** What this source would need for one piece. */
export function ownMs({ pieces }: Artifact, health: SourceHealth): number {
  return (pieces.lengthBytes * 1000) / (health.bytesPerSecond || UNKNOWN_BYTES_PER_SECOND) + (firstByteMs(health) ?? UNKNOWN_FIRST_BYTE_MS)
}

function one(piece: PieceIndex): PieceRun {
  return { start: piece, end: piece + 1 }
}
