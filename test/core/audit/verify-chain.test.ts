import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChainCheck, type ChainFault } from '../../../src/core/audit/verify-chain.ts'
import type { AuditRecord } from '../../../src/core/audit/record.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { digestOf, utf8 } from '../manifest/samples.ts'
import { chainOf, checkChain } from './chain.ts'
import { sampleRecord } from './samples.ts'

const CLEAN = { faults: [], remarks: [] }
const digest = (line: string | undefined) => sha256Of(utf8(line ?? ''))
const kindsOf = (faults: readonly ChainFault[]) => faults.map(({ kind, line }) => [kind, line])
const refused = { kind: 'refused', failure: { code: 'signature-missing', subject: 'artifact' } } as const

describe('a chain', () => {
  const lines = chainOf({}, { outcome: { kind: 'cancelled' } }, {}, {})
  const [first = '', second = '', third = '', fourth = ''] = lines

  test('as a browser wrote it has nothing wrong', () => {
    expect(checkChain(lines)).toEqual(CLEAN)
    expect(checkChain([])).toEqual(CLEAN)
  })

  test.each<readonly [string, readonly string[], number]>([
    ['a record was altered', [first, second.replace('1.4.2', '1.4.3'), third, fourth], 3],
    ['a record was left out', [first, third, fourth], 2],
    ['two records changed places', [first, third, second, fourth], 2],
    ['a record stands there twice', [first, second, second, third, fourth], 3],
    ['a record of another browser was put in', [first, ...chainOf({ name: sampleRecord().name }), second, third, fourth], 2],
    ['a second chain begins', [first, second, ...chainOf({}, {})], 3],
    ['a blank was put into a line', [first, `${second} `, third, fourth], 3],
  ])('is broken when %s', (_what, broken, line) => {
    const { faults } = checkChain(broken)
    expect(faults[0]).toMatchObject({ kind: 'link-broken', line })
  })

  test('says what a broken link should name, and what it names', () => {
    expect(checkChain([first, third]).faults).toEqual([{ kind: 'link-broken', line: 2, expected: digest(first), actual: digest(second) }])
  })

  test('without its beginning is refused, unless the digest that it goes on from is given', () => {
    expect(checkChain([second, third]).faults).toEqual([{ kind: 'beginning-missing', line: 1, previous: digest(first) }])
    expect(checkChain([second, third], { after: digest(first) })).toEqual(CLEAN)
    expect(kindsOf(checkChain([second, third], { after: digest(third) }).faults)).toEqual([['link-broken', 1]])
    expect(kindsOf(checkChain([first, second], { after: digest(third) }).faults)).toEqual([['link-broken', 1]])
  })

  test('of any length breaks at whichever byte of it is changed, or its head does', () => {
    const head = digest(fourth)
    fc.assert(
      fc.property(fc.nat({ max: lines.length - 1 }), fc.nat(), fc.integer({ min: 0x20, max: 0x7e }), (which, place, code) => {
        const line = lines[which] ?? ''
        const at = place % line.length
        const changed = line.slice(0, at) + String.fromCodePoint(code) + line.slice(at + 1)
        fc.pre(changed !== line)
        return checkChain(lines.with(which, changed), { head }).faults.length > 0
      }),
      { numRuns: 300 },
    )
  })
})

describe('the head that was noted elsewhere', () => {
  const lines = chainOf({}, {}, {})
  const head = digest(lines.at(-1))

  test('is that of the newest record', () => {
    expect(checkChain(lines, { head })).toEqual(CLEAN)
  })

  test('shows a chain that was written anew from end to end, which nothing in it does', () => {
    const forged = chainOf({}, { version: '6.6.6' }, {})
    expect(checkChain(forged)).toEqual(CLEAN)
    expect(checkChain(forged, { head }).faults).toEqual([
      { kind: 'head-other', line: 3, expected: head, actual: digest(forged.at(-1)), foundInLine: undefined },
    ])
  })

  test('shows that the newest records were cut off', () => {
    expect(kindsOf(checkChain(lines.slice(0, 2), { head }).faults)).toEqual([['head-other', 2]])
    expect(checkChain([], { head }).faults).toEqual([
      { kind: 'head-other', line: 0, expected: head, actual: undefined, foundInLine: undefined },
    ])
  })

  test('is found further up when records were added since', () => {
    expect(checkChain(lines, { head: digest(lines[1]) }).faults).toMatchObject([{ kind: 'head-other', line: 3, foundInLine: 2 }])
  })
})

