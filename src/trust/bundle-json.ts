import { bundleFromJSON, type Bundle } from '@sigstore/bundle'
import { DeliveryError } from '../core/errors.ts'
import { splitJsonTexts } from '../core/json/json-texts.ts'
import { LIMITS } from '../core/limits.ts'
import { requireBounded } from './bundle-bounds.ts'
import { requireAgreeingProofs } from './inclusion-proof.ts'
import { bundleInvalid } from './refusal.ts'

/** Compared whole: upstream's own check is an unanchored pattern. */
const MEDIA_TYPES: ReadonlySet<unknown> = new Set([
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
])

/**
 * The JSON texts in a bundle file: one document, or JSON Lines as `gh attestation download` writes.
 * @throws {DeliveryError} `format-oversized`, `bundle-invalid`
 */
export function splitBundles(file: Uint8Array): readonly string[] {
  if (file.length > LIMITS.bundleBytes)
    throw new DeliveryError({ code: 'format-oversized', document: 'bundle', limitBytes: LIMITS.bundleBytes })
  const texts = splitJsonTexts(decodeUtf8(file))
  if (texts.length > LIMITS.bundlesPerArtifact) throw bundleInvalid(`more than ${LIMITS.bundlesPerArtifact} bundles in one file`)
  return texts
}

/** One bundle, complete for its version. @throws {DeliveryError} `bundle-invalid` */
export function parseBundle(text: string): Bundle {
  const json = parseJson(text)
  if (typeof json !== 'object' || json === null || !('mediaType' in json))
    throw bundleInvalid('no mediaType: not a Sigstore bundle of version 0.1 to 0.3')
  if (!MEDIA_TYPES.has(json.mediaType))
    throw bundleInvalid(`media type ${JSON.stringify(json.mediaType)} is not a Sigstore bundle of version 0.1 to 0.3`)
  requireBounded(json)
  const bundle = decodeBundle(json)
  requireAgreeingProofs(bundle)
  return bundle
}

function decodeBundle(json: object): Bundle {
  try {
    return bundleFromJSON(json)
  } catch (error) {
    throw bundleInvalid(error instanceof Error ? describe(error) : 'unreadable', error)
  }
}

function describe(error: Error): string {
  const fields: unknown = 'fields' in error ? error.fields : undefined
  return Array.isArray(fields) ? `${error.message}: ${fields.join(', ')}` : error.message
}

function decodeUtf8(file: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file)
  } catch (error) {
    throw bundleInvalid('not UTF-8', error)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // No cause: the parser's message quotes the file, and a person may have named the wrong one.
    throw bundleInvalid('not JSON')
  }
}
