import { createProbeMetrics } from '../../src/node/probe/metrics.ts'
import { PROBE_CHECKS } from '../../src/node/probe/round.ts'
import { createSeedMetrics } from '../../src/node/seed/seed-metrics.ts'
import { countGatewayLog } from '../../src/node/gateway-metrics.ts'
import { never } from '../node/publish-fixture.ts'
import { soundRound } from '../probe/sample-round.ts'
import { connect, refusedStatus } from '../signaling/client.ts'
import { joined, serve, SWARM } from '../signaling/members.ts'

/** Labels of each metric, as far as one of its series was seen. */
export type Exposed = ReadonlyMap<string, ReadonlySet<string>>

/** What a signaling server, a probe, a seed and the count of a gateway's log show once something happened there. */
export async function readExposed(): Promise<Exposed> {
  const texts = [await renderSignaling(), renderProbe(), createSeedMetrics().render(), await renderGateway()]
  const exposed = new Map<string, Set<string>>()
  for (const line of texts.join('\n').split('\n')) {
    const [, typed] = /^# TYPE (\S+)/.exec(line) ?? []
    const [, name = typed, labels = ''] = /^([a-z_]+)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = exposed.get(name) ?? new Set<string>()
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) known.add(label)
    exposed.set(name, known)
  }
  return exposed
}

async function renderSignaling(): Promise<string> {
  const server = await serve({ metrics: 'same-port' })
  const [first, second] = [await joined(server), await joined(server)]
  first.client.send({ type: 'report', swarm: SWARM, peer: second.welcome.id, reason: 'proof' })
  await refusedStatus(server.url, { origin: 'https://other.example' })
  const stranger = await connect(server.url)
  stranger.sendText('nothing that anybody understands')
  await stranger.closed
  for (;;) {
    const text = await (await fetch(server.metricsUrl ?? '')).text()
    if (text.includes('reports_total{')) return text
  }
}

function renderProbe(): string {
  const metrics = createProbeMetrics()
  metrics.add(soundRound(PROBE_CHECKS))
  return metrics.render() ?? ''
}

async function renderGateway(): Promise<string> {
  const line = { ms: 1_800_000_000, uri: '/catalogue.json', status: 200, bytes: 5, cache: 'HIT', seconds: 0.001 }
  const log = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`${JSON.stringify(line)}\n`)
  }
  return await countGatewayLog(log(), never)
}
