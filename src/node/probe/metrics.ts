import { renderMetrics, type MetricFamily, type MetricSample } from '../prometheus.ts'
import type { ProbedOrigin, ProbeRound } from './round.ts'

/** What the rounds so far come to, for Prometheus. */
export interface ProbeMetrics {
  /** Takes in one round. */
  add(round: ProbeRound): void
  /** Text format 0.0.4; undefined before the first round. */
  render(): string | undefined
}

const PREFIX = 'sealift_probe_'

/**
 * @example
 * const signal = AbortSignal.timeout(600_000)
 * const trust = siteTrust((await readConfig('public/sealift.json', signal)).trust)
 * const probe = createProbe({
 *   places: [{ id: 'cdn', tier: 'cdn', url: 'https://cdn.example/' }],
 *   trust: async () => ({ trust, denied: [], minimumVersion: 0 }),
 * })
 * const metrics = createProbeMetrics()
 * metrics.add(await probe.round(signal))
 * console.log(metrics.render())
 */
export function createProbeMetrics(): ProbeMetrics {
  const checked = new Map<string, number>()
  const rotten = new Map<string, number>()
  let last: ProbeRound | undefined
  return {
    add(round) {
      last = round
      for (const { id, piecesChecked, piecesRotten } of round.origins) {
        checked.set(id, (checked.get(id) ?? 0) + piecesChecked)
        rotten.set(id, (rotten.get(id) ?? 0) + piecesRotten)
      }
    },
    render: () =>
      last &&
      renderMetrics([
        ...gaugesOf(last),
        counter('pieces_checked_total', 'Pieces of challenges.', checked),
        counter('pieces_rotten_total', 'Pieces of challenges that are not what was signed.', rotten),
      ]),
  }
}

function gaugesOf({ origins, rows, ok, atSeconds }: ProbeRound): readonly MetricFamily[] {
  const gauge = (name: string, help: string, samples: readonly MetricSample[]): MetricFamily => ({
    name: PREFIX + name,
    help,
    type: 'gauge',
    samples,
  })
  const each = (value: (origin: ProbedOrigin) => number | undefined): readonly MetricSample[] =>
    origins.flatMap((origin) => {
      const found = value(origin)
      return found === undefined ? [] : [{ labels: { origin: origin.id }, value: found }]
    })
  return [
    gauge(
      'up',
      'Whether the origin or gateway answers.',
      each(({ isUp }) => Number(isUp)),
    ),
    gauge(
      'first_byte_seconds',
      'How long it took to begin its answer.',
      each(({ firstByteMs }) => firstByteMs && firstByteMs / 1000),
    ),
    gauge(
      'catalogue_version',
      'Version of the catalogue, when its signature holds.',
      each((origin) => origin.catalogueVersion),
    ),
    gauge(
      'catalogue_expires_seconds',
      'Seconds until it expires, below 0 afterwards.',
      each((origin) => origin.catalogueExpiresInSeconds),
    ),
    gauge(
      'check_ok',
      'Whether one check passed.',
      rows.map(({ origin, check, ok: isOk }) => ({ labels: { origin, check }, value: Number(isOk) })),
    ),
    gauge('ok', 'Whether all checks of the last round passed.', [{ value: Number(ok) }]),
    gauge('round_timestamp_seconds', 'When the last round ended.', [{ value: atSeconds }]),
  ]
}

function counter(name: string, help: string, values: ReadonlyMap<string, number>): MetricFamily {
  return { name: PREFIX + name, help, type: 'counter', samples: [...values].map(([origin, value]) => ({ labels: { origin }, value })) }
}
