import { failureOf, type Failure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { SourceId } from '../core/model/ids.ts'
import type { CatalogueSource } from '../core/ports.ts'
import { createAbort, NOT_NEEDED } from './abort.ts'
import { attempt } from './attempt.ts'
import type { DeliveryTools } from './delivery-state.ts'
import { createGate, waitAtMost, type Gate } from './gate.ts'

/** After the first valid catalogue, how long the others may still bring a higher one. */
const AFTER_FIRST_MS = 400
/** One source's whole answer. */
const ATTEMPT_MS = 5_000
/** Peers are met while the rest is dark: joining takes a few seconds. */
const DEADLINE_MS = 12_000
/** HTTP sources that say nothing for this long are not waited for before the mesh is asked. */
const MESH_AFTER_MS = 600

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
 * @param accept verifies the bytes; what it throws is noted against the source
 * @param tools `sources` may grow while this waits
 */
export async function collectCatalogues<T>(
  accept: (bytes: Uint8Array, source: SourceId) => Promise<T>,
  tools: DeliveryTools,
  signal: AbortSignal,
): Promise<CatalogueHaul<T>> {
  const end = createAbort(signal)
  const hunt: Hunt<T> = {
    accept,
    tools,
    asked: new Set(),
    accepted: [],
    failures: [],
    running: 0,
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

interface Hunt<T> {
  readonly accept: (bytes: Uint8Array, source: SourceId) => Promise<T>
  readonly tools: DeliveryTools
  readonly asked: Set<CatalogueSource>
  readonly accepted: CatalogueAnswer<T>[]
  readonly failures: Failure[]
  readonly gate: Gate
  running: number
}

async function collecting<T>(hunt: Hunt<T>, signal: AbortSignal): Promise<void> {
  const { tools } = hunt
  const startedMs = tools.clock.monotonicMs()
  let firstMs: number | undefined
  for (;;) {
    for (const source of newSources(hunt)) void ask(hunt, source, signal)
    const nowMs = tools.clock.monotonicMs()
    if (hunt.accepted.length > 0) firstMs ??= nowMs
    if (firstMs !== undefined && (hunt.running === 0 || nowMs - firstMs >= AFTER_FIRST_MS)) return
    if (firstMs === undefined && (hunt.running === 0 || nowMs - startedMs >= MESH_AFTER_MS))
      for (const tier of tools.policy.tiers) tools.sources.want(tier)
    if (hunt.running === 0 && !tools.sources.isGrowing()) return
    if (nowMs - startedMs >= DEADLINE_MS) return
    await waitAtMost(hunt.gate, { clock: tools.clock, ms: TICK_MS }, signal)
  }
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
    const bytes = await attempt(
      (own) => source.readCatalogue(LIMITS.catalogueBytes, own),
      { source: source.id, clock: tools.clock, ms: ATTEMPT_MS },
      signal,
    )
    hunt.accepted.push({ source: source.id, value: await hunt.accept(bytes, source.id) })
  } catch (error) {
    if (!signal.aborted) hunt.failures.push(failureOf(error) ?? { code: 'source-refused', source: source.id, detail: String(error) })
  } finally {
    hunt.running--
    hunt.gate.open()
  }
}
