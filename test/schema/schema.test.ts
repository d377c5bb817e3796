import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { encodeSiteConfig } from '../../src/core/manifest/encode-site-config.ts'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import { CERTIFICATE_EXTENSIONS } from '../../src/core/verify/identity-policy.ts'
import { parsePublishSettings } from '../../src/node/publish/publish-settings.ts'
import { siteConfig } from '../core/manifest/arbitraries.ts'
import { failureFrom, memberPaths, withMember } from '../core/manifest/outcome.ts'
import { utf8 } from '../core/manifest/samples.ts'
import { blocksOf, readPage } from '../docs/page.ts'
import { complaintsOf } from './check-schema.ts'

const readSchema = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../schema/${name}`, import.meta.url), 'utf8'))

interface Document {
  readonly schema: unknown
  /** Whether our own parser takes it. */
  readonly isAccepted: (bytes: Uint8Array) => boolean
  readonly fixtures: readonly string[]
  /** What the parser refuses and no schema can say: how many signers there are in another list. */
  readonly unsayable: readonly string[]
}

const SITE: Document = {
  schema: readSchema('sealift.schema.json'),
  isAccepted: (bytes) => failureFrom(() => parseSiteConfig(bytes, 'https://portal.example/sealift.json')) === undefined,
  fixtures: blocksOf(readPage('site-config.md')).flatMap(({ label, text }) => (/^site-config (?!refused)/.test(label) ? [text] : [])),
  unsayable: [
    'trust.artifactSigners = undefined',
    'trust.minSigners.catalogue = 17',
    'trust.minSigners.artifacts = 17',
    'trust.updates.minSigners = 17',
  ],
}

const PUBLISH: Document = {
  schema: readSchema('sealift.publish.schema.json'),
  isAccepted: (bytes) => failureFrom(() => parsePublishSettings(bytes, 'sealift.publish.json')) === undefined,
  fixtures: blocksOf(readPage('publishing.md')).flatMap(({ label, text }) => (label.endsWith('sealift.publish.json') ? [text] : [])),
  unsayable: [],
}

const parse = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes))
const isValid = ({ schema }: Document, value: unknown): boolean => complaintsOf(schema, value).length === 0

const LONG = 'x'.repeat(LIMITS.textCharacters + 1)
/** What each member is set to in turn; undefined takes it out. Not null: the parsers take it for absent, and the schemas for a mistake. */
const WRONG: readonly unknown[] = [
  undefined,
  '',
  'x',
  'x/',
  'https://a.example/b/',
  'https://a:b@a.example/',
  'https://a.example/?q/',
  'https://a.example/#f/',
  'ftp://a.example/',
  ' ftp://a.example/',
  '//a.example/',
  '//a:b@a.example/',
  '///a:b@a.example/',
  '/\\a:b@a.example/',
  'ht\ntps://a:b@a.example/',
  LONG,
  -1,
  0,
  1,
  1.5,
  17,
  33,
  101,
  131_071,
  131_072,
  2 ** 30 + 1,
  2 ** 53,
  true,
  [],
  ['x'],
  Array.from({ length: 65 }, () => 'x'),
  {},
  { identity: 'a' },
  { publicKey: 'pem' },
  { publicKey: 'pem', requireLog: true },
  { publicKey: 'pem', identity: 'a', issuer: 'b' },
]

interface Verdict {
  readonly what: string
  readonly isAccepted: boolean
  readonly isValid: boolean
}

function mutate(document: Document, text: string): readonly Verdict[] {
  const bytes = utf8(text)
  return memberPaths(parse(bytes)).flatMap((path) =>
    WRONG.map((value) => {
      const changed = withMember(bytes, path, value)
      // A list with a hole in place of an item is no JSON.
      const copy = utf8(JSON.stringify(parse(changed)))
      const what = `${path} = ${JSON.stringify(value)?.slice(0, 60)}`
      return { what, isAccepted: document.isAccepted(copy), isValid: isValid(document, parse(copy)) }
    }),
  )
}

describe.each([
  ['sealift.schema.json', SITE],
  ['sealift.publish.schema.json', PUBLISH],
])('%s', (_name, document) => {
  test('takes what the documentation shows', () => {
    expect(document.fixtures.length).toBeGreaterThan(0)
    for (const text of document.fixtures) expect(complaintsOf(document.schema, JSON.parse(text))).toEqual([])
  })

  test('is of one mind with the parser about every member, set to what it should not be', () => {
    const verdicts = document.fixtures.flatMap((text) => mutate(document, text))
    expect(verdicts.length).toBeGreaterThan(200)
    expect(verdicts.filter((one) => one.isAccepted && !one.isValid).map(({ what }) => what)).toEqual([])
    expect(verdicts.filter((one) => !one.isAccepted && one.isValid).map(({ what }) => what)).toEqual(document.unsayable)
  })

  test('lets an editor be told of it, by $schema in the document', () => {
    const [text = ''] = document.fixtures
    const told = { $schema: './node_modules/sealift/schema/x.json', ...JSON.parse(text) }
    expect(document.isAccepted(utf8(JSON.stringify(told)))).toBe(true)
    expect(complaintsOf(document.schema, told)).toEqual([])
  })
})

test('sealift.schema.json takes whatever the encoder writes', () => {
  fc.assert(
    fc.property(siteConfig, (config) => {
      expect(complaintsOf(SITE.schema, parse(encodeSiteConfig(config)))).toEqual([])
    }),
  )
})

test('sealift.schema.json knows every extension of a certificate, and no other', () => {
  const signer = (extensions: object) => ({
    schema: 1,
    repository: 'r',
    trust: { catalogueSigners: [{ identity: 'a', issuer: 'b', extensions }], trustedRoot: {} },
  })
  for (const name of Object.keys(CERTIFICATE_EXTENSIONS)) expect(complaintsOf(SITE.schema, signer({ [name]: 'x' }))).toEqual([])
  expect(complaintsOf(SITE.schema, signer({ sourceRepo: 'x' }))).not.toEqual([])
})

test('sealift.publish.schema.json finds a misspelt member, as the parser does', () => {
  for (const misspelt of [{ file: {} }, { defaults: { chanel: 'stable' } }, { files: { a: { alias: [] } } }]) {
    expect(PUBLISH.isAccepted(utf8(JSON.stringify(misspelt)))).toBe(false)
    expect(isValid(PUBLISH, misspelt)).toBe(false)
  }
})
