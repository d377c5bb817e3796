import { bundleFromJSON, type Bundle } from '@sigstore/bundle'
import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { bundleInvalid } from './refusal.ts'

/** Compared whole: upstream's own check is an unanchored pattern. */
const MEDIA_TYPES: ReadonlySet<unknown> = new Set([
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
])

/**
 * Every field of a bundle that holds bytes. Upstream decodes whatever stands there: an object with a `length` makes it
 * allocate that much, and Node's decoder skips what is not base64.
 */
const BYTES_FIELDS: ReadonlySet<string> = new Set([
  'canonicalizedBody',
  'digest',
  'hashes',
  'keyId',
  'payload',
  'rawBytes',
  'rootHash',
  'sig',
  'signature',
  'signedEntryTimestamp',
  'signedTimestamp',
])
const BASE64 = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$/

/**
 * The JSON texts in a bundle file: one document, or JSON Lines as `gh attestation download` writes.
 * @throws {DeliveryError} `format-oversized`, `bundle-invalid`
 */
export function splitBundles(file: Uint8Array): readonly string[] {
  if (file.length > LIMITS.bundleBytes) throw new DeliveryError({ code: 'format-oversized', document: 'bundle', limitBytes: LIMITS.bundleBytes })
  const text = decodeUtf8(file)
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length < 2 || isJson(text)) return [text]
  if (lines.length > LIMITS.bundlesPerArtifact) throw bundleInvalid(`more than ${LIMITS.bundlesPerArtifact} bundles in one file`)
  return lines
}

/** One bundle, complete for its version. @throws {DeliveryError} `bundle-invalid` */
export function parseBundle(text: string): Bundle {
  const json = parseJson(text)
  if (typeof json !== 'object' || json === null || !('mediaType' in json)) throw bundleInvalid('no mediaType: not a Sigstore bundle of version 0.1 to 0.3')
  if (!MEDIA_TYPES.has(json.mediaType)) throw bundleInvalid(`media type ${String(json.mediaType)} is not a Sigstore bundle of version 0.1 to 0.3`)
  requireReadable(json, { path: '', depth: 0, isBytes: false })
  try {
    return bundleFromJSON(json)
  } catch (error) {
    throw bundleInvalid(error instanceof Error ? describe(error) : 'unreadable', error)
  }
}

interface Place {
  readonly path: string
  readonly depth: number
  readonly isBytes: boolean
}

function requireReadable(value: unknown, place: Place): void {
  if (place.depth > LIMITS.jsonDepth) throw bundleInvalid('nested too deeply')
  if (place.isBytes && !Array.isArray(value) && value !== null) return requireBase64(value, place.path)
  if (place.path.endsWith('checkpoint.envelope') && typeof value === 'string') requireAtMost(value.length, LIMITS.checkpointCharacters, place.path)
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) requireAtMost(value.length, place.isBytes ? LIMITS.proofHashes : LIMITS.witnessesPerBundle, place.path)
  for (const [key, child] of Object.entries(value)) {
    const isBytes = Array.isArray(value) ? place.isBytes : BYTES_FIELDS.has(key)
    requireReadable(child, { path: place.path === '' ? key : `${place.path}.${key}`, depth: place.depth + 1, isBytes })
  }
}

function requireAtMost(count: number, limit: number, path: string): void {
  if (count > limit) throw bundleInvalid(`${path} has ${count}, at most ${limit} are read`)
}

function requireBase64(value: unknown, path: string): void {
  if (typeof value !== 'string' || !BASE64.test(value)) throw bundleInvalid(`${path} is not base64`)
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

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    // Not one document: then it is taken for JSON Lines.
    return false
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw bundleInvalid('not JSON', error)
  }
}
