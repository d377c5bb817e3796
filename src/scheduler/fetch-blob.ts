import { DeliveryError, failureOf, HANDLING, type Failure } from '../core/errors.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import { rankSources } from '../core/plan/policy.ts'
import { hedgeMs, isSuspect, noteDelivered, noteFailure, noteSilence, restsUntilMs } from '../core/plan/source-health.ts'
import { TIMING } from '../core/plan/timers.ts'
import type { Source } from '../core/ports.ts'
import { sha256Of } from '../core/verify/digest.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'
import { attempt } from './attempt.ts'
import type { DeliveryTools } from './delivery-state.ts'
import { createGate, waitAtMost, type Gate } from './gate.ts'
import type { Presence } from './traffic.ts'

/** A document that no source gave within this long is given up. */
const DEADLINE_MS = 20_000
/** One source's whole answer. Documents are at most 2 MiB. */
const ATTEMPT_MS = 8_000
/** Of one source. A hiccup of the only one there is must not end the download. */
const MOST_ATTEMPTS = 3
/** One that asks for a longer rest is not waited for. */
const MOST_REST_MS = 5_000
/** Every other source was asked, and none has answered for this long: peers are met too. */
const PEERS_AFTER_MS = 1_500

/**
 * Fetches a small content-addressed document (manifest, piece list, bundle) from the first source with the right bytes.
 * The next source is started beside the first after the hedge time, or at once when one fails; one that failed may try again after a rest.
 *
 * @throws {DeliveryError} `blob-unavailable`, with what each source did
 */
export async function fetchBlob(ref: BlobRef, tools: DeliveryTools, signal: AbortSignal): Promise<Uint8Array> {
  const race = createAbort(signal)
  const gate = createGate()
  const hunt: Hunt = {
    ref,
    tools,
    asked: new Map(),
    failures: [],
    running: 0,
    broken: undefined,
    found: undefined,
    gate,
    presence: tools.roster.traffic.enter('document', () => gate.open()),
  }
  const stopListening = tools.sources.onChange(() => hunt.gate.open())
  try {
    return await hunting(hunt, race.signal)
  } finally {
    stopListening()
    hunt.presence.leave()
    race.cut(NOT_NEEDED)
  }
}

/** How often one that rests is looked at again. */
const TICK_MS = 100

/** One source, as this hunt knows it. */
interface Asked {
  attempts: number
  readonly askedAtMs: number
  /** When it was last heard, or asked; undefined while it is not read from. */
  heardAtMs: number | undefined
  isLate: boolean
  /** It lacks this document, or was asked often enough. */
  isDone: boolean
}

interface Hunt {
  readonly ref: BlobRef
  readonly tools: DeliveryTools
  readonly asked: Map<Source, Asked>
  readonly failures: Failure[]
  readonly gate: Gate
  readonly presence: Presence
  running: number
  /** A mistake of ours, not of a source: it ends the hunt. */
  broken: { readonly error: unknown } | undefined
  found: Uint8Array | undefined
}

async function hunting(hunt: Hunt, signal: AbortSignal): Promise<Uint8Array> {
  const { tools } = hunt
  const startedMs = tools.clock.monotonicMs()
  for (;;) {
    noteLate(hunt)
    const candidates = candidatesOf(hunt)
    const rested = isAnyInTime(hunt) ? [] : candidates.filter((source) => restLeftMs(hunt, source, candidates) <= 0)
    if (askFirstFree(hunt, rested, signal)) continue
    if ((hunt.running === 0 && rested.length === 0) || tools.clock.monotonicMs() - startedMs >= PEERS_AFTER_MS) {
      // Asking is not failing: a slow answer of the CDN is no reason to meet strangers yet.
      for (const tier of tools.policy.tiers) tools.sources.want(tier)
      if (isHopeless(hunt, candidates)) break
    }
    await waitAtMost(hunt.gate, { clock: tools.clock, ms: waitMs(hunt) }, signal)
    if (hunt.found !== undefined) return hunt.found
    if (hunt.broken !== undefined) throw hunt.broken.error
    if (tools.clock.monotonicMs() - startedMs > DEADLINE_MS) break
  }
  throw new DeliveryError({
    code: 'blob-unavailable',
    sha256: hunt.ref.sha256,
    reasons: hunt.failures,
  })
}

/** Asks the first with a free slot: one whose slots are all taken may be stuck. False when there is none. */
function askFirstFree(hunt: Hunt, sources: readonly Source[], signal: AbortSignal): boolean {
  for (const source of sources) {
    // A peer counts its own requests.
    const giveBack = source.tier === 'mesh' ? () => undefined : hunt.presence.takeSlot(source.id)
    if (giveBack === undefined) continue
    void ask(hunt, source, signal).finally(giveBack)
    return true
  }
  return false
}

/** Those that may be asked, now or after a rest, best first: whoever failed or kept somebody waiting comes after the others. */
function candidatesOf({ tools, asked }: Hunt): readonly Source[] {
  const nowMs = tools.clock.monotonicMs()
  const isOpen = (source: Source): boolean => {
    const known = asked.get(source)
    return !tools.reputation.isBanned(source.id) && (known === undefined || (!known.isDone && known.heardAtMs === undefined))
  }
  const placeOf = (source: Source): number => {
    const health = tools.roster.healthOf(source.id)
    return (asked.get(source)?.attempts ?? 0) * 2 + (isSuspect(health, nowMs) ? 1 : 0)
  }
  return rankSources(tools.sources.current(), tools.policy)
    .map(({ source }) => source)
    .filter(isOpen)
    .toSorted((a, b) => placeOf(a) - placeOf(b))
}

