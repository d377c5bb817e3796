import { failureOf, type Failure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { CatalogueSource, Clock } from '../core/ports.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'
import { attempt } from './attempt.ts'
import type { DeliveryTools } from './delivery-state.ts'
import { createGate, waitAtMost, type Gate } from './gate.ts'

/** After the first valid catalogue, how long the others may still bring a higher one. */
const AFTER_FIRST_MS = 400
/** After its catalogue, how long a source may go on telling of what came before it. */
const BESIDE_MS = 400
/** One source's whole answer. */
const ATTEMPT_MS = 5_000
/** Peers are met while the rest is dark: joining takes a few seconds. */
const DEADLINE_MS = 12_000
/** HTTP sources that say nothing for this long are not waited for before the mesh is asked. */
const MESH_AFTER_MS = 600
/** With a good catalogue at hand, a newer one is waited for no longer than this, and no peer is met for it. */
const REFRESH_MS = 1500

export interface CatalogueAnswer<T> {
  readonly source: SourceId
  readonly value: T
}

export interface CatalogueHaul<T> {
  readonly accepted: readonly CatalogueAnswer<T>[]
  readonly failures: readonly Failure[]
}

/**
 * Asks every source for the catalogue at once and collects the answers that `accept` lets through: one frozen mirror must not decide.
 *
 * @param job.accept verifies the bytes; what it throws is noted against the source
 * @param job.isNeeded there is none to go on with: then peers are met for it too, and it is waited for
 * @param tools `sources` may grow while this waits
 */
export async function collectCatalogues<T>(job: CatalogueJob<T>, tools: DeliveryTools, signal: AbortSignal): Promise<CatalogueHaul<T>> {
  const end = createAbort(signal)
  const hunt: Hunt<T> = {
    ...job,
    tools,
    asked: new Set(),
    accepted: [],
    failures: [],
    running: 0,
    broken: undefined,
    gate: createGate(),
  }
  const stopListening = tools.sources.onChange(() => hunt.gate.open())
  try {
    await collecting(hunt, end.signal)
    return { accepted: hunt.accepted, failures: hunt.failures }
  } finally {
    stopListening()
    end.cut(NOT_NEEDED)
  }
}

export interface CatalogueJob<T> {
  readonly accept: (bytes: Uint8Array, source: SourceId) => Promise<T>
  /** What else this source is asked for at the same time. Its answer is judged first, if it does not keep the catalogue waiting. */
  readonly beside: (source: CatalogueSource, signal: AbortSignal) => Promise<void>
  readonly isNeeded: boolean
}

interface Hunt<T> extends CatalogueJob<T> {
  readonly tools: DeliveryTools
  readonly asked: Set<CatalogueSource>
  readonly accepted: CatalogueAnswer<T>[]
  readonly failures: Failure[]
  readonly gate: Gate
  running: number
  /** A mistake of ours, not of a source: it ends the hunt. */
  broken: { readonly error: unknown } | undefined
}

async function collecting<T>(hunt: Hunt<T>, signal: AbortSignal): Promise<void> {
  const { tools } = hunt
  const startedMs = tools.clock.monotonicMs()
  let firstMs: number | undefined
  for (;;) {
    for (const source of newSources(hunt)) void ask(hunt, source, signal)
    if (hunt.broken !== undefined) throw hunt.broken.error
    const nowMs = tools.clock.monotonicMs()
    if (hunt.accepted.length > 0) firstMs ??= nowMs
    else if (hunt.isNeeded && (hunt.running === 0 || nowMs - startedMs >= MESH_AFTER_MS)) wantAll(tools)
    if (isOver(hunt, { sinceStartMs: nowMs - startedMs, sinceFirstMs: firstMs === undefined ? undefined : nowMs - firstMs })) return
    await waitAtMost(hunt.gate, { clock: tools.clock, ms: TICK_MS }, signal)
  }
}

interface Elapsed {
  readonly sinceStartMs: number
  readonly sinceFirstMs: number | undefined
}

function isOver<T>(hunt: Hunt<T>, { sinceStartMs, sinceFirstMs }: Elapsed): boolean {
  if (sinceFirstMs !== undefined) return hunt.running === 0 || sinceFirstMs >= AFTER_FIRST_MS
  if (!hunt.isNeeded) return hunt.running === 0 || sinceStartMs >= REFRESH_MS
  return (hunt.running === 0 && !hunt.tools.sources.isGrowing()) || sinceStartMs >= DEADLINE_MS
}

function wantAll({ policy, sources }: DeliveryTools): void {
  for (const tier of policy.tiers) sources.want(tier)
}

function newSources<T>({ tools, asked }: Hunt<T>): CatalogueSource[] {
  return tools.sources
    .catalogues()
    .filter((source) => tools.policy.tiers.includes(source.tier) && !asked.has(source) && !tools.reputation.isBanned(source.id))
}

const TICK_MS = 100

/** Never rejects: what went wrong is noted. */
async function ask<T>(hunt: Hunt<T>, source: CatalogueSource, signal: AbortSignal): Promise<void> {
  const { tools } = hunt
  hunt.asked.add(source)
  hunt.running++
  try {
    const beside = hunt.beside(source, signal)
    // Looked at below, unless the hunt is over first.
    beside.catch(() => undefined)
    const [read] = await Promise.allSettled([
      attempt((own) => source.readCatalogue(LIMITS.catalogueBytes, own), { source: source.id, clock: tools.clock, ms: ATTEMPT_MS }, signal),
    ])
    const isTold = await endsWithin(beside, { clock: tools.clock, ms: BESIDE_MS }, signal)
    if (read.status === 'rejected') throw read.reason
    const accept = (): Promise<T> => hunt.accept(read.value, source.id)
    // Refused by what was known so far: what is still to come may say otherwise.
    const patience = { clock: tools.clock, ms: ATTEMPT_MS }
    const value = await (isTold ? accept() : accept().catch(() => endsWithin(beside, patience, signal).then(accept)))
    hunt.accepted.push({ source: source.id, value })
  } catch (error) {
    if (!signal.aborted) noteFailure(hunt, source, error)
  } finally {
    hunt.running--
    hunt.gate.open()
  }
}

/** False when it is not over in time. */
async function endsWithin(
  work: Promise<void>,
  limit: { readonly clock: Clock; readonly ms: number },
  signal: AbortSignal,
): Promise<boolean> {
  const patience = createAbort(signal)
  const late = limit.clock.sleep(limit.ms, patience.signal).then(() => false)
  return await Promise.race([work.then(() => true), late]).finally(() => patience.cut(NOT_NEEDED))
}

/** A document that is refused is held against nobody's pieces: a mirror that lags is no liar. But the record names it. */
function noteFailure<T>(hunt: Hunt<T>, source: CatalogueSource, error: unknown): void {
  const failure = failureOf(error)
  if (failure === undefined) {
    hunt.broken ??= { error }
    return
  }
  hunt.failures.push(failure)
  hunt.tools.reputation.blame(source.id, failure)
}
