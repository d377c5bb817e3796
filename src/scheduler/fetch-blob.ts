import { DeliveryError, failureOf, type Failure } from '../core/errors.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import { TIMING } from '../core/plan/backoff.ts'
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
/** Every other source was asked, and none has answered for this long: peers are met too. */
const PEERS_AFTER_MS = 1_500

/**
 * Fetches a small content-addressed document (manifest, piece list, bundle) from the first source with the right bytes.
 * The next source is started beside the first after the hedge time, or at once when one fails.
 *
 * @throws {DeliveryError} `blob-unavailable`, with what each source did
 */
export async function fetchBlob(ref: BlobRef, tools: DeliveryTools, signal: AbortSignal): Promise<Uint8Array> {
  const race = createAbort(signal)
  const hunt: Hunt = {
    ref,
    tools,
    asked: new Set(),
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

interface Hunt {
  readonly ref: BlobRef
  readonly tools: DeliveryTools
  readonly asked: Set<Source>
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
      if (hunt.running === 0 && !tools.sources.isGrowing()) break
    }
    await waitAtMost(hunt.gate, { clock: tools.clock, ms: TIMING.hedgeMs }, signal)
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

function nextSource(hunt: Hunt): Source | undefined {
  const { tools, asked } = hunt
  const ranked = rankSources(tools.sources.current(), tools.policy)
  return ranked.find(({ source }) => !asked.has(source) && !tools.reputation.isBanned(source.id))?.source
}

/** Never rejects: what went wrong is noted. */
async function ask(hunt: Hunt, source: Source, signal: AbortSignal): Promise<void> {
  const { ref, tools } = hunt
  hunt.asked.add(source)
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
    if (!signal.aborted) noteFailure(hunt, source, error)
  } finally {
    hunt.running--
    hunt.gate.open()
  }
}

function noteFailure(hunt: Hunt, source: Source, error: unknown): void {
  const failure = failureOf(error)
  if (failure === undefined) {
    hunt.broken ??= { error }
    return
  }
  hunt.failures.push(failure)
  hunt.tools.reputation.note(source.id, failure)
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
