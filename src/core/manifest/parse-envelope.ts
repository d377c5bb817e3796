import { LIMITS } from '../limits.ts'
import { decodeBase64, encodeBase64 } from '../base64.ts'
import { CATALOGUE_MEDIA_TYPE, type CatalogueEnvelope } from './catalogue.ts'
import { encodeJson, openJson } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'

/**
 * Opens `/catalogue.json` as served. Nothing in it is believed yet: the caller verifies a bundle over `payload`.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, `format-unsupported`
 */
export function parseCatalogueEnvelope(bytes: Uint8Array): CatalogueEnvelope {
  const get = openJson(bytes, { document: 'catalogue', limitBytes: LIMITS.catalogueBytes }).object(['mediaType', 'payload', 'signatures'])
  const mediaType = get('mediaType').text(200)
  if (mediaType !== CATALOGUE_MEDIA_TYPE) throw get('mediaType').unsupported(`expected ${CATALOGUE_MEDIA_TYPE}`)
  const payload = decodeBase64(get('payload').text(LIMITS.catalogueBytes))
  if (payload === undefined) throw get('payload').refuse('expected base64 with padding')
  const bundles = get('signatures').list(LIMITS.signaturesPerCatalogue).map(readBundle)
  return { payload, bundles }
}

/**
 * `/catalogue.json` as it is to be served.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, when no client would take it
 */
export function encodeCatalogueEnvelope(envelope: CatalogueEnvelope): Uint8Array<ArrayBuffer> {
  const bytes = encodeJson({
    mediaType: CATALOGUE_MEDIA_TYPE,
    payload: encodeBase64(envelope.payload),
    signatures: envelope.bundles.map((bundle) => ({ bundle: openBundle(bundle).foreignObject() })),
  })
  parseCatalogueEnvelope(bytes)
  return bytes
}

function readBundle(field: JsonField): Uint8Array<ArrayBuffer> {
  const bundle = field.object(['bundle'])('bundle')
  const bytes = encodeJson(bundle.foreignObject())
  if (bytes.length > LIMITS.bundleBytes) throw bundle.refuse(`expected at most ${LIMITS.bundleBytes} bytes`)
  return bytes
}

function openBundle(bytes: Uint8Array): JsonField {
  return openJson(bytes, { document: 'bundle', limitBytes: LIMITS.bundleBytes })
}
