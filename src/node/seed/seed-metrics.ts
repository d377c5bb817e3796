import { renderMetrics } from '../prometheus.ts'
import type { SeedEvent, SeededArtifact } from './seed-event.ts'

/** What a seed has done since it started, counted from what it says. */
export interface SeedMetrics {
  add(event: SeedEvent): void
  /** Prometheus text format 0.0.4. */
  render(): string
}

/** What this process has taken of its machine. */
export interface ProcessCosts {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

export function costsOfThisProcess(): ProcessCosts {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() }
}

const PREFIX = 'sealift_seed_'

export function createSeedMetrics(costs: () => ProcessCosts = costsOfThisProcess): SeedMetrics {
  const offered = new Set<SeededArtifact['sha256']>()
  const signaling = new Map<string, boolean>()
  let peers = 0
  const sums = { met: 0, pieces: 0, sentBytes: 0, refusals: 0 }
  return {
    add(event) {
      switch (event.event) {
        case 'offered':
          offered.add(event.artifact.sha256)
          return
        case 'refused':
          sums.refusals++
          offered.delete(event.artifact.sha256)
          return
        case 'withdrawn':
          offered.delete(event.artifact.sha256)
          return
        case 'site-refused':
          sums.refusals++
          return
        case 'signaling':
          signaling.set(event.url, event.isOnline)
          return
        case 'peer-met':
          peers++
          sums.met++
          return
        case 'served':
          sums.pieces += event.pieces
          return
        case 'peer-left':
          peers--
          sums.sentBytes += event.sentBytes
          return
        case 'ticket-ending':
          return
      }
    },
    render() {
      const gauge = (name: string, help: string, value: number) =>
        ({ name: PREFIX + name, help, type: 'gauge', samples: [{ value }] }) as const
      const counter = (name: string, help: string, value: number) =>
        ({ name: `${PREFIX}${name}_total`, help, type: 'counter', samples: [{ value }] }) as const
      const { cpuSeconds, residentBytes } = costs()
      return renderMetrics([
        gauge('artifacts', 'Artifacts that peers may have.', offered.size),
        gauge('signaling_online', 'Signaling servers that have let the seed in.', [...signaling.values()].filter(Boolean).length),
        gauge('peers', 'Peers that are connected.', peers),
        counter('peers_met', 'Peers that connected.', sums.met),
        counter('pieces_served', 'Pieces that peers took, once they had all or left.', sums.pieces),
        counter('sent_bytes', 'Bytes sent to peers that have left.', sums.sentBytes),
        counter('refusals', 'Artifacts and catalogues that were not believed.', sums.refusals),
        counter('cpu_seconds', 'Processor time of the seed.', cpuSeconds),
        gauge('resident_memory_bytes', 'Memory of the seed.', residentBytes),
      ])
    },
  }
}
