import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isFilename } from '../../../src/core/model/filename.ts'
import { toArtifactName } from '../../../src/core/model/ids.ts'
import { isVersion } from '../../../src/core/model/names.ts'
import { formatVirtualUrl, isVirtualUrl, parseVirtualUrl, type VirtualRequest } from '../../../src/core/respond/virtual-url.ts'
import { digestOf } from '../manifest/samples.ts'

const SCOPE = 'https://portal.example/app/'
const name = toArtifactName('edge-agent')
const sha256 = digestOf('artifact')

test.each<[string, VirtualRequest]>([
  [`_sealift/sha256/${sha256}/agent.tar.gz`, { kind: 'digest', sha256, filename: 'agent.tar.gz' }],
  ['_sealift/name/edge-agent/agent.tar.gz', { kind: 'name', name, version: undefined, filename: 'agent.tar.gz' }],
  ['_sealift/name/edge-agent@1.4.2/agent.tar.gz', { kind: 'name', name, version: '1.4.2', filename: 'agent.tar.gz' }],
  ['_sealift/name/edge-agent@1.4.2%2Bb1/a%20b.zip', { kind: 'name', name, version: '1.4.2+b1', filename: 'a b.zip' }],
])('%s names an artifact, both ways', (path, request) => {
  expect(parseVirtualUrl(`${SCOPE}${path}`, SCOPE)).toEqual(request)
  expect(parseVirtualUrl(`${SCOPE}${path}#part`, SCOPE)).toEqual(request)
  expect(formatVirtualUrl(request, SCOPE)).toBe(`${SCOPE}${path}`)
})

test('a version may be written with its plus sign', () => {
  expect(parseVirtualUrl(`${SCOPE}_sealift/name/edge-agent@1+b/a`, SCOPE)).toMatchObject({ version: '1+b' })
})

test.each([
  'https://portal.example/_sealift/name/edge-agent/a',
  'https://other.example/app/_sealift/name/edge-agent/a',
  'https://hostil.example/app/_sealift/name/edge-agent/a',
  'http:://portal.example/app/_sealift/name/edge-agent/a',
  `${SCOPE}sealift/name/edge-agent/a`,
  `${SCOPE}_sealift/name/edge-agent`,
  `${SCOPE}_sealift/name/edge-agent/`,
  `${SCOPE}_sealift/name/edge-agent/a/b`,
  `${SCOPE}_sealift/name/edge-agent/a%2Fb`,
  `${SCOPE}_sealift/name/edge-agent/..`,
  `${SCOPE}_sealift/name/edge-agent/%2e%2e`,
  `${SCOPE}_sealift/name/edge-agent/a%0D%0Ab`,
  `${SCOPE}_sealift/name/edge-agent/a%E2%80%AEb`,
  `${SCOPE}_sealift/name/edge-agent/con`,
  `${SCOPE}_sealift/name/edge-agent/a%`,
  `${SCOPE}_sealift/name/edge-agent/a?query`,
  `${SCOPE}_sealift/name/edge-agent?/a`,
  `${SCOPE}_sealift/name/edge-agent@1?/a`,
  `${SCOPE}_sealift/sha256/${sha256}?/a`,
  `${SCOPE}_sealift/name/Edge-Agent/a`,
  `${SCOPE}_sealift/name/edge-agent@/a`,
  `${SCOPE}_sealift/name/edge-agent@1@2/a`,
  `${SCOPE}_sealift/name/edge-agent@..%2F/a`,
  `${SCOPE}_sealift/name/@1/a`,
  `${SCOPE}_sealift/sha256/${sha256.toUpperCase()}/a`,
  `${SCOPE}_sealift/sha256/${sha256.slice(1)}/a`,
  `${SCOPE}_sealift/sha512/${sha256}/a`,
  `${SCOPE}_sealift/toString/edge-agent/a`,
])('%s names nothing, and goes to the network, which answers 404', (url) => {
  expect(parseVirtualUrl(url, SCOPE)).toBeUndefined()
})

test('everything below the prefix is kept from caches and shells, well-formed or not', () => {
  expect(isVirtualUrl(`${SCOPE}_sealift/anything?at=all`, SCOPE)).toBe(true)
  expect(isVirtualUrl(`${SCOPE}_sealifted/`, SCOPE)).toBe(false)
})

test('whatever can be linked is read back, also after a browser has normalised the URL', () => {
  const filename = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter(isFilename)
  const version = fc.option(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,20}$/).filter(isVersion), { nil: undefined })
  fc.assert(
    fc.property(filename, version, fc.boolean(), (file, wanted, isDigest) => {
      const request: VirtualRequest = isDigest
        ? { kind: 'digest', sha256, filename: file }
        : { kind: 'name', name, version: wanted, filename: file }
      expect(parseVirtualUrl(new URL(formatVirtualUrl(request, SCOPE)).href, SCOPE)).toEqual(request)
    }),
    { numRuns: 1000 },
  )
})

test('a name or version that no manifest may carry is a programmer’s mistake', () => {
  expect(() => formatVirtualUrl({ kind: 'digest', sha256, filename: '../a' }, SCOPE)).toThrow(TypeError)
  expect(() => formatVirtualUrl({ kind: 'name', name, version: '../1', filename: 'a' }, SCOPE)).toThrow(TypeError)
})

test('any URL is a request or not one, and never an exception', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('/', '%', '@', '_sealift', 'name', 'sha256', 'a', '2F', '?', '#', '.'), maxLength: 12 }),
      (rest) => {
        parseVirtualUrl(`${SCOPE}_sealift/${rest}`, SCOPE)
        parseVirtualUrl(`${SCOPE}_sealift/name/${rest}`, SCOPE)
      },
    ),
    { numRuns: 2000 },
  )
})
