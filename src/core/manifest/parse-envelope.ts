import { LIMITS } from '../limits.ts'
import { decodeBase64, encodeBase64 } from '../base64.ts'
import { CATALOGUE_MEDIA_TYPE } from './catalogue.ts'
import { encodeJson, openJson } from '../json/json.ts'
import type { JsonField } from '../json/json-field.ts'

/** `/catalogue.json`, or a trust update, as served: opened but not yet believed. */
export interface Envelope {
  /** What was signed, byte for byte. */
  readonly payload: Uint8Array
  /** Sigstore bundles over `payload`, each as its own JSON bytes. */
  readonly bundles: readonly Uint8Array[]
}

/** A kind of file that carries its own signatures. */
export interface EnvelopeKind {
  readonly document: 'catalogue' | 'trust-update'
  readonly mediaType: string
  readonly limitBytes: number
  readonly signatures: number
}

const CATALOGUE: EnvelopeKind = {
  document: 'catalogue',
  mediaType: CATALOGUE_MEDIA_TYPE,
  limitBytes: LIMITS.catalogueBytes,
  signatures: LIMITS.signaturesPerCatalogue,
}

/** `/trust/<n>.json`. */
export const TRUST_UPDATE: EnvelopeKind = {
  document: 'trust-update',
  mediaType: 'application/vnd.sealift.trust.v1+json',
  limitBytes: LIMITS.trustUpdateBytes,
  signatures: LIMITS.signaturesPerTrustUpdate,
}

/**
 * Opens a signed file as served. Nothing in it is believed yet: the caller verifies a bundle over `payload`.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, `format-unsupported`
 */
export function parseEnvelope(bytes: Uint8Array, { document, mediaType, limitBytes, signatures }: EnvelopeKind): Envelope {
  const get = openJson(bytes, { document, limitBytes }).object(['mediaType', 'payload', 'signatures'])
  if (get('mediaType').text(200) !== mediaType) throw get('mediaType').unsupported(`expected ${mediaType}`)
  const payload = decodeBase64(get('payload').text(limitBytes))
  if (payload === undefined) throw get('payload').refuse('expected base64 with padding')
  const bundles = get('signatures').list(signatures).map(readBundle)
  return { payload, bundles }
}

/** As `parseEnvelope`, for `/catalogue.json`. */
export function parseCatalogueEnvelope(bytes: Uint8Array): Envelope {
  return parseEnvelope(bytes, CATALOGUE)
}

/**
 * The file as it is to be served.
 * @throws {DeliveryError} `format-invalid`, `format-oversized`, when no client would take it
 */
export function encodeEnvelope(envelope: Envelope, kind: EnvelopeKind): Uint8Array<ArrayBuffer> {
  const bytes = encodeJson({
    mediaType: kind.mediaType,
    payload: encodeBase64(envelope.payload),
    signatures: envelope.bundles.map((bundle) => ({ bundle: openBundle(bundle).foreignObject() })),
  })
  parseEnvelope(bytes, kind)
  return bytes
}

/** As `encodeEnvelope`, for `/catalogue.json`. */
export function encodeCatalogueEnvelope(envelope: Envelope): Uint8Array<ArrayBuffer> {
  return encodeEnvelope(envelope, CATALOGUE)
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
