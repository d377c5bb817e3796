import { expect, test } from 'vitest'
import { auditRecordDigest, encodeAuditRecord } from '../../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../../src/core/audit/parse-audit-record.ts'
import { HANDLING } from '../../../src/core/errors.ts'
import { failureFrom, withMember } from '../manifest/outcome.ts'
import { digestOf } from '../manifest/samples.ts'
import { failures, sampleRecord, verdict } from './samples.ts'

const good = encodeAuditRecord(sampleRecord())

test('a record survives its encoding', () => {
  expect(parseAuditRecord(good)).toEqual(sampleRecord())
})

test.each(failures.map((failure) => [failure.code, failure] as const))('a record keeps why a delivery ended with %s', (_code, failure) => {
  const record = sampleRecord({ outcome: { kind: 'failed', failure } })
  expect(parseAuditRecord(encodeAuditRecord(record))).toEqual(record)
})

test('a key signer and a delivery without a predecessor are kept too', () => {
  const signer = { kind: 'key', publicKeyPem: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' } as const
  const record = sampleRecord({
    verdicts: [
      {
        bundle: digestOf('bundle'),
        verdict: { ...verdict, signer, form: 'message', predicateType: undefined, provenance: undefined, signedAtSeconds: undefined },
      },
    ],
    previous: undefined,
    outcome: { kind: 'cancelled' },
    sources: [],
  })
  expect(parseAuditRecord(encodeAuditRecord(record))).toEqual(record)
})

test('equal records have equal bytes, in whatever order their members were written', () => {
  const { schema, id, ...rest } = sampleRecord()
  const [first, ...others] = rest.sources
  const turned =
    first === undefined ? [] : [Object.assign({ failures: first.failures, receivedBytes: first.receivedBytes }, first), ...others]
  expect(encodeAuditRecord({ ...rest, sources: turned, id, schema })).toEqual(good)
  expect(auditRecordDigest({ ...rest, id, schema })).toBe(auditRecordDigest(sampleRecord()))
})

test.each([
  ['a piece under two sources', 'sources.1.pieces.0.start', 1, 'sources'],
  ['a piece that does not exist', 'sources.1.pieces.0.end', 4, 'sources'],
  ['a piece without a source', 'sources.0.pieces', [{ start: 0, end: 1 }], 'sources'],
  ['bytes that are not those of the pieces', 'sources.0.verifiedBytes', 1, 'sources'],
  ['a source named twice', 'sources.1.source', 'eu', 'sources'],
  ['a source without a name', 'sources.1.source', '', 'sources[1].source'],
  ['an empty range', 'sources.0.pieces.0.end', 0, 'sources[0].pieces[0].end'],
  ['a count that size and length do not give', 'artifact.pieces', 4, 'artifact.pieces'],
  ['a negative size', 'artifact.sizeBytes', -1, 'artifact.sizeBytes'],
  ['a negative count', 'artifact.pieces', -1, 'artifact.pieces'],
  ['a catalogue of version zero', 'catalogue.version', 0, 'catalogue.version'],
  ['negative verified bytes', 'sources.1.verifiedBytes', -1, 'sources[1].verifiedBytes'],
  ['negative received bytes', 'sources.1.receivedBytes', -1, 'sources[1].receivedBytes'],
  ['a range that starts below zero', 'sources.0.pieces.0.start', -1, 'sources[0].pieces[0].start'],
  ['an unknown outcome', 'outcome.kind', 'lost', 'outcome.kind'],
  ['a failure without a code', 'sources.0.failures.0.code', undefined, 'sources[0].failures[0].code'],
  ['a failure of a code that there is not', 'sources.0.failures.0.code', 'toString', 'sources[0].failures[0].code'],
  ['a failure without its members', 'sources.0.failures.0.phase', undefined, 'sources[0].failures[0].phase'],
  ['a signer of another kind', 'verdicts.0.verdict.signer.kind', 'gpg', 'verdicts[0].verdict.signer.kind'],
  ['a freshness that there is not', 'catalogue.freshness', 'old', 'catalogue.freshness'],
])('refuses a record with %s', (_what, path, value, place) => {
  expect(failureFrom(() => parseAuditRecord(withMember(good, path, value)))).toMatchObject({
    code: 'format-invalid',
    document: 'audit-record',
    path: place,
  })
})

test('a record says delivered only when every piece has a source', () => {
  const short = withMember(withMember(good, 'sources.0.pieces', [{ start: 1, end: 2 }]), 'sources.0.verifiedBytes', 1024 * 1024)
  expect(failureFrom(() => parseAuditRecord(short))).toMatchObject({ path: 'sources', detail: 'a delivered piece has no source' })
  expect(parseAuditRecord(withMember(short, 'outcome', { kind: 'cancelled' })).sources).toHaveLength(2)
})

test('a delivery that was cut short may leave pieces out, but counts none twice', () => {
  const cut = withMember(withMember(good, 'outcome', { kind: 'cancelled' }), 'sources.0.pieces', [{ start: 1, end: 2 }])
  expect(parseAuditRecord(withMember(cut, 'sources.0.verifiedBytes', 1024 * 1024)).sources).toHaveLength(2)
  expect(
    failureFrom(() => parseAuditRecord(withMember(withMember(good, 'outcome', { kind: 'cancelled' }), 'sources.1.pieces.0.start', 0))),
  ).toMatchObject({
    path: 'sources',
  })
})

test('every failure code has a reader: a record of any failure is never refused for its code', () => {
  for (const code of Object.keys(HANDLING)) {
    const bytes = withMember(good, 'sources.0.failures.0', { code })
    const found = failureFrom(() => parseAuditRecord(bytes))
    if (found?.code === 'format-invalid') expect(found.path).not.toBe('sources[0].failures[0].code')
  }
})
