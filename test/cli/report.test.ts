import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { chainOf } from '../core/audit/chain.ts'
import { digestOf, utf8 } from '../core/manifest/samples.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { runCli } from './run-cli.ts'

const EXHAUSTED = { kind: 'failed', failure: { code: 'sources-exhausted', missingPieces: 3, reasons: [] } } as const
const LINES = chainOf({}, { outcome: EXHAUSTED, sources: [] }, { endedAtSeconds: 1_790_000_110 })

async function exported(lines: readonly string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'records.jsonl')
  await writeFile(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

test('a report says who served what, how often, how fast, and what could not be had', async () => {
  const result = await runCli(['report', await exported(LINES)])
  expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
  for (const words of [
    'records    3 in 1 files, 2026-09-21T14:15:00.000Z to 2026-09-21T14:15:10.000Z: 2 delivered, 0 refused, 1 failed, 0 cancelled',
    'cdn        4194304 bytes of delivered files (69.9 %), 4194322 received; served 2 of 2 downloads that asked (100.0 %)',
    'gateway    0 bytes of delivered files (0.0 %), 0 received; asked by none',
    `artifact   edge-agent 1.4.2 (SHA-256 ${digestOf('artifact')}): 2 delivered, 1 failed (sources-exhausted 1); p50 1.5 s, p95 10.0 s of 2 that were fetched`,
    '           peers: 2 pieces, 1805696 bytes, 1805696 received; served 2 of 2',
    `miss       edge-agent 1.4.2 (SHA-256 ${digestOf('artifact')}): 1 downloads failed (sources-exhausted 1); delivered since`,
  ])
    expect(result.out).toContain(words)
})

test('the same as one JSON object, of several files, with what stands in two of them counted once', async () => {
  const other = chainOf({ id: 'another' })
  const result = await runCli(['report', await exported(LINES), await exported(LINES.slice(0, 1)), await exported(other), '--json'])
  expect(result.exitCode).toBe(EXIT.ok)
  expect(result.json()).toMatchObject({
    ok: true,
    files: 3,
    records: 4,
    repeated: 1,
    tiers: [{ tier: 'cdn', hitRatio: 1 }, { tier: 'gateway', hitRatio: null, share: 0 }, { tier: 'mesh' }],
    misses: [{ failed: 1, failures: { 'sources-exhausted': 1 } }],
  })
})

test('of a broken chain nothing is added up', async () => {
  const broken = await exported(LINES.with(0, (LINES[0] ?? '').replace('1.4.2', '1.4.3')))
  const result = await runCli(['report', await exported(chainOf({})), broken])
  expect(result).toMatchObject({ exitCode: EXIT.refused, err: '' })
  expect(result.out).toMatch(/^line 2: names [0-9a-f]{64} as the one before it/)
  expect(result.out).toContain(`refused    ${broken}: 1 faults, so nothing was added up`)
  expect(result.out).not.toContain('delivered')
  expect((await runCli(['report', broken, '--json'])).json()).toMatchObject({ ok: false, exitCode: 3, file: broken, faults: [{ line: 2 }] })
})

test('a file that is not the whole chain goes on from the digest that was noted, and is held to its head', async () => {
  const [first, head] = [LINES[0], LINES[2]].map((line) => sha256Of(utf8(line ?? '')))
  const rest = () => ({ in: Readable.from([Buffer.from(LINES.slice(1).join('\n'))]) })
  expect(await runCli(['report', '-'], rest())).toMatchObject({ exitCode: EXIT.refused, out: expect.stringContaining(`--after ${first}`) })
  const args = ['report', '-', '--after', first ?? '', '--head', head ?? '']
  expect(await runCli(args, rest())).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('records    2 in 1 files') })
  expect(await runCli([...args.slice(0, -1), first ?? ''], rest())).toMatchObject({ exitCode: EXIT.refused })
})

test.each([
  ['of a file that is not there', ['/nonexistent']],
  ['of an empty file', ['/dev/null']],
  ['of two files with one head', ['a', 'b', '--head', digestOf('head')]],
])('a report %s ends with 2', async (_, args) => {
  expect(await runCli(['report', ...args])).toMatchObject({ exitCode: EXIT.usage, out: '' })
})

test('a record with times that no calendar has is told as it is', async () => {
  const result = await runCli(['report', await exported(chainOf({ startedAtSeconds: 0, endedAtSeconds: 1e300 }))])
  expect(result).toMatchObject({ exitCode: EXIT.ok, out: expect.stringContaining('1970-01-01T00:00:00.000Z to 1e+300 s') })
})

test('an interrupted report ends with 130', async () => {
  const stop = new AbortController()
  const endless = new Readable({ read: () => stop.abort(new Error('interrupted')) })
  expect(await runCli(['report', '-'], { in: endless, signal: stop.signal })).toMatchObject({ exitCode: EXIT.interrupted, out: '' })
})
