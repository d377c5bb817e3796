import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AuditRecord, SourceTally } from '../../src/core/audit/record.ts'
import type { Failure } from '../../src/core/errors.ts'
import { toArtifactName, toSourceId } from '../../src/core/model/ids.ts'
import { createAuditTally, type AuditReport } from '../../src/node/audit/audit-report.ts'
import { checkAuditFile } from '../../src/node/audit/check-audit-file.ts'
import { chainOf } from '../core/audit/chain.ts'
import { sampleRecord } from '../core/audit/samples.ts'
import { digestOf } from '../core/manifest/samples.ts'
import { never } from './publish-fixture.ts'

const MIB = 1024 * 1024
const LAST = 3_000_000 - 2 * MIB
let made = 0
/** Each with an id of its own. */
const record = (changes: Partial<AuditRecord> = {}): AuditRecord => sampleRecord({ id: `r${++made}`, ...changes })

function reportOf(...records: readonly AuditRecord[]): AuditReport {
  const tally = createAuditTally()
  for (const one of records) tally.add(one)
  return tally.report()
}

function tally(source: string, tier: SourceTally['tier'], changes: Partial<SourceTally> = {}): SourceTally {
  return { source: toSourceId(source), tier, pieces: [], verifiedBytes: 0, receivedBytes: 0, failures: [], ...changes }
}

const missing = (source: string): Failure => ({ code: 'source-missing', source: toSourceId(source) })
const exhausted: Failure = { code: 'sources-exhausted', missingPieces: 3, reasons: [] }
const failed = (changes: Partial<AuditRecord> = {}) => record({ outcome: { kind: 'failed', failure: exhausted }, sources: [], ...changes })

test('who served what is added up for each artifact and source, all peers as one', () => {
  const [artifact, ...others] = reportOf(record(), record()).artifacts
  expect(others).toEqual([])
  expect(artifact).toMatchObject({ name: 'edge-agent', version: '1.4.2', outcomes: { delivered: 2, refused: 0, failed: 0, cancelled: 0 } })
  expect(artifact?.sources).toMatchObject([
    { tier: 'cdn', source: 'eu', asked: 2, served: 2, pieces: 4, verifiedBytes: 4 * MIB, receivedBytes: 4 * MIB + 18 },
    { tier: 'mesh', source: undefined, asked: 2, served: 2, pieces: 2, verifiedBytes: 2 * LAST, receivedBytes: 2 * LAST },
  ])
  expect(artifact?.sources[0]?.failures).toMatchObject({ 'source-unreachable': 2, 'digest-mismatch': 2 })
})

test('peers of several names are one source, and versions are apart, the newest first', () => {
  const peers = [tally('peer:a', 'mesh', { receivedBytes: 1 }), tally('peer:b', 'mesh', { receivedBytes: 2 })]
  const { artifacts } = reportOf(failed({ sources: peers }), record({ version: '1.10.0' }), record({ name: toArtifactName('a-tool') }))
  expect(artifacts.map(({ name, version }) => [name, version])).toEqual([
    ['a-tool', '1.4.2'],
    ['edge-agent', '1.10.0'],
    ['edge-agent', '1.4.2'],
  ])
  expect(artifacts[2]?.sources).toMatchObject([{ tier: 'mesh', source: undefined, asked: 2, served: 0, receivedBytes: 3 }])
})

test('pieces of a download that did not end well belong to nobody, and its bytes were received all the same', () => {
  const [artifact] = reportOf(record({ outcome: { kind: 'cancelled' } })).artifacts
  expect(artifact?.sources).toMatchObject([{ pieces: 0, verifiedBytes: 0, receivedBytes: 2 * MIB + 9, served: 1 }, { receivedBytes: LAST }])
  expect(artifact?.durations).toBeUndefined()
})

test('a tier is hit when it gave a piece to a download that asked it', () => {
  const silent = [
    tally('eu', 'cdn', { failures: [exhausted] }),
    tally('lan', 'gateway', { receivedBytes: 3_000_000, verifiedBytes: 3_000_000, pieces: [{ start: 0, end: 3 }] }),
  ]
  const kept = [tally('eu', 'cdn', { verifiedBytes: 3_000_000, pieces: [{ start: 0, end: 3 }] })]
  const { tiers } = reportOf(record({ sources: silent }), record({ sources: kept }), record())
  expect(tiers).toEqual([
    { tier: 'cdn', asked: 2, served: 1, verifiedBytes: 3_000_000 + 2 * MIB, receivedBytes: 2 * MIB + 9 },
    { tier: 'gateway', asked: 1, served: 1, verifiedBytes: 3_000_000, receivedBytes: 3_000_000 },
    { tier: 'mesh', asked: 1, served: 1, verifiedBytes: LAST, receivedBytes: LAST },
  ])
})

