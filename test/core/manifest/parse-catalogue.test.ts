import { expect, test } from 'vitest'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeCatalogue, parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { digestOf, sampleCatalogue, sampleEntry, utf8 } from './samples.ts'
import { failureFrom, withMember } from './outcome.ts'

const good = encodeCatalogue(sampleCatalogue())

test('has the member names of the published format', () => {
  const document: unknown = JSON.parse(new TextDecoder().decode(good))
  expect(document).toMatchObject({ created: 1_790_000_000, refreshAfter: 1_790_003_600, expires: 1_790_604_800 })
  expect(document).toMatchObject({ artifacts: [{ manifest: { size: 1500 }, artifact: { size: 3_000_000 } }] })
})

test('what a publisher may leave out has the careful meaning', () => {
  const entry = { name: 'tool', version: '1', manifest: { sha256: digestOf('m'), size: 1 }, artifact: { sha256: digestOf('a'), size: 0 } }
  const least = { schema: 1, repository: 'r', version: 1, created: 1, refreshAfter: 1, expires: 2, artifacts: [entry] }
  const catalogue = parseCatalogue(utf8(JSON.stringify(least)))
  expect(catalogue).toMatchObject({ graceSeconds: 0, previous: undefined, origins: [], delivery: { tiers: undefined }, denied: [] })
  expect(catalogue.artifacts[0]).toMatchObject({
    platform: undefined,
    channel: undefined,
    aliases: [],
    mesh: false,
    rollout: 100,
    yanked: false,
  })
})

test.each([
  ['no time of expiry', 'expires', undefined],
  ['a version of zero', 'version', 0],
  ['a version that a double cannot hold', 'version', 2 ** 53],
  ['a version in text', 'version', '1790000000'],
  ['a refresh later than expiry', 'refreshAfter', 1_790_604_801],
  ['a negative grace', 'graceSeconds', -1],
  ['an expiry at the beginning of time', 'expires', 0],
  ['a refresh before the beginning of time', 'refreshAfter', -1],
  ['a making before the beginning of time', 'created', -1],
  ['a previous version of zero', 'previous.version', 0],
  ['a previous version without a digest', 'previous.sha256', undefined],
  ['a negative artifact', 'artifacts.0.artifact.size', -1],
  ['a negative roll-out', 'artifacts.0.rollout', -1],
  ['no repository', 'repository', undefined],
  ['a repository with a blank', 'repository', 'my releases'],
  ['an origin over ftp', 'origins.0.url', 'ftp://eu.example/'],
  ['an origin that is a script', 'origins.0.url', 'javascript:alert(1)//'],
  ['an origin without a slash at its end', 'origins.0.url', 'https://eu.example/releases'],
  ['an origin with credentials', 'origins.0.url', 'https://user:secret@eu.example/'],
  ['an origin with a user alone', 'origins.0.url', 'https://user@eu.example/'],
  ['an origin with a password alone', 'origins.0.url', 'https://:secret@eu.example/'],
  ['an origin with a query', 'origins.0.url', 'https://eu.example/?a=/'],
  ['an origin with an empty query', 'origins.0.url', 'https://eu.example/?'],
  ['an origin with a fragment', 'origins.0.url', 'https://eu.example/#/'],
  ['an origin that is not absolute', 'origins.0.url', '/releases/'],
  ['an origin in the mesh', 'origins.0.tier', 'mesh'],
  ['an origin with a blank in its name', 'origins.0.id', 'e u'],
  ['an alias that is not absolute', 'artifacts.0.aliases.0', '/agent.tar.gz'],
  ['an alias with credentials', 'artifacts.0.aliases.0', 'https://user:secret@downloads.example/agent'],
  ['an alias with a fragment', 'artifacts.0.aliases.0', 'https://downloads.example/agent#part'],
  ['a digest in capitals', 'artifacts.0.artifact.sha256', digestOf('a').toUpperCase()],
  ['a short digest', 'artifacts.0.manifest.sha256', 'abc'],
  ['an artifact above the largest', 'artifacts.0.artifact.size', LIMITS.artifactBytes + 1],
  ['a manifest above the largest', 'artifacts.0.manifest.size', LIMITS.manifestBytes + 1],
  ['an empty manifest', 'artifacts.0.manifest.size', 0],
  ['a name with a slash', 'artifacts.0.name', 'edge/agent'],
  ['a version with a slash', 'artifacts.0.version', '1/2'],
  ['a version that is a path', 'artifacts.0.version', '..'],
  ['a platform in capitals', 'artifacts.0.platform', 'Linux/AMD64'],
  ['a platform that is a path', 'artifacts.0.platform', '../x'],
  ['a roll-out above 100', 'artifacts.0.rollout', 101],
  ['a roll-out in part', 'artifacts.0.rollout', 0.5],
  ['yanked in text', 'artifacts.0.yanked', 'yes'],
  ['mesh as a number', 'artifacts.0.mesh', 1],
  ['a tier that there is not', 'delivery.tiers.0', 'usb'],
  ['a tier named twice', 'delivery.tiers.0', 'mesh'],
  ['no tier at all', 'delivery.tiers', []],
  ['a denied digest of 63 digits', 'denied.0', 'a'.repeat(63)],
])('refuses %s, and names the place', (_what, path, value) => {
  const place = path.replace(/\.(\d+)/g, '[$1]')
  const at = path === 'delivery.tiers.0' && value === 'mesh' ? 'delivery.tiers' : place
  expect(failureFrom(() => parseCatalogue(withMember(good, path, value)))).toMatchObject({
    code: 'format-invalid',
    document: 'catalogue',
    path: at,
  })
})

