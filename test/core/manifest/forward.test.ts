import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { encodeAuditRecord } from '../../../src/core/audit/encode-audit-record.ts'
import { parseAuditRecord } from '../../../src/core/audit/parse-audit-record.ts'
import { failureOf } from '../../../src/core/errors.ts'
import { encodeSiteConfig } from '../../../src/core/manifest/encode-site-config.ts'
import { encodeCatalogue, parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeManifest, parseManifest } from '../../../src/core/manifest/parse-manifest.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { sampleRecord } from '../audit/samples.ts'
import { sampleCatalogue, sampleConfig, sampleManifest, utf8 } from './samples.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=20000 npx vitest run test/core/manifest/forward.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 300)

vi.setConfig({ testTimeout: Math.max(30_000, RUNS * 50) })

const provenance = {
  required: true,
  predicateTypes: ['https://slsa.dev/provenance/v1'],
  builderId: { workflow: 'w', refs: 'tags' },
  buildType: 'b',
} as const

/** Every document that is published or kept, and how it is read. */
const DOCUMENTS: readonly (readonly [string, Uint8Array, (bytes: Uint8Array) => unknown])[] = [
  ['catalogue', encodeCatalogue(sampleCatalogue()), parseCatalogue],
  [
    'envelope of the catalogue',
    encodeCatalogueEnvelope({ payload: utf8('{}'), bundles: [utf8('{"mediaType":"m"}')] }),
    parseCatalogueEnvelope,
  ],
  ['manifest with its pieces', encodeManifest(sampleManifest()), parseManifest],
  [
    'manifest with a list of pieces',
    encodeManifest(
      sampleManifest({
        pieces: { kind: 'listed', lengthBytes: 65_536, count: 46, list: { sha256: sampleManifest().sha256, sizeBytes: 46 * 32 } },
      }),
    ),
    parseManifest,
  ],
  [
    'site configuration with its trust section',
    encodeSiteConfig(
      sampleConfig({ trust: { ...sampleConfig().trust, provenance: { ...provenance, source: { uri: 'u', ref: 'r', digest: 'd' } } } }),
    ),
    (bytes) => parseSiteConfig(bytes, 'https://portal.example/'),
  ],
  ['audit record', encodeAuditRecord(sampleRecord()), parseAuditRecord],
]

/** What others define, and we pass on or hand to their reader as it is. */
const FOREIGN: ReadonlySet<string> = new Set(['trustedRoot', 'bundle'])

type Json = Readonly<Record<string, unknown>> | readonly unknown[]

/** Every object of a document that is ours, the document itself first. */
function objectsIn(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.entries(value)
    .filter(([key]) => !FOREIGN.has(key))
    .flatMap(([key, member]) => objectsIn(member, [...path, key]))
  return Array.isArray(value) ? inner : [path, ...inner]
}

function withMembers(value: unknown, [key, ...rest]: readonly string[], members: Readonly<Record<string, unknown>>): unknown {
  if (key === undefined) return { ...(value as object), ...members }
  if (Array.isArray(value)) return value.map((item, i) => (String(i) === key ? withMembers(item, rest, members) : item))
  return { ...(value as object), [key]: withMembers((value as Record<string, unknown>)[key], rest, members) }
}

const unknownMember = fc.tuple(fc.stringMatching(/^x[A-Za-z0-9_]{1,20}$/), fc.jsonValue({ maxDepth: 3 }))

describe.each(DOCUMENTS)('a %s of a later version', (_name, bytes, parse) => {
  const document: Json = JSON.parse(new TextDecoder().decode(bytes))
  const place = fc.constantFrom(...objectsIn(document))
  const changed = (path: readonly string[], members: Readonly<Record<string, unknown>>) =>
    utf8(JSON.stringify(withMembers(document, path, members)))

  test('says the same as without the members that nobody knows, wherever they stand', () => {
    const truth = parse(bytes)
    fc.assert(
      fc.property(place, unknownMember, (path, [name, value]) => {
        expect(parse(changed(path, { [name]: value }))).toEqual(truth)
      }),
      { numRuns: RUNS },
    )
  })

  test('is refused, wherever it names a member as critical that nobody knows', () => {
    fc.assert(
      fc.property(place, unknownMember, fc.boolean(), (path, [name, value], isThere) => {
        const members = isThere ? { [name]: value, critical: [name] } : { critical: [name] }
        expect(codeOf(() => parse(changed(path, members)))).toBe('format-unsupported')
      }),
      { numRuns: RUNS },
    )
  })
})

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (error) {
    return failureOf(error)?.code ?? String(error)
  }
  return undefined
}