describe('durations', () => {
  const lasting = (seconds: number, changes: Partial<AuditRecord> = {}) =>
    record({ startedAtSeconds: 100, endedAtSeconds: 100 + seconds, ...changes })

  test('are those of downloads for which bytes came, by the nearest rank', () => {
    const tenths = Array.from({ length: 20 }, (_, at) => lasting(at + 1))
    const kept = lasting(999, { sources: [tally('eu', 'cdn', { verifiedBytes: 3_000_000, pieces: [{ start: 0, end: 3 }] })] })
    const { artifacts } = reportOf(...tenths, kept, lasting(-5), failed({ startedAtSeconds: 0 }))
    expect(artifacts[0]?.durations).toEqual({ count: 20, p50Seconds: 10, p95Seconds: 19 })
  })

  test('of any number are some that were had, half of them no longer than the median', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 50 }), (all) => {
        const durations = reportOf(...all.map((seconds) => lasting(seconds))).artifacts[0]?.durations
        if (durations === undefined) return false
        const { p50Seconds, p95Seconds } = durations
        const within = (limit: number) => all.filter((seconds) => seconds <= limit).length / all.length
        return all.includes(p50Seconds) && all.includes(p95Seconds) && within(p50Seconds) >= 0.5 && within(p95Seconds) >= 0.95
      }),
    )
  })
})

describe('a miss', () => {
  test('is what was asked for and not had, with what it ended with', () => {
    const { misses } = reportOf(failed(), failed(), record({ version: '1.4.3' }))
    expect(misses).toEqual([
      {
        name: 'edge-agent',
        version: '1.4.2',
        sha256: digestOf('artifact'),
        sizeBytes: 3_000_000,
        failed: 2,
        failures: { 'sources-exhausted': 2 },
        missingAt: [],
        isDeliveredSince: false,
      },
    ])
  })

  test('is what a gateway said it does not have, though another place had it', () => {
    const sources = [
      ...sampleRecord().sources.slice(1),
      tally('eu', 'cdn', { pieces: [{ start: 0, end: 2 }], verifiedBytes: 2 * MIB, failures: [missing('eu'), missing('eu')] }),
    ]
    expect(reportOf(record({ sources })).misses).toMatchObject([{ failed: 0, missingAt: ['eu'], isDeliveredSince: true }])
    expect(reportOf(record({ sources: [tally('peer:a', 'mesh', { failures: [missing('peer:a')] })] })).misses).toEqual([])
  })

  test('is over when a later download has it, in whatever order the records come', () => {
    const [early, late] = [{ endedAtSeconds: 1_790_000_200 }, { endedAtSeconds: 1_790_000_300 }]
    expect(reportOf(record(late), failed(early)).misses).toMatchObject([{ isDeliveredSince: true }])
    expect(reportOf(failed(late), record(early)).misses).toMatchObject([{ isDeliveredSince: false }])
  })

  test('is neither a refusal nor a cancelled download', () => {
    const refused = record({ outcome: { kind: 'refused', failure: { code: 'signature-missing', subject: 'artifact' } }, sources: [] })
    const { misses, artifacts } = reportOf(refused, record({ outcome: { kind: 'cancelled' } }))
    expect(misses).toEqual([])
    expect(artifacts[0]?.failures).toEqual({ 'signature-missing': 1 })
  })
})

test('the same record in two exports counts once', () => {
  const one = record()
  expect(reportOf(one, one, record())).toMatchObject({ records: 2, repeated: 1, outcomes: { delivered: 2 } })
})

test('nothing adds up to nothing', () => {
  expect(reportOf()).toMatchObject({ records: 0, firstStartedAtSeconds: undefined, artifacts: [], misses: [] })
})

test('after the first fault of a file no record of it is handed out', async () => {
  const lines = chainOf({}, {}, {}, {})
  const broken = lines.with(1, (lines[1] ?? '').replace('1.4.2', '1.4.3'))
  const ids: string[] = []
  const input = Readable.from([Buffer.from(broken.join('\n'))])
  const { faultCount, summary } = await checkAuditFile({ file: '-', input }, ({ id }) => void ids.push(id), never)
  expect([faultCount, summary.records, ids]).toEqual([1, 4, ['record-1', 'record-2']])
})
