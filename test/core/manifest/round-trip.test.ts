import { expect, test } from 'vitest'
import { encodeSiteConfig } from '../../../src/core/manifest/encode-site-config.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeCatalogue, parseCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeManifest, parseManifest } from '../../../src/core/manifest/parse-manifest.ts'
import { parseSiteConfig } from '../../../src/core/manifest/parse-site-config.ts'
import { sampleCatalogue, sampleConfig, sampleManifest, utf8 } from './samples.ts'

test('a catalogue, its envelope, a manifest and a site configuration survive their encoding', () => {
  expect(parseCatalogue(encodeCatalogue(sampleCatalogue()))).toEqual(sampleCatalogue())
  expect(parseManifest(encodeManifest(sampleManifest()))).toEqual(sampleManifest())
  expect(parseSiteConfig(encodeSiteConfig(sampleConfig()), 'https://portal.example/')).toEqual(sampleConfig())
  const envelope = { payload: encodeCatalogue(sampleCatalogue()), bundles: [utf8('{"mediaType":"a","n":[1,2]}')] }
  expect(parseCatalogueEnvelope(encodeCatalogueEnvelope(envelope))).toEqual(envelope)
})
