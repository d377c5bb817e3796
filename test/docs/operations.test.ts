import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

test('the commands of docs/operations.md do what it says', async () => {
  const dir = await makeFolder({ 'dist/agent-1.2.3.tar.gz': bytesOf(100_000) })
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
  const lines = blocksOf(PAGE)
    .filter(({ language, label }) => language === 'sh' && label === 'run')
    .flatMap(({ text }) => linesOf(text))
  expect(lines.length).toBeGreaterThan(3)
  for (const { words, exitCode } of lines) {
    const [program, ...args] = words
    expect(program).toBe('sealift')
    const result = await runCli(args)
    expect(result.exitCode, `${words.join(' ')}\n${result.out}${result.err}`).toBe(exitCode)
  }
})

test('docs/operations.md says what to do about each check that fails', () => {
  expect(ROWS.flatMap(([name]) => (name.endsWith(' fails') ? [name.replace(' fails', '')] : []))).toEqual([...PROBE_CHECKS])
})

test('the metrics of a probe that docs/operations.md names are rendered, each and no other', () => {
  const metrics = createProbeMetrics()
  const origin = {
    id: 'eu',
    tier: 'cdn',
    url: 'https://cdn.example/',
    isUp: true,
    firstByteMs: 12,
    piecesChecked: 1,
    piecesRotten: 0,
  } as const
  metrics.add({
    ok: true,
    atSeconds: 1,
    catalogue: undefined,
    origins: [{ ...origin, catalogueVersion: 1, catalogueExpiresInSeconds: 1 }],
    rows: [{ origin: 'eu', check: 'ranges', ok: true, detail: '', ms: 1 }],
  })
  const rendered = [...(metrics.render() ?? '').matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
  const named = ROWS.map(([name]) => name).filter((name) => name.startsWith('sealift_probe_'))
  expect(named.toSorted()).toEqual(rendered.toSorted())
  for (const [name] of PAGE.matchAll(/sealift_probe_[a-z_]+/g)) expect(rendered).toContain(name)
})
