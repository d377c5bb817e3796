/** Counts of what happened since the start, each under a name and at most one label. */
export interface Counters {
  add(name: CounterName, label?: string): void
  /** 0 when it never happened. */
  get(name: CounterName, label?: string): number
  /** Prometheus text format 0.0.4, with gauges as they are now. */
  render(gauges: Readonly<Record<string, number>>): string
}

const COUNTERS = {
  upgrades_refused_total: { help: 'Connections refused before the upgrade.', label: 'reason' },
  lines_cut_total: { help: 'TCP connections cut because their address had too many.', label: undefined },
  admissions_total: { help: 'Answers to hello.', label: 'outcome' },
  messages_total: { help: 'Messages understood, by type.', label: 'type' },
  messages_refused_total: { help: 'Messages not acted on.', label: 'reason' },
  relayed_total: { help: 'Signals passed from peer to peer.', label: undefined },
  dropped_total: { help: 'Messages dropped because their reader was slow.', label: undefined },
  closed_total: { help: 'Connections closed by the server.', label: 'reason' },
  reports_total: { help: 'Complaints about peers, by reason. Nothing follows from them.', label: 'reason' },
  takeovers_total: { help: 'Connections that took over a dead one.', label: undefined },
  bus_lost_total: { help: 'Messages to other processes that did not get out.', label: undefined },
  bus_bad_total: { help: 'Messages on the bus that were none of ours.', label: undefined },
  faults_total: { help: 'Faults of the server itself. Every one is worth a report.', label: undefined },
} as const

export type CounterName = keyof typeof COUNTERS

const PREFIX = 'sealift_signaling_'

export function createCounters(): Counters {
  // By name, then by label: three counts for every message leave no time to write names of series.
  const values = new Map<string, Map<string, number>>()
  return {
    add(name, label = '') {
      const byLabel = values.get(name) ?? new Map<string, number>()
      if (byLabel.size === 0) values.set(name, byLabel)
      byLabel.set(label, (byLabel.get(label) ?? 0) + 1)
    },
    get: (name, label = '') => values.get(name)?.get(label) ?? 0,
    render(gauges) {
      const lines = Object.entries(gauges).flatMap(([name, value]) => [`# TYPE ${PREFIX}${name} gauge`, `${PREFIX}${name} ${value}`])
      for (const [name, { help, label: key }] of Object.entries(COUNTERS)) {
        lines.push(`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} counter`)
        if (key === undefined) lines.push(`${PREFIX}${name} ${values.get(name)?.get('') ?? 0}`)
        else for (const [label, value] of values.get(name) ?? []) lines.push(`${PREFIX}${name}{${key}="${label}"} ${value}`)
      }
      return `${lines.join('\n')}\n`
    },
  }
}
