import { writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { tellFault, tellRemark } from '../../src/cli/audit-words.ts'
import { auditRecordDigest, encodeAuditRecord } from '../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../src/core/audit/parse-audit-record.ts'
import type { AuditRecord } from '../../src/core/audit/record.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { runCli } from '../cli/run-cli.ts'
import { digestOf, utf8 } from '../core/manifest/samples.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { blocksOf, readPage, rowsOf } from './page.ts'
import { linesOf } from './shell.ts'

const PAGE = readPage('audit-record.md')
const BLOCKS = blocksOf(PAGE)

const home = process.cwd()
afterEach(() => process.chdir(home))

/** So many records of one browser; the first is the one that the page shows. */
function recordsOf(count: number, change: Partial<AuditRecord> = {}): readonly AuditRecord[] {
  const shown = parseAuditRecord(utf8(BLOCKS.find(({ label }) => label === 'audit-record')?.text ?? ''))
  const records: AuditRecord[] = []
  for (let at = 0; at < count; at++) {
    const before = records.at(-1)
    const made = before === undefined ? {} : { id: `record-${at + 1}`, previous: auditRecordDigest(before) }
    records.push({ ...shown, ...change, ...made })
  }
  return records
}

function writtenOf(records: readonly AuditRecord[]): readonly string[] {
  return records.map((record) => Buffer.from(encodeAuditRecord(record)).toString())
}

/** What stands before the command in a line of the page: the first or last lines of a file. */
function cut(words: readonly string[], files: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const [program, flag, count = '', file = ''] = words
  const lines = files.get(file) ?? []
  expect(flag).toBe('-n')
  if (program === 'head') return lines.slice(0, Number(count))
  expect([program, count[0]]).toEqual(['tail', '+'])
  return lines.slice(Number(count) - 1)
}

test('the commands of docs/audit-record.md do what it says', async () => {
  process.chdir(await temporaryFolder())
  const [first, second, third, fourth] = writtenOf(recordsOf(4)) as [string, string, string, string]
  const files = new Map<string, readonly string[]>([
    ['monday.jsonl', [first, second]],
    ['friday.jsonl', [first, second, third, fourth]],
    ['altered.jsonl', [first.replace('"1.0.0"', '"1.0.1"'), second]],
    ['forged.jsonl', writtenOf(recordsOf(2, { version: '6.6.6' }))],
  ])
  for (const [name, records] of files) await writeFile(name, records.map((line) => `${line}\n`).join(''))
  const heads = new Map<string, string>([
    ['MONDAY', sha256Of(utf8(second))],
    ['FRIDAY', sha256Of(utf8(fourth))],
  ])
  const lines = BLOCKS.filter(({ language, label }) => language === 'sh' && label === 'run').flatMap(({ text }) => linesOf(text))
  expect(lines.length).toBeGreaterThan(6)
  for (const { words, exitCode } of lines) {
    const pipe = words.indexOf('|')
    const input = pipe < 0 ? [] : cut(words.slice(0, pipe), files)
    const [program, ...args] = words.slice(pipe + 1).map((word) => heads.get(word) ?? word)
    expect(program).toBe('sealift')
    const result = await runCli(args, { in: Readable.from(input.map((one) => Buffer.from(`${one}\n`))) })
    const command = words.join(' ')
    expect(result.exitCode, `${command}\n${result.out}${result.err}`).toBe(exitCode)
    if (command === 'sealift audit verify monday.jsonl') expect(PAGE).toContain(result.out.replaceAll(/^(?=.)/gm, '    '))
  }
})

test('what docs/audit-record.md says of each finding is what the command says', () => {
  const sha256 = digestOf('a')
  const failure = { code: 'signature-missing', subject: 'artifact' } as const
  const told = [
    tellFault({ kind: 'line-unreadable', line: 1, failure }, 'x'),
    tellFault({ kind: 'beginning-missing', line: 1, previous: sha256 }, 'x'),
    tellFault({ kind: 'link-broken', line: 1, expected: sha256, actual: sha256 }, 'x'),
    tellFault({ kind: 'verdict-missing', line: 1, sha256 }, 'x'),
    tellFault({ kind: 'refused-yet-kept', line: 1, sha256 }, 'x'),
    tellFault({ kind: 'head-other', line: 1, expected: sha256, actual: sha256, foundInLine: undefined }, 'x'),
    tellFault({ kind: 'head-other', line: 1, expected: sha256, actual: sha256, foundInLine: 1 }, 'x'),
  ].map(({ message }) => message.replaceAll(sha256, '…'))
  const remarks = [tellRemark({ kind: 'form-other', line: 1 })].map((remark) => `remark: ${remark}`)
  const listed = rowsOf(PAGE).filter(([, , exit = '']) => /^\d$/.test(exit))
  expect(listed).toHaveLength(told.length + remarks.length + 1)
  for (const [words = '', , exit] of listed) {
    if (exit === '2') continue
    const pattern = words.replaceAll('`', '').replace(/^remark: …$/, 'remark: ')
    expect(
      [...told, ...remarks].some((text) => text.includes(pattern)),
      words,
    ).toBe(true)
  }
})
