import type { PieceIndex, SourceId } from '../core/model/ids.ts'
import { pickDuplicate, pickLast, pickSteal } from '../core/pieces/picker.ts'
import { createRarity, type PieceOrder, type Rarity } from '../core/pieces/rarity.ts'
import { MOST_AT_ONCE } from '../core/plan/admission.ts'
import { choosePeer, leavingRoom, mostOfOne, MOST_ASKED_FOR, type PeerFacts } from '../core/plan/peer-choice.ts'
import { restsUntilMs } from '../core/plan/source-health.ts'
import { isAdmitted, isResting, isUsable, type Delivery } from './delivery-state.ts'
import { isProbing, ownMs } from './lanes.ts'
import { startRun } from './read-run.ts'
import type { SourceState } from './source-state.ts'
import { createTransfer } from './transfer.ts'

/** Asks peers until the delivery is complete: all of them together, since each piece is to come once. Rejects only when the store does. */
export async function runPeers(delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { ledger, artifact, gate } = delivery
  const desk: Desk = { delivery, rarity: createRarity(artifact.pieces.count), seen: new Map(), seenChange: -1, failed: [] }
  delivery.rarestFree = () => {
    lookAtOffers(desk)
    return isAnybodyElseFetching(desk) ? pickFree(desk, undefined) : undefined
  }
  while (!ledger.isComplete()) {
    signal.throwIfAborted()
    const [failure] = desk.failed
    if (failure !== undefined) throw failure.error
    while (askSomebody(desk, signal)) continue
    await gate.wait(signal)
  }
}

interface Desk {
  readonly delivery: Delivery
  readonly rarity: Rarity
  /** Whose offers are counted. */
  readonly seen: Map<SourceId, SourceState>
  seenChange: number
  readonly failed: { readonly error: unknown }[]
}

function lookAtOffers(desk: Desk): void {
  const { delivery, rarity, seen } = desk
  const { artifact, states, tools } = delivery
  if (desk.seenChange === delivery.changes) return
  desk.seenChange = delivery.changes
  for (const [id, state] of states) {
    if (state.source.tier !== 'mesh' || !isUsable(state, tools.reputation)) continue
    seen.set(id, state)
    rarity.note(id, state.source.offered?.(artifact))
  }
  for (const [id, state] of seen) {
    if (states.get(id) === state && isUsable(state, tools.reputation)) continue
    seen.delete(id)
    rarity.note(id, undefined)
  }
}

/** Whoever is here and has not everything, or has not said yet, is taken to want it. */
function isAnybodyElseFetching({ seen, rarity }: Desk): boolean {
  return [...seen.keys()].some((id) => !rarity.isWhole(id))
}

/** A peer that may be asked, and for what. */
interface Candidate extends PeerFacts {
  readonly state: SourceState
  /** Undefined: for a piece that nobody fetches, of which it has some. */
  readonly shared: PieceIndex | undefined
}

/** One request more, to a peer that has something and may be asked. False when there is none, or no room for what it would send. */
function askSomebody(desk: Desk, signal: AbortSignal): boolean {
  const { delivery } = desk
  const { room, tools, budget } = delivery
  // First, for it is so nearly always in a swarm that is well, and costs least to see.
  if (countAsked(delivery) >= MOST_ASKED_FOR) return false
  lookAtOffers(desk)
  const all = findCandidates(desk)
  if (all.length === 0) return false
  const spare = room.spare()
  if (spare === 0) {
    room.press()
    return false
  }
  const candidates = leavingRoom(all, { spare, ...findBest(delivery) })
  const errand = chooseErrand(desk, candidates)
  if (errand === undefined) return false
  const { chosen, piece } = errand
  if (chosen.shared === undefined) budget.noteFirst()
  else budget.noteExtra()
  const transfer = createTransfer(chosen.state, { run: { start: piece, end: piece + 1 }, isReread: false }, tools.clock.monotonicMs())
  room.claim(transfer)
  startRun(delivery, transfer, signal).done.catch((error: unknown) => {
    desk.failed.push({ error })
    delivery.gate.open()
  })
  return true
}

function countAsked({ states }: Delivery): number {
  let count = 0
  for (const { source, reading } of states.values()) if (source.tier === 'mesh') count += reading
  return count
}

