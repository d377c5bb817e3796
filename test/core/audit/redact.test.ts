import fc from 'fast-check'
import { expect, test } from 'vitest'
import { auditRecordDigest, encodeAuditRecord } from '../../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../../src/core/audit/parse-audit-record.ts'
import { redactAuditRecord, redactFailure, redactText } from '../../../src/core/audit/redact.ts'
import type { Failure } from '../../../src/core/errors.ts'
import { toSourceId } from '../../../src/core/model/ids.ts'
import { digestOf } from '../manifest/samples.ts'
import { sampleRecord } from './samples.ts'

test.each([
  ['https://user:secret@eu.example/a', 'https://eu.example/a'],
  ['https://secret@eu.example', 'https://eu.example'],
  ['https://a@b:secret@eu.example/x', 'https://eu.example/x'],
  ['GET https://eu.example/a?X-Amz-Signature=secret failed', 'GET https://eu.example/a failed'],
  ['https://eu.example/a#secret', 'https://eu.example/a'],
  ['"https://eu.example?secret"', '"https://eu.example"'],
  ['wss://u:secret@signal.example/ws, then turns://u:secret@turn.example', 'wss://signal.example/ws, then turns://turn.example'],
  ['https://ci.example/release.yml@refs/heads/main', 'https://ci.example/release.yml@refs/heads/main'],
  ['no URL? none at all #1', 'no URL? none at all #1'],
])('%s leaves the machine as %s', (text, redacted) => {
  expect(redactText(text)).toBe(redacted)
})

test('no credential, query or fragment of any URL is left', () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9]{12}$/)
  fc.assert(
    fc.property(fc.webUrl(), secret, fc.constantFrom('user', 'query', 'fragment'), (url, word, place) => {
      const [scheme, rest] = url.split('://')
      const text = place === 'user' ? `${scheme}://u:${word}@${rest}` : place === 'query' ? `${url}?k=${word}` : `${url}#${word}`
      fc.pre(!url.includes(word))
      expect(redactText(`see ${text} there`)).not.toContain(word)
    }),
  )
})

test('redacting twice changes nothing more', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '://', '@', '?', '#', '/', ' ', '"', 'http', ':', 'x'), maxLength: 30 })
  fc.assert(
    fc.property(text, (value) => {
      expect(redactText(redactText(value))).toBe(redactText(value))
    }),
    { numRuns: 2000 },
  )
})

const deep = (levels: number): Failure =>
  levels === 0
    ? { code: 'store-failed', detail: 'https://user:secret@eu.example/?token=secret' }
    : { code: 'sources-exhausted', missingPieces: Number.NaN, reasons: Array.from({ length: 40 }, () => deep(levels - 1)) }

test('secrets in the reasons of a failure are gone at every depth, and the reasons are counted', () => {
  const redacted = redactFailure(deep(2))
  expect(JSON.stringify(redacted)).not.toContain('secret')
  expect(redacted).toMatchObject({ missingPieces: 0, reasons: { length: 16 } })
  expect(redactFailure(deep(3))).toHaveProperty('reasons.0.reasons.0.reasons', [])
  expect(redactFailure(deep(3))).toHaveProperty('reasons.15.reasons.15')
})

test('a long text is cut', () => {
  expect(redactFailure({ code: 'peer-closed', detail: 'x'.repeat(5000) })).toMatchObject({ detail: 'x'.repeat(500) })
})

test('nothing of a site’s secrets is encoded, so the digest of a record does not depend on them', () => {
  const detail = 'https://user:secret@eu.example/?token=secret'
  const [first, ...others] = sampleRecord().sources
  if (first === undefined) throw new RangeError('expected a source')
  const source = toSourceId('https://user:secret@eu.example/?secret')
  const open = sampleRecord({
    outcome: { kind: 'failed', failure: { code: 'store-failed', detail } },
    catalogue: { ...sampleRecord().catalogue, source },
    sources: [{ ...first, source, failures: [{ code: 'source-protocol', source, detail }] }, ...others],
  })
  expect(new TextDecoder().decode(encodeAuditRecord(open))).not.toContain('secret')
  expect(auditRecordDigest(redactAuditRecord(open))).toBe(auditRecordDigest(open))
  expect(redactAuditRecord(redactAuditRecord(open))).toEqual(redactAuditRecord(open))
})

test('why a bundle was refused leaves the machine without secrets, and no more bundles than a record holds', () => {
  const failure = { code: 'bundle-invalid', detail: 'from https://user:secret@eu.example/?token=secret' } as const
  const record = sampleRecord({ verdicts: Array.from({ length: 300 }, () => ({ bundle: digestOf('b'), failure })) })
  const { verdicts } = parseAuditRecord(encodeAuditRecord(record))
  expect(verdicts).toHaveLength(64)
  expect(verdicts[0]).toEqual({ bundle: digestOf('b'), failure: { code: 'bundle-invalid', detail: 'from https://eu.example/' } })
})
