import type { SourceId } from '../core/model/ids.ts'
import { createSourceHealth, noteOnline, type SourceHealth } from '../core/plan/source-health.ts'
import type { Clock } from '../core/ports.ts'
import { createTraffic, type Traffic } from './traffic.ts'

/** What an engine knows of its sources, whatever it fetched from them: pieces, documents, catalogues. Lives as long as the engine. */
export interface Roster {
  /** Always the same object for one source. */
  healthOf(source: SourceId): SourceHealth
  /** What is known now. */
  entries(): Iterable<readonly [SourceId, SourceHealth]>
  /** Takes over what an earlier engine knew of sources that this one has not met yet. */
  recall(earlier: ReadonlyMap<SourceId, SourceHealth>): void
  /** The network is there again: nobody rests for having failed without it. */
  noteOnline(): void
  readonly traffic: Traffic
}

export function createRoster(clock: Clock): Roster {
  const known = new Map<SourceId, SourceHealth>()
  return {
    healthOf(source) {
      const health = known.get(source) ?? createSourceHealth()
      known.set(source, health)
      return health
    },
    entries: () => known.entries(),
    recall(earlier) {
      for (const [source, health] of earlier) if (!known.has(source)) known.set(source, health)
    },
    noteOnline() {
      for (const health of known.values()) noteOnline(health)
    },
    traffic: createTraffic(clock),
  }
}
