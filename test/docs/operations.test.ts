import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import { createCounters } from '../../signaling/counters.ts'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import { signalingOptionsFromEnv } from '../../signaling/main.ts'
import { createProbeMetrics } from '../../src/node/probe/metrics.ts'
import { PROBE_CHECKS } from '../../src/node/probe/round.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf, makeFolder } from '../node/publish-fixture.ts'
import { startMirror } from '../probe/mirror.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'
import { linesOf } from './shell.ts'
import { soundRound } from '../probe/sample-round.ts'

// A starved machine takes its time; no outcome here depends on it.
vi.setConfig({ testTimeout: 60_000 })

const PREFIX = 'SEALIFT_SIGNALING_'
const PAGE = readPage('operations.md')
const ROWS = rowsOf(PAGE).map(([name = '', value = '']) => [name.replaceAll('`', ''), value.replaceAll('`', '')] as const)

test('the limits of docs/operations.md are those of the server', () => {
  const listed = ROWS.filter(([name]) => /^[a-z][A-Za-z]+$/.test(name))
  expect(listed.length).toBeGreaterThan(8)
  const limits: Readonly<Record<string, number>> = SIGNALING_LIMITS
  expect(listed).toEqual(listed.map(([name]) => [name, String(limits[name])]))
})

test('the variables of docs/operations.md are read, each and no other', () => {
  const listed = ROWS.map(([name]) => name).filter((name) => name.startsWith(PREFIX))
  const read = new Set<string>()
  const env = new Proxy<Record<string, string>>(
    { [`${PREFIX}ORIGINS`]: 'https://portal.test', [`${PREFIX}KEYS`]: '', [`${PREFIX}ADMISSION`]: 'open' },
    {
      get(target, name) {
        if (typeof name !== 'string') return undefined
        read.add(name.replace(/LIMIT_\w+$/, 'LIMIT_<name>'))
        return target[name]
      },
    },
  )
  const options = signalingOptionsFromEnv(env)
  expect(listed.toSorted()).toEqual([...read].toSorted())
  const defaults = new Map(ROWS)
  expect([String(options.port), options.host, options.metrics]).toEqual(
    ['PORT', 'HOST', 'METRICS'].map((name) => defaults.get(PREFIX + name)),
  )
})

test('every metric that docs/operations.md names is rendered', () => {
  const counters = createCounters()
  const rendered = counters.render({ event_loop_utilization: 0, neighbours: 0 })
  const named = ROWS.map(([name]) => name).filter((name) => name.startsWith('sealift_signaling_'))
  expect(named.length).toBeGreaterThan(5)
  for (const name of named) expect(rendered).toContain(`# TYPE ${name} `)
})

const home = process.cwd()
afterEach(() => process.chdir(home))

const GATEWAY_PAGE = readPage('../gateway/README.md')
const LOG_LINE = { ms: 1_800_000_000, uri: '/catalogue.json', status: 200, bytes: 5, cache: 'HIT', seconds: 0.001 }

test.each([
  ['docs/operations.md', PAGE],
  ['gateway/README.md', GATEWAY_PAGE],
])('the commands of %s do what it says', async (_, page) => {
  const dir = await makeFolder({ 'dist/agent-1.2.3.tar.gz': bytesOf(100_000), 'access.log': `${JSON.stringify(LOG_LINE)}\n` })
  process.chdir(dir)
  const mirror = await startMirror(join(dir, 'site'))
  const ran = async (args: readonly string[]): Promise<void> => {
    const result = await runCli(args)
    if (result.exitCode !== 0) throw new Error(result.out + result.err)
  }
  await ran(['keygen', '.'])
  await ran(['publish', 'dist', '--out', 'site', '--repository', 'acme', '--key', 'signing-key.pem'])
  const trust = { catalogueSigners: [{ publicKey: await readFile('signing-key.pub', 'utf8') }] }
  const origins = [{ id: 'eu', url: mirror.url }]
  await writeFile('sealift.json', JSON.stringify({ schema: 1, repository: 'acme', origins, trust }))
  const lines = blocksOf(page)
    .filter(({ language, label }) => language === 'sh' && label === 'run')
    .flatMap(({ text }) => linesOf(text))
  expect(lines.length).toBeGreaterThan(2)
  for (const { words, exitCode } of lines) {
    const [program, ...args] = words
    expect(program).toBe('sealift')
    const result = await runCli(args)
    expect(result.exitCode, `${words.join(' ')}\n${result.out}${result.err}`).toBe(exitCode)
  }
})

test('every flag of `sealift gateway config` stands in gateway/README.md, and no other', async () => {
  const { out } = await runCli(['gateway', 'config', '--help'])
  const options = out.slice(out.indexOf('Options:'), out.indexOf('Example:'))
  const known = [...options.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag)
  const others = ['--help', '--config', '--systemd', '--out']
  const listed = rowsOf(GATEWAY_PAGE).flatMap(([cell = '']) => [...cell.matchAll(/--[a-z-]+/g)].map(([flag]) => flag))
  expect(listed.filter((flag) => flag !== '--help').toSorted()).toEqual(known.filter((flag) => !others.includes(flag)).toSorted())
})

test('every metric of the access log stands in gateway/README.md, and no other', async () => {
  const { out } = await runCli(['gateway', 'metrics', '-'], { in: Readable.from([Buffer.from(JSON.stringify(LOG_LINE))]) })
  const rendered = [...out.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
  const named = rowsOf(GATEWAY_PAGE)
    .map(([cell = '']) => cell.replaceAll('`', ''))
    .filter((cell) => cell.startsWith('sealift_gateway_'))
  expect(named.toSorted()).toEqual(rendered.toSorted())
})

test('docs/operations.md says what to do about each check that fails', () => {
  expect(ROWS.flatMap(([name]) => (name.endsWith(' fails') ? [name.replace(' fails', '')] : []))).toEqual([...PROBE_CHECKS])
})

test('the metrics of a probe that docs/operations.md names are rendered, each and no other', () => {
  const metrics = createProbeMetrics()
  metrics.add(soundRound(['ranges']))
  const rendered = [...(metrics.render() ?? '').matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
  const named = ROWS.map(([name]) => name).filter((name) => name.startsWith('sealift_probe_'))
  expect(named.toSorted()).toEqual(rendered.toSorted())
  for (const [name] of PAGE.matchAll(/sealift_probe_[a-z_]+/g)) expect(rendered).toContain(name)
})