/** The fastest peer, and how many pieces it may be asked for yet. */
function findBest(delivery: Delivery): { readonly best: number; readonly forBest: number } {
  let fastest: SourceState | undefined
  for (const state of delivery.states.values()) {
    if (state.source.tier !== 'mesh' || !isUsable(state, delivery.tools.reputation) || isResting(delivery, state)) continue
    if (state.health.bytesPerSecond > (fastest?.health.bytesPerSecond ?? 0)) fastest = state
  }
  if (fastest === undefined) return { best: 0, forBest: 0 }
  return { best: fastest.health.bytesPerSecond, forBest: Math.max(0, depthOf(delivery, fastest, true) - fastest.reading) }
}

function depthOf({ room, artifact }: Delivery, { health }: SourceState, hasOthers: boolean): number {
  return mostOfOne({ window: room.most, hasOthers, pieceBytes: artifact.pieces.lengthBytes, bytesPerSecond: health.bytesPerSecond })
}

/** Whom, and for what. One that holds all the free pieces that it has, and stands still, is passed over. */
function chooseErrand(
  desk: Desk,
  candidates: readonly Candidate[],
): { readonly chosen: Candidate; readonly piece: PieceIndex } | undefined {
  const chosen = choosePeer(candidates, desk.delivery.tools.random)
  if (chosen === undefined) return undefined
  const piece = chosen.shared ?? pickFree(desk, chosen.state.source.id)
  if (piece !== undefined) return { chosen, piece }
  return chooseErrand(
    desk,
    candidates.filter((one) => one !== chosen),
  )
}

/** Those with free pieces; where there are none, those that may fetch beside others. */
function findCandidates({ delivery, rarity }: Desk): readonly Candidate[] {
  const { ledger, budget } = delivery
  const ready = findReady(delivery)
  const withFree = ledger.freeCount === 0 ? [] : ready.filter(({ source }) => rarity.offersAny(source.id, ledger.free))
  if (withFree.length > 0) return withFree.map((state) => toCandidate(state, undefined))
  if (!budget.hasExtra()) return []
  // Before the end, peers take nothing from each other.
  const isHttpAtWork = [...delivery.states.values()].some(({ source, running }) => source.tier !== 'mesh' && running > 0)
  if (ledger.freeCount > 0 && !isHttpAtWork) return []
  return ready.flatMap((state) => {
    const shared = chooseShared(delivery, state)
    return shared === undefined ? [] : [toCandidate(state, shared)]
  })
}

function toCandidate(state: SourceState, shared: PieceIndex | undefined): Candidate {
  const { source, health, reading } = state
  const { bytesPerSecond, failuresInRow: strikes } = health
  return { state, shared, bytesPerSecond, strikes, isLan: source.isLan === true, underWay: reading }
}

/** Peers that may be asked for one piece more. */
function findReady(delivery: Delivery): readonly SourceState[] {
  const { states, tools } = delivery
  const peers = [...states.values()].filter((state) => state.source.tier === 'mesh' && isUsable(state, tools.reputation))
  const [first] = peers
  // All peers are let in together.
  if (first === undefined || !isAdmitted(delivery, first)) return []
  const hasOthers = peers.length > 1
  const hasTurn = (state: SourceState): boolean =>
    isProbing(state) ? state.running < 1 : state.reading < depthOf(delivery, state, hasOthers)
  return peers.filter((state) => hasTurn(state) && !isBusy(delivery, state) && !isResting(delivery, state))
}

/** It asked for this rest, and is not needed so much that it could be asked before: other peers come and go. */
function isBusy({ tools }: Delivery, { health }: SourceState): boolean {
  return health.rest.isAskedFor && tools.clock.monotonicMs() < restsUntilMs(health, 'ready')
}

function chooseShared({ artifact, ledger, mode }: Delivery, { source, health }: SourceState): PieceIndex | undefined {
  if (mode === 'race') return pickDuplicate(ledger, source.id, MOST_AT_ONCE)
  return pickLast(ledger, source.id) ?? pickSteal(ledger, source.id, ownMs(artifact, health))
}

/** @param by undefined: for an HTTP source */
function pickFree(desk: Desk, by: SourceId | undefined): PieceIndex | undefined {
  const { ledger, tools } = desk.delivery
  const { free, firstMissing } = ledger
  const isBarred = (piece: PieceIndex): boolean => by !== undefined && ledger.isHeldBy(piece, by)
  return desk.rarity.pick(by, { free, order: orderOf(desk), firstMissing, isBarred, random: tools.random })
}

/** In order, the whole digest is taken behind the download; it costs the swarm nothing only when nobody else is fetching. */
function orderOf(desk: Desk): PieceOrder {
  const { ledger } = desk.delivery
  if (ledger.missing() === ledger.pieceCount) return 'random'
  return isAnybodyElseFetching(desk) ? 'rarest' : 'in-order'
}
