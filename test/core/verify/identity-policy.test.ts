import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { requirePolicy, type Signer } from '../../../src/core/verify/identity-policy.ts'
import { errorFrom } from '../manifest/outcome.ts'

const pem = (body: string) => `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`
const key: Signer = { kind: 'key', publicKeyPem: pem('AAAA') }
const person: Signer = { kind: 'certificate', identity: 'release@example.com', issuer: 'https://issuer.example' }
const workflow: Signer = { ...person, identity: { workflow: 'https://ci.example/release.yml', refs: 'tags' } }
const root = { trustedRoot: {} }

test('two of two may be asked for, and different signers may share an issuer', () => {
  expect(requirePolicy([key, person, workflow], { ...root, minSigners: 3 })).toMatchObject({
    minSigners: 3,
    anyOf: [key, person, workflow],
  })
})

test('one signer is enough where nothing is said', () => {
  expect(requirePolicy([key], { trustedRoot: undefined })).toMatchObject({ minSigners: 1, thresholds: { log: 1, sct: 1, timestamp: 1 } })
})

describe('tr14.no-policy: without somebody whose signature counts there is no policy', () => {
  test.each<readonly [string, readonly Signer[], object, string]>([
    ['nobody', [], root, 'policy-missing'],
    ['a certificate without an identity', [{ ...person, identity: '' }], root, 'policy-missing'],
    ['a workflow without a name', [{ ...person, identity: { workflow: '', refs: 'tags' } }], root, 'policy-missing'],
    ['a certificate of a blank identity', [{ ...person, identity: ' ' }], root, 'policy-missing'],
    ['a certificate without an issuer', [{ ...person, issuer: '' }], root, 'policy-missing'],
    ['a certificate of a blank issuer', [{ ...person, issuer: '\t' }], root, 'policy-missing'],
    ['a second signer who is half-named', [key, { ...person, issuer: '' }], root, 'policy-missing'],
    ['a certificate without a root', [person], { trustedRoot: undefined }, 'policy-missing'],
    ['a key that is empty', [{ ...key, publicKeyPem: ' \n' }], root, 'policy-missing'],
    ['a key that a log must witness, without a root', [{ ...key, requireLog: true }], { trustedRoot: null }, 'policy-missing'],
    ['fewer signers than are asked for', [key], { ...root, minSigners: 2 }, 'config-invalid'],
    ['no signer asked for', [key], { ...root, minSigners: 0 }, 'config-invalid'],
    ['half a signer asked for', [key, person], { ...root, minSigners: 1.5 }, 'config-invalid'],
    ['no number of signers asked for', [key], { ...root, minSigners: Number.NaN }, 'config-invalid'],
    ['a person named twice', [person, { ...person }], { ...root, minSigners: 2 }, 'config-invalid'],
    [
      'a person named twice, once with more to say',
      [person, { ...person, extensions: { buildTrigger: 'push' } }],
      { ...root, minSigners: 2 },
      'config-invalid',
    ],
    [
      'a workflow at one tag and at any',
      [workflow, { ...person, identity: 'https://ci.example/release.yml@refs/tags/v1' }],
      { ...root, minSigners: 2 },
      'config-invalid',
    ],
    [
      'a workflow at tags and at branches',
      [workflow, { ...person, identity: { workflow: 'https://ci.example/release.yml', refs: 'heads' } }],
      { ...root, minSigners: 2 },
      'config-invalid',
    ],
    ['a key in two spellings', [key, { kind: 'key', publicKeyPem: pem('AA\r\nAA').trim() }], { ...root, minSigners: 2 }, 'config-invalid'],
  ])('%s is no policy', (_what, signers, under, code) => {
    expect(failureOf(errorFrom(() => requirePolicy(signers, { trustedRoot: undefined, ...under })))?.code).toBe(code)
  })

  test.each<readonly [string, unknown, string]>([
    ['is not there', undefined, 'policy-missing'],
    ['is null', null, 'policy-missing'],
    ['is empty', {}, 'policy-missing'],
    ['is text', '', 'config-invalid'],
    ['is a list', [], 'config-invalid'],
    ['names nobody', { catalogueSigners: [], ...root }, 'policy-missing'],
    ['has a pattern for signers', { catalogueSigners: '.*', ...root }, 'config-invalid'],
    ['has no issuer', { catalogueSigners: [{ identity: 'https://ci.example' }], ...root }, 'policy-missing'],
    ['has no identity', { catalogueSigners: [{ issuer: 'https://issuer.example' }], ...root }, 'policy-missing'],
    ['names artifact signers alone', { artifactSigners: [{ publicKey: 'PEM' }], ...root }, 'policy-missing'],
    ['has no trusted root', { catalogueSigners: [{ identity: 'https://ci.example', issuer: 'https://issuer.example' }] }, 'policy-missing'],
  ])('a configuration whose trust section %s is none', (_what, trust, code) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ schema: 1, repository: 'acme', trust }))
    expect(failureOf(errorFrom(() => parseSiteConfig(bytes, 'https://portal.example/')))?.code).toBe(code)
  })
})
