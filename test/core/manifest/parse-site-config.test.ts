import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { encodeSiteConfig } from '../../../src/core/manifest/encode-site-config.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { sampleConfig, utf8 } from './samples.ts'
import { errorFrom, failureFrom, withMember } from './outcome.ts'
import { ANY_PROVENANCE } from '../../../src/core/verify/provenance-policy.ts'

const PORTAL = 'https://portal.example/app/sealift.json'
const good = encodeSiteConfig(sampleConfig())
const key = { publicKey: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' }
const parse = (document: object) => parseSiteConfig(utf8(JSON.stringify(document)), PORTAL)

test('a site needs a name and a signer; all else has a default that reaches out to nobody', () => {
  expect(parse({ schema: 1, repository: 'r', trust: { catalogueSigners: [key] } })).toEqual({
    schema: 1,
    repository: 'r',
    origins: [],
    gateways: [],
    preset: 'cdn-first',
    tiers: undefined,
    mesh: { mode: 'off', signaling: [], ticketUrl: undefined, iceServers: [] },
    trust: {
      catalogueSigners: [{ kind: 'key', publicKeyPem: key.publicKey }],
      artifactSigners: [{ kind: 'key', publicKeyPem: key.publicKey }],
      trustedRoot: undefined,
      thresholds: { log: 1, sct: 1, timestamp: 1 },
      minSigners: { catalogue: 1, artifacts: 1 },
      provenance: ANY_PROVENANCE,
      minimumVersion: 0,
      version: 0,
      updates: undefined,
    },
    maxGraceSeconds: 604_800,
  })
})

test('a section that says one thing leaves the others at their defaults', () => {
  const config = parse({ schema: 1, repository: 'r', mesh: { mode: 'lan' }, trust: { catalogueSigners: [key], thresholds: { sct: 0 } } })
  expect(config.mesh).toEqual({ mode: 'lan', signaling: [], ticketUrl: undefined, iceServers: [] })
  expect(config.trust.thresholds).toEqual({ log: 1, sct: 0, timestamp: 1 })
})

test('artifact signers alone leave nobody to sign the catalogue', () => {
  expect(failureFrom(() => parse({ schema: 1, repository: 'r', trust: { artifactSigners: [key] } }))).toMatchObject({
    code: 'policy-missing',
  })
})

test.each([{ identity: 'a' }, { issuer: 'b' }, { identity: 'a', issuer: 'b' }])(
  'a signer is a key or a certificate, not a key and %j',
  (also) => {
    const trust = { catalogueSigners: [{ ...key, ...also }], trustedRoot: {} }
    expect(failureFrom(() => parse({ schema: 1, repository: 'r', trust }))).toMatchObject({
      code: 'config-invalid',
      path: 'trust.catalogueSigners[0]',
    })
  },
)

test('a repository of trusted roots has a URL and the root that it is judged by, beside a trusted root to begin with', () => {
  const trust = (more: object) => ({ schema: 1, repository: 'r', trust: { catalogueSigners: [key], ...more } })
  const refresh = { url: 'tuf/', root: { signed: {}, signatures: [] } }
  expect(parse(trust({ trustedRoot: {}, refresh })).trust.refresh).toEqual({ ...refresh, url: 'https://portal.example/app/tuf/' })
  expect(failureFrom(() => parse(trust({ refresh })))).toMatchObject({ code: 'config-invalid', path: 'trust.trustedRoot' })
  for (const [path, wrong] of Object.entries({ url: { url: 'tuf' }, root: { root: 'root.json' } }))
    expect(failureFrom(() => parse(trust({ trustedRoot: {}, refresh: { ...refresh, ...wrong } })))).toMatchObject({
      code: 'config-invalid',
      path: `trust.refresh.${path}`,
    })
})

test('a file of just the limit is read', () => {
  const text = JSON.stringify({ schema: 1, repository: 'r', trust: { catalogueSigners: [key] } })
  expect(parseSiteConfig(utf8(text.padEnd(LIMITS.siteConfigBytes)), PORTAL).repository).toBe('r')
})

test('relative URLs belong to the portal that served the file', () => {
  const config = parse({
    schema: 1,
    repository: 'r',
    origins: [{ id: 'own', url: '../releases/' }],
    gateways: [{ id: 'gw', url: 'gateway/' }],
    mesh: { mode: 'full', signaling: ['/signal'], ticketUrl: '/ticket' },
    trust: { catalogueSigners: [key] },
  })
  expect(config.origins[0]?.url).toBe('https://portal.example/releases/')
  expect(config.gateways[0]).toEqual({ id: 'gw', url: 'https://portal.example/app/gateway/', addressSpace: undefined })
  expect(config.mesh).toMatchObject({ signaling: ['wss://portal.example/signal'], ticketUrl: 'https://portal.example/ticket' })
})

test('signaling may be at an address of the local network, beside that of the internet', () => {
  const signaling = ['wss://signal.example/', 'ws://10.0.0.5:8787/', 'ws://[fd00::5]:8787/', 'wss://signal.lan.example/']
  const document = utf8(JSON.stringify({ schema: 1, repository: 'r', mesh: { signaling }, trust: { catalogueSigners: [key] } }))
  expect(parseSiteConfig(document, 'https://portal.example/').mesh.signaling).toEqual(signaling)
})

test('signaling named relative to a loopback page is plain ws', () => {
  const document = utf8(
    JSON.stringify({ schema: 1, repository: 'r', mesh: { signaling: ['/signal'] }, trust: { catalogueSigners: [key] } }),
  )
  expect(parseSiteConfig(document, 'http://localhost:8080/').mesh.signaling).toEqual(['ws://localhost:8080/signal'])
})

test.each([
  ['no trust section', 'trust', undefined],
  ['no signers', 'trust.catalogueSigners', undefined],
  ['an empty list of signers', 'trust.catalogueSigners', []],
  ['an empty list of artifact signers', 'trust.artifactSigners', []],
  ['a signer without an issuer', 'trust.catalogueSigners.0.issuer', undefined],
  ['a signer with an empty issuer', 'trust.catalogueSigners.0.issuer', ''],
  ['a signer without an identity', 'trust.catalogueSigners.0.identity', undefined],
  ['a signer with an empty identity', 'trust.artifactSigners.0.identity', ''],
  ['a signer that is nobody', 'trust.catalogueSigners.0', {}],
  ['an empty key', 'trust.artifactSigners.1.publicKey', ' '],
  ['a certificate signer without a trusted root', 'trust.trustedRoot', undefined],
])('refuses to start with %s: nobody would be trusted, or everybody', (_what, path, value) => {
  expect(failureFrom(() => parseSiteConfig(withMember(good, path, value), PORTAL))).toMatchObject({ code: 'policy-missing' })
})

test.each([
  ['no repository', 'repository', undefined],
  ['an unknown preset', 'preset', 'p2p-first'],
  ['an unknown tier', 'tiers', ['cdn', 'usb']],
  ['an origin without a slash', 'origins.0.url', 'https://eu.example/releases'],
  ['an origin with credentials', 'origins.0.url', 'https://a:b@eu.example/'],
  ['an origin that is no URL', 'origins.0.url', 'https://'],
  ['an address space that there is not', 'gateways.0.addressSpace', 'public'],
  ['a gateway named as an origin is', 'gateways.0.id', 'eu'],
  ['a mesh mode that there is not', 'mesh.mode', 'on'],
  ['signaling over a plain file', 'mesh.signaling.0', 'file:///signal'],
  ['signaling with credentials', 'mesh.signaling.0', 'wss://a:b@signal.example/'],
  ['a STUN server over http', 'mesh.iceServers.0.urls', 'https://stun.example'],
  ['a STUN server in a list', 'mesh.iceServers.0.urls', ['stun:stun.example']],
  ['a threshold below zero', 'trust.thresholds.log', -1],
  ['a threshold of certificate timestamps below zero', 'trust.thresholds.sct', -1],
  ['a threshold of time stamps below zero', 'trust.thresholds.timestamp', -1],
  ['a threshold above what there can be', 'trust.thresholds.log', 17],
  ['a minimum version below zero', 'trust.minimumVersion', -1],
  ['a threshold in text', 'trust.thresholds.sct', '1'],
  ['a trusted root in text', 'trust.trustedRoot', '{}'],
  ['provenance in text', 'trust.provenance', 'yes'],
  ['provenance demanded under its earlier name', 'trust.requireProvenance', true],
  ['a predicate type that nobody can read', 'trust.provenance.predicateTypes.0', 'https://spdx.dev/Document'],
  ['an extension that no certificate has', 'trust.catalogueSigners.0.extensions', { sourceRepo: 'c' }],
  ['a log demanded of a certificate in the place for keys', 'trust.catalogueSigners.0', { identity: 'a', issuer: 'b', requireLog: true }],
  ['an identity with a pattern', 'trust.provenance.builderId.refs', 'tags*'],
  ['more signers than are named', 'trust.artifactSigners', [key]],
  ['a signer that is named twice', 'trust.artifactSigners', [key, { publicKey: key.publicKey.replaceAll('\n', '\r\n') }]],
  ['a signer that is key and certificate', 'trust.catalogueSigners.0.publicKey', 'pem'],
  ['a negative ceiling of grace', 'maxGraceSeconds', -1],
  ['a schema in text', 'schema', '1'],
])('refuses %s as the operator’s mistake, and names the place', (_what, path, value) => {
  const found = failureFrom(() => parseSiteConfig(withMember(good, path, value), PORTAL))
  expect(found).toMatchObject({ code: 'config-invalid' })
  const place = path.replace(/\.(\d+)/g, '[$1]')
  expect(found).toHaveProperty(
    'path',
    _what === 'an unknown tier' ? 'tiers[1]' : _what.startsWith('a signer that is key') ? 'trust.catalogueSigners[0]' : place,
  )
})

test('what is not JSON, or too long, is the operator’s mistake too', () => {
  expect(failureFrom(() => parseSiteConfig(utf8('<!doctype html>'), PORTAL))).toMatchObject({
    code: 'config-invalid',
    path: '$',
    detail: 'expected JSON',
  })
  expect(failureFrom(() => parseSiteConfig(new Uint8Array(LIMITS.siteConfigBytes + 1), PORTAL))).toMatchObject({
    code: 'config-invalid',
    path: '$',
  })
})

test('a configuration that is no JSON is not quoted, since a credential for a relay may stand in it', () => {
  const error = errorFrom(() => parseSiteConfig(utf8('s3cret {'), PORTAL))
  expect(error).toMatchObject({ failure: { code: 'config-invalid', detail: 'expected JSON' } })
  expect(inspect(error)).not.toContain('s3cret')
})

test('a later schema is a reason to update', () => {
  expect(failureFrom(() => parseSiteConfig(withMember(good, 'schema', 2), PORTAL))).toMatchObject({
    code: 'format-unsupported',
    document: 'site-config',
  })
})