describe('a record', () => {
  test('of something served needs the verdict of at least one bundle', () => {
    const { artifact } = sampleRecord()
    const missing = [{ kind: 'verdict-missing', line: 1, sha256: artifact.sha256 }]
    expect(checkChain(chainOf({ verdicts: [] }, {})).faults).toEqual(missing)
    const failure = { code: 'signature-invalid', detail: 'x' } as const
    expect(checkChain(chainOf({ verdicts: [{ bundle: digestOf('b'), failure }] }, {})).faults).toEqual(missing)
    expect(checkChain(chainOf({ verdicts: [], outcome: { kind: 'cancelled' } })).faults).toEqual([])
  })

  test('of something refused keeps no piece of it', () => {
    const { artifact, sources } = sampleRecord()
    const emptied = sources.map((source) => ({ ...source, pieces: [], verifiedBytes: 0 }))
    expect(checkChain(chainOf({ outcome: refused, sources: emptied, verdicts: [] })).faults).toEqual([])
    expect(checkChain(chainOf({ outcome: refused, verdicts: [] })).faults).toEqual([
      { kind: 'refused-yet-kept', line: 1, sha256: artifact.sha256 },
    ])
  })

  test.each([
    ['not JSON', '{"schema":1', 'format-invalid'],
    ['without its policy', chainOf({})[0]?.replace(/"policySha256":"[^"]*"/, '"policySha256":null') ?? '', 'format-invalid'],
    ['that does not add up', chainOf({})[0]?.replace('"verifiedBytes":2097152', '"verifiedBytes":1') ?? '', 'format-invalid'],
    ['of a later format', chainOf({})[0]?.replace('"schema":1', '"schema":2') ?? '', 'format-unsupported'],
  ])('%s is named with its line, and the chain is followed past it', (_what, line, code) => {
    const next = chainOf({ previous: digest(line) })
    expect(checkChain([line, ...next]).faults).toMatchObject([{ kind: 'line-unreadable', line: 1, failure: { code } }])
  })

  test('that is larger than any may be is named, and the line after it is not blamed', () => {
    const [first = '', second = ''] = chainOf({}, {})
    const check = createChainCheck({})
    expect(check.add({ number: 1, bytes: undefined }).faults).toEqual([{ kind: 'line-oversized', line: 1 }])
    expect(check.add({ number: 2, bytes: utf8(second) }).faults).toEqual([])
    expect(check.add({ number: 3, bytes: utf8(first) }).faults).toMatchObject([{ kind: 'link-broken', line: 3 }])
    expect(check.end()).toMatchObject({ records: 2, head: digest(first), faults: [] })
  })
})

describe('what proves nothing is remarked on', () => {
  const at = (startedAtSeconds: number, endedAtSeconds: number): Partial<AuditRecord> => ({ startedAtSeconds, endedAtSeconds })

  test('a clock that went back by more than an hour', () => {
    const lines = chainOf(at(10_000, 10_010), at(9000, 9005), at(6000, 6005), at(10_020, 10_030))
    expect(checkChain(lines)).toEqual({ faults: [], remarks: [{ kind: 'clock-went-back', line: 3, seconds: 4005 }] })
  })

  test('a download that began before another and ended after it', () => {
    expect(checkChain(chainOf(at(50_000, 50_001), at(1000, 50_002)))).toEqual(CLEAN)
  })

  test('an end before the start', () => {
    expect(checkChain(chainOf(at(20, 10)))).toEqual({ faults: [], remarks: [{ kind: 'ends-before-start', line: 1, seconds: 10 }] })
  })

  test('members that this version does not write, which a reader could take for something', () => {
    const [line = ''] = chainOf({})
    expect(checkChain([line.replace('"schema":1', '"schema":1,"note":"all well"')])).toEqual({
      faults: [],
      remarks: [{ kind: 'form-other', line: 1 }],
    })
  })
})

test('the summary counts every outcome and names the head', () => {
  const lines = chainOf({}, {}, { outcome: { kind: 'cancelled' } }, { outcome: { ...refused, kind: 'failed' } })
  const check = createChainCheck({})
  for (const [at, line] of lines.entries()) check.add({ number: at + 1, bytes: utf8(line) })
  expect(check.end()).toEqual({
    records: 4,
    outcomes: { delivered: 2, refused: 0, failed: 1, cancelled: 1 },
    head: digest(lines.at(-1)),
    faults: [],
  })
  expect(createChainCheck({ head: digestOf('x') }).end().head).toBeUndefined()
})
