import { expect, test } from 'vitest'
import { toArtifactName } from '../../../src/core/model/ids.ts'
import { toArtifact, type Manifest } from '../../../src/core/manifest/manifest.ts'
import { checkManifest, encodeManifest, parseManifest, parsePieceList } from '../../../src/core/manifest/parse-manifest.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { digestOf, sampleEntry, sampleManifest } from './samples.ts'
import { failureFrom, withMember } from './outcome.ts'

const MIB = 1024 * 1024
const good = encodeManifest(sampleManifest())
const base64Of = (bytes: number): string => Buffer.alloc(bytes, 7).toString('base64')

/** A listed manifest whose piece count fits its size. */
function listed(sizeBytes: number, lengthBytes = MIB): Manifest {
  const count = Math.ceil(sizeBytes / lengthBytes)
  return sampleManifest({
    sizeBytes,
    pieces: { kind: 'listed', lengthBytes, count, list: { sha256: digestOf('list'), sizeBytes: count * 32 } },
  })
}

test('names its hashes by digest, for an artifact of five gigabytes in little more than a kilobyte', () => {
  const bytes = encodeManifest(listed(5 * 1024 * MIB))
  expect(bytes.length).toBeLessThan(1500)
  expect(parseManifest(bytes)).toEqual(listed(5 * 1024 * MIB))
})

test.each([
  ['no file name', 'filename', undefined],
  ['a file name that is a path', 'filename', '../evil'],
  ['a media type with parameters', 'mediaType', 'text/html; charset=utf-8'],
  ['a media type with a line feed', 'mediaType', 'text/html\nx: y'],
  ['a negative size', 'size', -1],
  ['a size above the largest', 'size', LIMITS.artifactBytes + 1],
  ['an unknown priority', 'priority', 'urgent'],
  ['a bundle of an unknown kind', 'bundles.0.kind', 'note'],
  ['an empty bundle', 'bundles.0.size', 0],
  ['a bundle above its limit', 'bundles.0.size', LIMITS.bundleBytes + 1],
  ['a previous version without a digest', 'previous.sha256', undefined],
  ['a time before the beginning', 'created', -1],
  ['more bundles than the limit', 'bundles', Array.from({ length: LIMITS.bundlesPerArtifact + 1 }, () => 0)],
  ['a time in text', 'created', '2026-11-20T00:00:00Z'],
  ['a piece length below the least', 'pieces.length', 32 * 1024],
  ['a piece length above the largest', 'pieces.length', 8 * MIB],
  ['a piece length that is no power of two', 'pieces.length', MIB + 65_536],
  ['a count that is one too low', 'pieces.count', 2],
  ['a count that is one too high', 'pieces.count', 4],
  ['hashes for another count', 'pieces.hashes', base64Of(64)],
  ['hashes that are not base64', 'pieces.hashes', '!'.repeat(128)],
  ['neither hashes nor list', 'pieces.hashes', undefined],
  ['both hashes and list', 'pieces.list', { sha256: digestOf('list'), size: 96 }],
])('refuses %s, and names the place', (_what, path, value) => {
  const place = path === 'pieces.list' ? 'pieces.hashes' : path.replace(/\.(\d+)/g, '[$1]')
  expect(failureFrom(() => parseManifest(withMember(good, path, value)))).toMatchObject({
    code: 'format-invalid',
    document: 'manifest',
    path: place,
  })
})

test('refuses a list that is not 32 bytes for each piece', () => {
  const bytes = encodeManifest(listed(3 * MIB))
  for (const size of [95, 97, 0]) {
    expect(failureFrom(() => parseManifest(withMember(bytes, 'pieces.list.size', size)))).toMatchObject({ path: 'pieces.list.size' })
  }
})

test('carries 64 hashes itself, and not one more', () => {
  const inline = (count: number) =>
    sampleManifest({ sizeBytes: count * MIB, pieces: { kind: 'inline', lengthBytes: MIB, count, hashes: new Uint8Array(count * 32) } })
  expect(parseManifest(encodeManifest(inline(64))).pieces.count).toBe(64)
  expect(failureFrom(() => encodeManifest(inline(65)))).toMatchObject({
    code: 'format-invalid',
    path: 'pieces.hashes',
    detail: 'expected a list blob for more than 64 pieces',
  })
})

