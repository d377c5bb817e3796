import { DeliveryError, failureOf, HANDLING, type Failure } from '../core/errors.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import { restMs, TIMING } from '../core/plan/backoff.ts'
import { rankSources } from '../core/plan/policy.ts'
import type { Source } from '../core/ports.ts'
import { sha256Of } from '../core/verify/digest.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'
import { attempt } from './attempt.ts'
import type { DeliveryTools } from './delivery-state.ts'
import { createGate, waitAtMost, type Gate } from './gate.ts'

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
  const hunt: Hunt = {
    ref,
    tools,
    asked: new Map(),
    failures: [],
    running: 0,
    broken: undefined,
    found: undefined,
    gate: createGate(),
  }
  const stopListening = tools.sources.onChange(() => hunt.gate.open())
  try {
    return await hunting(hunt, race.signal)
  } finally {
    stopListening()
    race.cut(NOT_NEEDED)
  }
}

/** How often one that rests is looked at again. */
const TICK_MS = 100

interface Asked {
  attempts: number
  isRunning: boolean
  /** Monotonic time from which on it may be asked again; infinite when it may not. */
  restsUntilMs: number
}

interface Hunt {
  readonly ref: BlobRef
  readonly tools: DeliveryTools
  readonly asked: Map<Source, Asked>
  readonly failures: Failure[]
  readonly gate: Gate
  running: number
  /** A mistake of ours, not of a source: it ends the hunt. */
  broken: { readonly error: unknown } | undefined
  found: Uint8Array | undefined
}

async function hunting(hunt: Hunt, signal: AbortSignal): Promise<Uint8Array> {
  const { tools } = hunt
  const startedMs = tools.clock.monotonicMs()
  for (;;) {
    const next = nextSource(hunt)
    if (next !== undefined) void ask(hunt, next, signal)
    else if (hunt.running === 0 || tools.clock.monotonicMs() - startedMs >= PEERS_AFTER_MS) {
      // Asking is not failing: a slow answer of the CDN is no reason to meet strangers yet.
      for (const tier of tools.policy.tiers) tools.sources.want(tier)
      if (isHopeless(hunt)) break
    }
    await waitAtMost(hunt.gate, { clock: tools.clock, ms: next === undefined ? TICK_MS : TIMING.hedgeMs }, signal)
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

function isHopeless(hunt: Hunt): boolean {
  return hunt.running === 0 && !isAnyResting(hunt) && !hunt.tools.sources.isGrowing()
}

/** The best one that was not asked yet, else the best one that has rested. */
function nextSource(hunt: Hunt): Source | undefined {
  const { tools, asked } = hunt
  const usable = rankSources(tools.sources.current(), tools.policy).filter(({ source }) => !tools.reputation.isBanned(source.id))
  const fresh = usable.find(({ source }) => !asked.has(source))
  return (fresh ?? usable.find(({ source }) => isRested(asked.get(source), tools.clock.monotonicMs())))?.source
}

function isRested(known: Asked | undefined, nowMs: number): boolean {
  return known !== undefined && !known.isRunning && known.restsUntilMs <= nowMs
}

function isAnyResting({ asked, tools }: Hunt): boolean {
  return tools.sources.current().some((source) => {
    const restsUntilMs = asked.get(source)?.restsUntilMs ?? Infinity
    return restsUntilMs < Infinity && !tools.reputation.isBanned(source.id)
  })
}

/** Never rejects: what went wrong is noted. */
async function ask(hunt: Hunt, source: Source, signal: AbortSignal): Promise<void> {
  const { ref, tools } = hunt
  const known: Asked = { attempts: (hunt.asked.get(source)?.attempts ?? 0) + 1, isRunning: true, restsUntilMs: Infinity }
  hunt.asked.set(source, known)
  hunt.running++
  try {
    const bytes = await attempt((own) => readWhole(source, ref, own), { source: source.id, clock: tools.clock, ms: ATTEMPT_MS }, signal)
    const actual = sha256Of(bytes)
    if (actual !== ref.sha256)
      throw new DeliveryError({
        code: 'blob-mismatch',
        source: source.id,
        expected: ref.sha256,
        actual,
      })
    hunt.found ??= bytes
  } catch (error) {
    if (!signal.aborted) noteFailure({ hunt, source, known }, error)
  } finally {
    known.isRunning = false
    hunt.running--
    hunt.gate.open()
  }
}

function noteFailure(
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
  tools.reputation.note(source.id, failure)
  if (failure.code === 'source-missing' || !HANDLING[failure.code].tryNextSource || known.attempts === MOST_ATTEMPTS) return
  const retryAfterSeconds = failure.code === 'source-status' ? failure.retryAfterSeconds : undefined
  const question = { failures: known.attempts, hadProgress: false, retryAfterSeconds, isLastSource: true }
  const rest = restMs(question, tools.random)
  if (rest <= MOST_REST_MS) known.restsUntilMs = tools.clock.monotonicMs() + rest
}

async function readWhole(source: Source, ref: BlobRef, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(ref.sizeBytes)
  if (ref.sizeBytes === 0) return bytes
  let filled = 0
  for await (const chunk of source.read(ref, { start: 0, end: ref.sizeBytes }, signal)) {
    if (filled + chunk.length > bytes.length) throw wrongLength(source, ref, filled + chunk.length)
    bytes.set(chunk, filled)
    filled += chunk.length
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
