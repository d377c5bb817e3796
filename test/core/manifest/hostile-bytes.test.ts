import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeAuditRecord } from '../../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../../src/core/audit/parse-audit-record.ts'
import { encodeSiteConfig } from '../../../src/core/manifest/encode-site-config.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeCatalogue, parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeManifest, parseManifest, parsePieceList } from '../../../src/core/manifest/parse-manifest.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { sampleRecord } from '../audit/samples.ts'
import { failureFrom, memberPaths, withMember } from './outcome.ts'
import { sampleCatalogue, sampleConfig, sampleManifest, utf8 } from './samples.ts'

const PORTAL = 'https://portal.example/'
const payload = encodeCatalogue(sampleCatalogue())
const envelope = encodeCatalogueEnvelope({ payload, bundles: [utf8('{"mediaType":"a"}')] })

const documents: readonly [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
  ['catalogue', payload, parseCatalogue],
  ['catalogue envelope', envelope, parseCatalogueEnvelope],
  ['manifest', encodeManifest(sampleManifest()), parseManifest],
  ['site configuration', encodeSiteConfig(sampleConfig()), (bytes) => parseSiteConfig(bytes, PORTAL)],
  ['audit record', encodeAuditRecord(sampleRecord()), parseAuditRecord],
]

/** What stands where something else is expected. */
const junk = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    '',
    0,
    -1,
    0.5,
    1e300,
    -0,
    2 ** 53,
    'x'.repeat(3000),
    '__proto__',
    [],
    {},
    [[]],
    [null],
    '\u202E',
    '\uD800',
  ),
  fc.constantFrom<unknown>(
    'https://',
    'https://[',
    'https://a:b@c/',
    'http://%/',
    'https://xn--/',
    '//',
    'javascript:',
    'A===',
    { length: -1 },
    { toString: 1 },
  ),
  fc.jsonValue({ maxDepth: 2 }),
)

test.each(documents)('any bytes are a %s or a typed refusal, and nothing else happens', (_name, _good, parse) => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(utf8)), (bytes) => {
      failureFrom(() => parse(bytes))
    }),
    { numRuns: 300 },
  )
})

test.each(documents)('a %s with a few bytes changed is read or refused', (_name, good, parse) => {
  const change = fc.tuple(fc.nat(good.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(good.length), (changes, end) => {
      const bytes = good.slice()
      for (const [at, byte] of changes) bytes[at] = byte
      failureFrom(() => parse(bytes))
      failureFrom(() => parse(good.subarray(0, end)))
    }),
    { numRuns: 500 },
  )
})

test.each(documents)('a %s with any member replaced by anything is read or refused', (_name, good, parse) => {
  const paths = memberPaths(JSON.parse(new TextDecoder().decode(good)))
  fc.assert(
    fc.property(fc.constantFrom(...paths), junk, (path, value) => {
      failureFrom(() => parse(withMember(good, path, value)))
    }),
    { numRuns: 1500 },
  )
})

test.each(documents)('a %s ignores a member it does not know, at every place', (_name, good, parse) => {
  const paths = memberPaths(JSON.parse(new TextDecoder().decode(good))).filter((path) => !/\.\d+$/.test(path))
  const known = parse(good)
  for (const path of paths) {
    const parent = path.split('.').slice(0, -1)
    // Inside a bundle and a trusted root another parser decides.
    if (parent.includes('bundle') || parent.includes('trustedRoot')) continue
    expect([path, parse(withMember(good, [...parent, 'fromTheFuture'].join('.'), { a: [1] }))]).toEqual([path, known])
  }
})

test.each(documents)('a %s that needs what we do not know is refused as unsupported', (_name, good, parse) => {
  expect(failureFrom(() => parse(withMember(good, 'critical', ['fromTheFuture'])))).toMatchObject({ code: 'format-unsupported' })
})

test('any bytes are a piece list or a typed refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(10), (bytes, count) => {
      expect(failureFrom(() => parsePieceList(bytes, count)) === undefined).toBe(bytes.length === count * 32)
    }),
  )
})

test('deep and wide nesting is refused in time that grows with its length', () => {
  const deep = utf8(`${'{"a":'.repeat(100_000)}1`)
  const wide = utf8(`[${'[],'.repeat(400_000)}[]]`)
  for (const bytes of [deep, wide]) expect(failureFrom(() => parseCatalogue(bytes))).toMatchObject({ code: 'format-invalid', path: '$' })
})
