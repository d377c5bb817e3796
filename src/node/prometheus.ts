/** One metric with all of its series. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly samples: readonly MetricSample[]
}

export interface MetricSample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** Prometheus text format 0.0.4. A metric without series is left out. */
export function renderMetrics(families: readonly MetricFamily[]): string {
  const shown = families.filter(({ samples }) => samples.length > 0)
  return shown
    .map(({ name, help, type, samples }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${renderSamples(name, samples)}`)
    .join('')
}

function renderSamples(name: string, samples: readonly MetricSample[]): string {
  return samples.map(({ labels = {}, value }) => `${name}${renderLabels(labels)} ${value}\n`).join('')
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escape(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