test('refuses more pieces than a list may hold, whatever size is claimed', () => {
  expect(parseManifest(encodeManifest(listed(65_536 * 65_536, 65_536))).pieces.count).toBe(65_536)
  expect(failureFrom(() => encodeManifest(listed(65_536 * 65_536 + 1, 65_536)))).toMatchObject({ path: 'pieces.count' })
})

test.each([
  [1, 1],
  [MIB - 1, 1],
  [MIB, 1],
  [MIB + 1, 2],
  [3 * MIB - 1, 3],
])('an artifact of %i bytes has %i pieces', (sizeBytes, count) => {
  expect(parseManifest(encodeManifest(listed(sizeBytes))).pieces.count).toBe(count)
})

test('what a publisher may leave out has the careful meaning', () => {
  const least = ['platform', 'priority', 'bundles', 'previous'].reduce<Uint8Array>(
    (bytes, member) => withMember(bytes, member, undefined),
    good,
  )
  expect(parseManifest(least)).toEqual(sampleManifest({ platform: undefined, priority: 'normal', bundles: [], previous: undefined }))
})

test('an empty artifact has no pieces, and carries no hashes of them', () => {
  const empty = sampleManifest({ sizeBytes: 0, pieces: { kind: 'inline', lengthBytes: 65_536, count: 0, hashes: new Uint8Array() } })
  expect(parseManifest(encodeManifest(empty))).toEqual(empty)
  expect(failureFrom(() => encodeManifest(listed(0)))).toMatchObject({ path: 'pieces.list' })
})

test('refuses a manifest above its size, and one of a later schema', () => {
  expect(failureFrom(() => parseManifest(new Uint8Array(LIMITS.manifestBytes + 1)))).toMatchObject({
    code: 'format-oversized',
    document: 'manifest',
  })
  expect(failureFrom(() => parseManifest(withMember(good, 'schema', 2)))).toMatchObject({ code: 'format-unsupported' })
  expect(failureFrom(() => parseManifest(withMember(good, 'critical', ['delta'])))).toMatchObject({ code: 'format-unsupported' })
})

test('a piece list is 32 bytes for each piece and nothing else', () => {
  const bytes = new Uint8Array(96).fill(9)
  expect(parsePieceList(bytes, 3)).toEqual(bytes)
  for (const count of [2, 4]) {
    expect(failureFrom(() => parsePieceList(bytes, count))).toMatchObject({ code: 'format-invalid', document: 'piece-list' })
  }
  expect(parsePieceList(new Uint8Array(), 0)).toHaveLength(0)
})

test.each([
  ['name', { name: toArtifactName('other-agent') }],
  ['version', { version: '1.4.1' }],
  ['platform', { platform: 'linux/arm64' }],
  ['platform', { platform: undefined }],
  ['size', { sizeBytes: 2_999_999 }],
  ['sha256', { sha256: digestOf('another good artifact') }],
])('a manifest of another %s is not the one that the catalogue names', (field, changes) => {
  expect(failureFrom(() => checkManifest(sampleEntry(), sampleManifest()))).toBeUndefined()
  expect(failureFrom(() => checkManifest(sampleEntry(), sampleManifest(changes)))).toEqual({
    code: 'manifest-mismatch',
    name: 'edge-agent',
    field,
  })
})

test('becomes an artifact with its piece hashes', () => {
  const manifest = sampleManifest()
  const hashes = new Uint8Array(96).fill(7)
  const artifact = toArtifact(manifest, {
    manifestRef: { sha256: digestOf('manifest'), sizeBytes: good.length },
    hashes,
    isMeshAllowed: true,
  })
  expect(artifact).toMatchObject({
    name: 'edge-agent',
    sizeBytes: 3_000_000,
    isMeshAllowed: true,
    pieces: { count: 3, lengthBytes: MIB, hashes },
  })
  expect(() => toArtifact(manifest, { manifestRef: artifact.manifest, hashes: hashes.subarray(1), isMeshAllowed: true })).toThrow(
    RangeError,
  )
})