function restLeftMs({ tools }: Hunt, source: Source, candidates: readonly Source[]): number {
  const nowMs = tools.clock.monotonicMs()
  // As for pieces: while all of them rest, each is asked again soon, for what failed a while ago may be back.
  const isOtherReady = candidates.some((other) => other !== source && restsUntilMs(tools.roster.healthOf(other.id), 'ready') <= nowMs)
  return restsUntilMs(tools.roster.healthOf(source.id), isOtherReady ? 'ready' : 'resting') - nowMs
}

function isHopeless(hunt: Hunt, candidates: readonly Source[]): boolean {
  const isWorthWaiting = candidates.some((source) => restLeftMs(hunt, source, candidates) <= MOST_REST_MS)
  return hunt.running === 0 && !isWorthWaiting && !hunt.tools.sources.isGrowing()
}

/** Whoever is silent for longer than its answers usually take, or trickles, is no reason to wait any more. */
function noteLate(hunt: Hunt): void {
  const { tools, asked } = hunt
  const nowMs = tools.clock.monotonicMs()
  for (const [source, known] of asked) {
    if (known.isLate || nowMs < lateAtMs(hunt, source, known)) continue
    known.isLate = true
    noteSilence(tools.roster.healthOf(source.id), nowMs)
  }
}

/** Infinite while nothing is read from it. */
function lateAtMs({ tools, ref }: Hunt, source: Source, { askedAtMs, heardAtMs }: Asked): number {
  if (heardAtMs === undefined) return Infinity
  const patienceMs = hedgeMs(tools.roster.healthOf(source.id))
  return patienceMs + Math.min(heardAtMs, askedAtMs + (ref.sizeBytes * 1000) / TIMING.floorBytesPerSecond)
}

function isAnyInTime({ asked }: Hunt): boolean {
  return [...asked.values()].some(({ heardAtMs, isLate }) => heardAtMs !== undefined && !isLate)
}

/** Until the next one is late, or may have rested. */
function waitMs(hunt: Hunt): number {
  const { tools, asked } = hunt
  const late = [...asked].filter(([, { isLate }]) => !isLate).map(([source, known]) => lateAtMs(hunt, source, known))
  const firstMs = Math.min(...late)
  return firstMs === Infinity ? TICK_MS : Math.max(1, firstMs - tools.clock.monotonicMs())
}

/** Never rejects: what went wrong is noted. */
async function ask(hunt: Hunt, source: Source, signal: AbortSignal): Promise<void> {
  const { ref, tools } = hunt
  const nowMs = tools.clock.monotonicMs()
  const known: Asked = {
    attempts: (hunt.asked.get(source)?.attempts ?? 0) + 1,
    askedAtMs: nowMs,
    heardAtMs: nowMs,
    isLate: false,
    isDone: false,
  }
  hunt.asked.set(source, known)
  hunt.running++
  try {
    const onHeard = (): void => {
      known.heardAtMs = tools.clock.monotonicMs()
    }
    const bytes = await attempt(
      (own) => readWhole({ source, ref, onHeard }, own),
      { source: source.id, clock: tools.clock, ms: ATTEMPT_MS },
      signal,
    )
    const actual = sha256Of(bytes)
    if (actual !== ref.sha256)
      throw new DeliveryError({
        code: 'blob-mismatch',
        source: source.id,
        expected: ref.sha256,
        actual,
      })
    hunt.found ??= bytes
    const health = tools.roster.healthOf(source.id)
    noteDelivered(health)
  } catch (error) {
    if (!signal.aborted) noteTrouble({ hunt, source, known }, error)
  } finally {
    known.heardAtMs = undefined
    hunt.running--
    hunt.gate.open()
  }
}

function noteTrouble(
  { hunt, source, known }: { readonly hunt: Hunt; readonly source: Source; readonly known: Asked },
  error: unknown,
): void {
  const { tools, failures } = hunt
  const failure = failureOf(error)
  if (failure === undefined) {
    hunt.broken ??= { error }
    return
  }
  failures.push(failure)
  tools.reputation.blame(source.id, failure)
  known.isDone = failure.code === 'source-missing' || !HANDLING[failure.code].tryNextSource || known.attempts === MOST_ATTEMPTS
  if (failure.code === 'source-missing') return
  noteFailure(tools.roster.healthOf(source.id), { failure, hadProgress: false }, tools.random, tools.clock.monotonicMs())
}

interface Reading {
  readonly source: Source
  readonly ref: BlobRef
  readonly onHeard: () => void
}

async function readWhole({ source, ref, onHeard }: Reading, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(ref.sizeBytes)
  if (ref.sizeBytes === 0) return bytes
  let filled = 0
  for await (const chunk of source.read(ref, { start: 0, end: ref.sizeBytes }, signal)) {
    if (filled + chunk.length > bytes.length) throw wrongLength(source, ref, filled + chunk.length)
    bytes.set(chunk, filled)
    filled += chunk.length
    onHeard()
  }
  if (filled !== bytes.length) throw wrongLength(source, ref, filled)
  return bytes
}

function wrongLength(source: Source, ref: BlobRef, actualBytes: number): DeliveryError {
  return new DeliveryError({
    code: 'source-length',
    source: source.id,
    expectedBytes: ref.sizeBytes,
    actualBytes,
  })
}
