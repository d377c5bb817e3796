import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { failureOf } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { IN_TOTO_PAYLOAD_TYPE, parseStatement, readProvenance, type Statement } from '../../../src/core/verify/statement.ts'
import { errorFrom } from '../manifest/outcome.ts'

const DIGEST = 'ab'.repeat(32)
const STATEMENT = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'agent', digest: { sha256: DIGEST } }],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {
    buildDefinition: {
      buildType: 'https://actions.github.io/buildtypes/workflow/v1',
      externalParameters: { workflow: { repository: 'https://github.com/acme/agent', ref: 'refs/tags/v1' } },
      resolvedDependencies: [
        { uri: 'git+https://github.com/acme/tools@refs/tags/v1', digest: { gitCommit: 'decaf' } },
        { uri: 'git+https://github.com/acme/agent@refs/tags/v1', digest: { gitCommit: 'c0ffee' } },
      ],
    },
    runDetails: { builder: { id: 'https://github.com/acme/agent/release.yml' } },
  },
}

test('a statement tells its subjects and what is said about them', () => {
  expect(parse(STATEMENT)).toEqual({ subjects: [DIGEST], predicateType: STATEMENT.predicateType, predicate: STATEMENT.predicate })
})

test('a digest in capital letters is the same digest', () => {
  expect(parse({ ...STATEMENT, subject: [{ digest: { sha256: DIGEST.toUpperCase() } }] }).subjects).toEqual([DIGEST])
})

test('subjects without a usable SHA-256 count for nothing', () => {
  const subject = [
    { name: 'a' },
    null,
    7,
    { digest: { sha512: DIGEST } },
    { digest: { sha256: DIGEST.slice(1) } },
    { digest: { sha256: [DIGEST] } },
  ]
  expect(parse({ ...STATEMENT, subject }).subjects).toEqual([])
})

test.each([
  ['another type', { ...STATEMENT, _type: 'https://in-toto.io/Statement/v3' }],
  ['no type', { ...STATEMENT, _type: undefined }],
  ['a type that cannot be written as text', { ...STATEMENT, _type: { toString: null } }],
  ['a type with a suffix', { ...STATEMENT, _type: `${STATEMENT._type}/` }],
  ['no subject', { ...STATEMENT, subject: [] }],
  ['a subject that is no list', { ...STATEMENT, subject: { digest: { sha256: DIGEST } } }],
  ['no predicate type', { ...STATEMENT, predicateType: undefined }],
  ['a list for a statement', [STATEMENT]],
  ['nothing', null],
])('refuses a statement with %s', (_, document) => {
  expect(codeOf(() => parse(document))).toBe('provenance-refused')
})

test('refuses a payload of another type, and bytes that are not UTF-8', () => {
  expect(codeOf(() => parseStatement('application/json', encode(STATEMENT)))).toBe('provenance-refused')
  expect(codeOf(() => parseStatement(IN_TOTO_PAYLOAD_TYPE, Uint8Array.of(0xff)))).toBe('provenance-refused')
})

test('quotes nothing of a statement that is no JSON', () => {
  const refusal = errorFrom(() => parseStatement(IN_TOTO_PAYLOAD_TYPE, new TextEncoder().encode('s3cret')))
  expect(refusal?.failure).toEqual({ code: 'provenance-refused', detail: 'the statement is not JSON' })
  expect(inspect(refusal)).not.toContain('s3cret')
})

test('refuses any other JSON with a typed failure', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(codeOf(() => parseStatement(IN_TOTO_PAYLOAD_TYPE, new TextEncoder().encode(json)))).toBe('provenance-refused')
    }),
  )
})

test('provenance of SLSA 1 tells builder, build type and source', () => {
  expect(readProvenance(parse(STATEMENT))).toEqual({
    builderId: 'https://github.com/acme/agent/release.yml',
    buildType: 'https://actions.github.io/buildtypes/workflow/v1',
    sourceUri: 'https://github.com/acme/agent',
    sourceRef: 'refs/tags/v1',
    sourceDigest: 'c0ffee',
  })
})

test('provenance of SLSA 0.2 tells the same, where it says it', () => {
  const configSource = { uri: 'git+https://github.com/acme/agent@refs/tags/v1', digest: { sha1: 'c0ffee' } }
  const predicate = { builder: { id: 'builder' }, buildType: 'type', invocation: { configSource } }
  expect(readProvenance(older(predicate))).toEqual({
    builderId: 'builder',
    buildType: 'type',
    sourceUri: 'https://github.com/acme/agent',
    sourceRef: 'refs/tags/v1',
    sourceDigest: 'c0ffee',
  })
  expect(readProvenance(older({ builder: { id: 'builder' }, buildType: 'type' }))).toMatchObject({
    sourceUri: undefined,
    sourceRef: undefined,
  })
})

test('provenance that does not name its builder is refused', () => {
  expect(codeOf(() => readProvenance(older({ buildType: 'type' })))).toBe('provenance-refused')
  expect(codeOf(() => readProvenance(parse({ ...STATEMENT, predicate: null })))).toBe('provenance-refused')
})

test('a builder that takes more words than a record keeps is refused', () => {
  const named = (id: string) => older({ builder: { id }, buildType: 'type' })
  expect(readProvenance(named('b'.repeat(LIMITS.textCharacters)))).toMatchObject({ buildType: 'type' })
  expect(codeOf(() => readProvenance(named('b'.repeat(LIMITS.textCharacters + 1))))).toBe('provenance-refused')
})

test('a statement of another kind vouches for nothing', () => {
  expect(codeOf(() => readProvenance(parse({ ...STATEMENT, predicateType: 'https://spdx.dev/Document' })))).toBe('provenance-refused')
})

function older(predicate: unknown): Statement {
  return { subjects: [], predicateType: 'https://slsa.dev/provenance/v0.2', predicate }
}

function parse(document: unknown): Statement {
  return parseStatement(IN_TOTO_PAYLOAD_TYPE, encode(document))
}

function encode(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document))
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return failureOf(error)?.code
  }
}
