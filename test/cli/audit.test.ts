import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { chainOf } from '../core/audit/chain.ts'
import { digestOf, utf8 } from '../core/manifest/samples.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { runCli } from './run-cli.ts'

const LINES = chainOf({}, { outcome: { kind: 'cancelled' } }, {})
const HEAD = sha256Of(utf8(LINES[2] ?? ''))

async function exported(lines: readonly string[]): Promise<string> {
  const path = join(await temporaryFolder(), 'records.jsonl')
  await writeFile(path, lines.map((line) => `${line}\n`).join(''))
  return path
}

describe('sealift audit verify', () => {
  test('of an unbroken chain ends with 0, tells the head, and says aloud what it does not prove', async () => {
    const { exitCode, out, err } = await runCli(['audit', 'verify', await exported(LINES)])
    expect([exitCode, err]).toEqual([EXIT.ok, ''])
    expect(out).toContain('0 faults in 3 records (2 delivered, 0 refused, 0 failed, 1 cancelled)')
    expect(out).toContain(`head       ${HEAD}`)
    expect(out).toContain('anchor     none: whoever can rewrite the whole file can compute all of this anew.')
  })

  test('with the head that was noted says so instead', async () => {
    const { exitCode, out } = await runCli(['audit', 'verify', await exported(LINES), '--head', HEAD.toUpperCase()])
    expect(exitCode).toBe(EXIT.ok)
    expect(out).toContain('anchor     the newest record is the one that was noted')
    expect(out).not.toContain('rewrite')
  })

  test('of a record that was altered ends with 3, and names the line and what to do', async () => {
    const file = await exported(LINES.with(0, (LINES[0] ?? '').replace('1.4.2', '1.4.3')))
    const { exitCode, out } = await runCli(['audit', 'verify', file])
    expect(exitCode).toBe(EXIT.refused)
    expect(out).toMatch(/^line 2: names [0-9a-f]{64} as the one before it, which is [0-9a-f]{64}\n {2}A record was altered/)
    expect(out).toContain('refused    ')
    expect(out).not.toContain('verified')
  })

  test('of a chain that was written anew ends with 0 without a head and with 3 with one', async () => {
    const forged = await exported(chainOf({ version: '6.6.6' }))
    expect((await runCli(['audit', 'verify', forged])).exitCode).toBe(EXIT.ok)
    const { exitCode, out } = await runCli(['audit', 'verify', forged, '--head', HEAD])
    expect(exitCode).toBe(EXIT.refused)
    expect(out).toContain('which is nowhere in this file')
  })

  test('tells how to check a file that has grown since its head was noted, and both commands do', async () => {
    const first = sha256Of(utf8(LINES[0] ?? ''))
    const { exitCode, out } = await runCli(['audit', 'verify', await exported(LINES), '--head', first])
    expect(exitCode).toBe(EXIT.refused)
    expect(out).toContain(`| sealift audit verify - --head ${first}; tail -n +2 `)
    expect(out).toContain(`| sealift audit verify - --after ${first}`)
    const piped = (lines: readonly string[]) => ({ in: Readable.from([Buffer.from(lines.join('\n'))]) })
    const upTo = await runCli(['audit', 'verify', '-', '--head', first], piped(LINES.slice(0, 1)))
    const from = await runCli(['audit', 'verify', '-', '--after', first, '--head', HEAD], piped(LINES.slice(1)))
    expect([upTo.exitCode, from.exitCode]).toEqual([EXIT.ok, EXIT.ok])
  })

  test('of served bytes without a verdict ends with 3', async () => {
    const { exitCode, out } = await runCli(['audit', 'verify', await exported(chainOf({ verdicts: [] }))])
    expect(exitCode).toBe(EXIT.refused)
    expect(out).toContain(`line 1: ${digestOf('artifact')} was delivered, and no signature says that it may be`)
  })

  test('tells of a clock that went back, and does not refuse for it', async () => {
    const lines = chainOf({ endedAtSeconds: 1_790_100_000 }, {})
    const { exitCode, out } = await runCli(['audit', 'verify', await exported(lines)])
    expect(exitCode).toBe(EXIT.ok)
    expect(out).toContain('line 2: remark: ended 99899 s before an earlier record did')
  })

  test('for a script gives one object, faults with their lines in it', async () => {
    const good = await runCli(['audit', 'verify', await exported(LINES), '--json', '--head', HEAD])
    expect(good.json()).toMatchObject({ ok: true, records: 3, head: HEAD, isAnchored: true, faultCount: 0, faults: [], remarks: [] })
    const bad = await runCli(['audit', 'verify', await exported(LINES.slice(1)), '--json'])
    expect(bad.exitCode).toBe(EXIT.refused)
    const previous = sha256Of(utf8(LINES[0] ?? ''))
    expect(bad.json()).toMatchObject({
      ok: false,
      exitCode: EXIT.refused,
      isAnchored: false,
      faultCount: 1,
      faults: [{ kind: 'beginning-missing', line: 1, previous, nextStep: expect.stringContaining(`--after ${previous}`) as unknown }],
    })
  })

  test('of a file in which nothing is right tells the first hundred faults, and how many more', async () => {
    const lines = [...LINES, ...Array.from({ length: 150 }, () => '{}')]
    const { exitCode, out } = await runCli(['audit', 'verify', await exported(lines)])
    expect(exitCode).toBe(EXIT.refused)
    expect(out.match(/^line /gm)).toHaveLength(100)
    expect(out).toContain('and 50 more faults')
    expect(out).toContain('150 faults in 3 records')
  })

  test.each([
    ['is not there', undefined, 'there is no such file'],
    ['holds no line', '', 'holds no audit record'],
    ['is something else', '{"schema":1}\n{"schema":1}\n', 'holds no audit record'],
  ])('of a file that %s ends with 2', async (_what, text, detail) => {
    const path = join(await temporaryFolder(), 'records.jsonl')
    if (text !== undefined) await writeFile(path, text)
    const { exitCode, out, err } = await runCli(['audit', 'verify', path])
    expect([exitCode, out]).toEqual([EXIT.usage, ''])
    expect(err).toContain(detail)
  })

  test('of a file that was emptied ends with 3 when a head says what should be in it', async () => {
    expect((await runCli(['audit', 'verify', await exported([]), '--head', HEAD])).exitCode).toBe(EXIT.refused)
  })

  test('without a digest where one belongs, or without a file, ends with 2', async () => {
    for (const args of [['records.jsonl', '--head', 'abc'], []])
      expect(await runCli(['audit', 'verify', ...args])).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect((await runCli(['audit'])).exitCode).toBe(EXIT.usage)
  })

  test('stops when the user interrupts it while it waits for input', async () => {
    const stop = new AbortController()
    const waiting = runCli(['audit', 'verify', '-'], { in: new Readable({ read: () => undefined }), signal: stop.signal })
    stop.abort(new Error('interrupted'))
    expect(await waiting).toMatchObject({ exitCode: EXIT.interrupted, err: 'sealift: interrupted\n' })
  })
})
