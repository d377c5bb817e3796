import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeSiteConfig } from '../../../src/core/manifest/encode-site-config.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeCatalogue, parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeManifest, parseManifest } from '../../../src/core/manifest/parse-manifest.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { catalogue, manifest, siteConfig } from './arbitraries.ts'
import { sampleCatalogue, sampleConfig, sampleManifest, utf8 } from './samples.ts'

test('every catalogue survives its encoding, and has one', () => {
  fc.assert(
    fc.property(catalogue, (before) => {
      const bytes = encodeCatalogue(before)
      expect(parseCatalogue(bytes)).toEqual(before)
      expect(encodeCatalogue(parseCatalogue(bytes))).toEqual(bytes)
    }),
  )
})

test('every manifest survives its encoding, and has one', () => {
  fc.assert(
    fc.property(manifest, (before) => {
      const bytes = encodeManifest(before)
      expect(parseManifest(bytes)).toEqual(before)
      expect(encodeManifest(parseManifest(bytes))).toEqual(bytes)
    }),
  )
})

test('every site configuration survives its encoding, and has one', () => {
  fc.assert(
    fc.property(siteConfig, (before) => {
      const bytes = encodeSiteConfig(before)
      expect(parseSiteConfig(bytes, 'https://portal.example/')).toEqual(before)
      expect(encodeSiteConfig(parseSiteConfig(bytes, 'https://portal.example/'))).toEqual(bytes)
    }),
  )
})

test('an envelope gives back any payload byte for byte, and each bundle', () => {
  const bundle = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })).map((value) => utf8(JSON.stringify(value)))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.array(bundle, { maxLength: 8 }), (payload, bundles) => {
      // Names that look like array indices move to the front of an object when it is read for the first time.
      const settled = bundles.map((bytes) => utf8(JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)))))
      expect(parseCatalogueEnvelope(encodeCatalogueEnvelope({ payload, bundles }))).toEqual({ payload, bundles: settled })
    }),
  )
})

test('the order in which members were written leaves no trace', () => {
  const reversed = <T extends object>(value: T): T =>
    Object.assign(Object.create(Object.prototype), Object.fromEntries(Object.entries(value).reverse()))
  expect(
    encodeCatalogue(
      reversed({
        ...sampleCatalogue(),
        artifacts: sampleCatalogue().artifacts.map(reversed),
        origins: sampleCatalogue().origins.map(reversed),
      }),
    ),
  ).toEqual(encodeCatalogue(sampleCatalogue()))
  expect(encodeManifest(reversed(sampleManifest()))).toEqual(encodeManifest(sampleManifest()))
  const { trust, mesh, origins, gateways } = sampleConfig()
  const turned = sampleConfig({
    trust: reversed(trust),
    mesh: reversed(mesh),
    origins: origins.map(reversed),
    gateways: gateways.map(reversed),
  })
  expect(encodeSiteConfig(reversed(turned))).toEqual(encodeSiteConfig(sampleConfig()))
})

test('refuses to write what nobody would read', () => {
  expect(() => encodeCatalogue(sampleCatalogue({ version: 0 }))).toThrow('format-invalid')
  expect(() => encodeManifest(sampleManifest({ filename: '../x' }))).toThrow('format-invalid')
  expect(() => encodeSiteConfig(sampleConfig({ repository: '' }))).toThrow('config-invalid')
  expect(() => encodeCatalogueEnvelope({ payload: new Uint8Array(2_000_000), bundles: [] })).toThrow('format-oversized')
  expect(() => encodeCatalogueEnvelope({ payload: new Uint8Array(), bundles: [utf8('[]')] })).toThrow('format-invalid')
})