test.each([
  ['artifacts', 'artifactsInCatalogue'],
  ['origins', 'originsInCatalogue'],
  ['denied', 'deniedDigests'],
] as const)('refuses more %s than its limit before it reads one', (member, limit) => {
  const many = Array.from({ length: LIMITS[limit] + 1 }, () => 0)
  const atLimit = failureFrom(() => parseCatalogue(withMember(good, member, many.slice(1))))
  expect(atLimit).toMatchObject({ path: `${member}[0]` })
  expect(failureFrom(() => parseCatalogue(withMember(good, member, many)))).toMatchObject({ path: member, code: 'format-invalid' })
})

test('refuses more aliases than its limit', () => {
  const many = Array.from({ length: LIMITS.aliasesPerArtifact + 1 }, () => 'https://a.example/')
  expect(failureFrom(() => parseCatalogue(withMember(good, 'artifacts.0.aliases', many)))).toMatchObject({ path: 'artifacts[0].aliases' })
})

test('refuses two entries for one name, version and platform, since nobody could say which is meant', () => {
  const twice = sampleCatalogue({ artifacts: [sampleEntry(), sampleEntry({ artifact: { sha256: digestOf('other'), sizeBytes: 1 } })] })
  expect(failureFrom(() => encodeCatalogue(twice))).toMatchObject({ code: 'format-invalid', path: 'artifacts[1]' })
  const apart = sampleCatalogue({ artifacts: [sampleEntry(), sampleEntry({ platform: undefined }), sampleEntry({ version: '1.4.3' })] })
  expect(failureFrom(() => encodeCatalogue(apart))).toBeUndefined()
})

test('refuses two origins of one name, since a record could not tell them apart', () => {
  const [origin] = sampleCatalogue().origins
  const twice = sampleCatalogue({ origins: origin === undefined ? [] : [origin, { ...origin, url: 'https://us.example/' }] })
  expect(failureFrom(() => encodeCatalogue(twice))).toMatchObject({ path: 'origins[1].id' })
})

test('may be due for refresh in the second of its expiry', () => {
  expect(failureFrom(() => parseCatalogue(withMember(good, 'refreshAfter', 1_790_604_800)))).toBeUndefined()
})

test('allows a gateway in the LAN over plain http', () => {
  const lan = withMember(good, 'origins.0.url', 'http://gateway.lan:8080/')
  expect(parseCatalogue(lan).origins[0]?.url).toBe('http://gateway.lan:8080/')
})

test('a later schema is a reason to update, not a broken file', () => {
  expect(failureFrom(() => parseCatalogue(withMember(good, 'schema', 2)))).toMatchObject({
    code: 'format-unsupported',
    document: 'catalogue',
  })
  expect(failureFrom(() => parseCatalogue(withMember(good, 'schema', '1')))).toMatchObject({ code: 'format-invalid', path: 'schema' })
})

test('a member that must be understood is refused at any depth', () => {
  for (const path of ['critical', 'artifacts.0.critical', 'artifacts.0.manifest.critical', 'origins.0.critical', 'delivery.critical']) {
    expect(failureFrom(() => parseCatalogue(withMember(good, path, ['quorum'])))).toMatchObject({ code: 'format-unsupported' })
    expect(failureFrom(() => parseCatalogue(withMember(good, path, [])))).toBeUndefined()
  }
})

const bundle = utf8('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}')
const served = encodeCatalogueEnvelope({ payload: good, bundles: [bundle] })

test('the envelope gives back the very bytes that were signed', () => {
  const envelope = parseCatalogueEnvelope(served)
  expect(envelope.payload).toEqual(good)
  expect(envelope.bundles).toEqual([bundle])
})

test.each([
  ['a payload that is not base64', 'payload', '*', 'format-invalid'],
  ['a payload with spare bits', 'payload', 'AB==', 'format-invalid'],
  ['no signatures', 'signatures', undefined, 'format-invalid'],
  ['a bundle in text', 'signatures.0.bundle', '{}', 'format-invalid'],
  ['a bundle that is a list', 'signatures.0.bundle', [], 'format-invalid'],
  ['a bundle above its limit', 'signatures.0.bundle', { a: 'x'.repeat(LIMITS.bundleBytes) }, 'format-invalid'],
  [
    'more signatures than its limit',
    'signatures',
    Array.from({ length: LIMITS.signaturesPerCatalogue + 1 }, () => ({ bundle: {} })),
    'format-invalid',
  ],
  ['no media type', 'mediaType', undefined, 'format-invalid'],
  ['another media type', 'mediaType', 'application/vnd.sealift.catalogue.v2+json', 'format-unsupported'],
])('refuses an envelope with %s', (_what, path, value, code) => {
  expect(failureFrom(() => parseCatalogueEnvelope(withMember(served, path, value)))).toMatchObject({ code, document: 'catalogue' })
})

test('takes a bundle of just the limit', () => {
  const atLimit = { a: 'x'.repeat(LIMITS.bundleBytes - '{"a":""}'.length) }
  expect(parseCatalogueEnvelope(withMember(served, 'signatures.0.bundle', atLimit)).bundles[0]).toHaveLength(LIMITS.bundleBytes)
  const above = { a: `${atLimit.a}x` }
  expect(failureFrom(() => parseCatalogueEnvelope(withMember(served, 'signatures.0.bundle', above)))).toMatchObject({
    path: 'signatures[0].bundle',
  })
})

test('refuses a served catalogue one byte above the limit', () => {
  const bytes = new Uint8Array(LIMITS.catalogueBytes + 1).fill(0x20)
  expect(failureFrom(() => parseCatalogueEnvelope(bytes))).toMatchObject({ code: 'format-oversized', document: 'catalogue' })
  expect(failureFrom(() => parseCatalogue(bytes))).toMatchObject({ code: 'format-oversized', document: 'catalogue' })
})
