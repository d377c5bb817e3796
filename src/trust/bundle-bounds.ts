import { LIMITS } from '../core/limits.ts'
import { bundleInvalid } from './refusal.ts'

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
/** What was signed, and the log's word on it, may be as long as the bundle is; a key, a certificate, a signature, a timestamp may not. */
const LONG_FIELD = /(?:payload|canonicalizedBody)$/
const BASE64 = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$/

interface Place {
  readonly path: string
  readonly depth: number
  readonly isBytes: boolean
}

/**
 * Checks, before anything of a bundle is decoded, that its bytes are base64 and that nothing in it repeats without end:
 * all of it is attacker-controlled.
 * @throws {DeliveryError} `bundle-invalid`
 */
export function requireBounded(json: object): void {
  walk(json, { path: '', depth: 0, isBytes: false })
}

function walk(value: unknown, place: Place): void {
  if (place.depth > LIMITS.jsonDepth) throw bundleInvalid('nested too deeply')
  if (Array.isArray(value)) return walkList(value, place)
  if (value === null) return
  if (place.isBytes) return requireBase64(value, place.path)
  if (typeof value === 'object') return walkFields(value, place)
  if (typeof value === 'string' && place.path.endsWith('checkpoint.envelope'))
    requireAtMost(value.length, LIMITS.checkpointCharacters, place.path)
}

function walkList(list: readonly unknown[], place: Place): void {
  requireAtMost(list.length, place.isBytes ? LIMITS.proofHashes : LIMITS.witnessesPerBundle, place.path)
  for (const [i, item] of list.entries()) walk(item, { ...place, path: `${place.path}.${i}`, depth: place.depth + 1 })
}

function walkFields(record: object, place: Place): void {
  for (const [key, field] of Object.entries(record)) {
    const path = place.path === '' ? key : `${place.path}.${key}`
    walk(field, { path, depth: place.depth + 1, isBytes: BYTES_FIELDS.has(key) })
  }
}

function requireAtMost(count: number, limit: number, path: string): void {
  if (count > limit) throw bundleInvalid(`${path} has ${count}, at most ${limit} are read`)
}

function requireBase64(value: unknown, path: string): void {
  if (typeof value !== 'string' || !BASE64.test(value)) throw bundleInvalid(`${path} is not base64`)
  if (!LONG_FIELD.test(path)) requireAtMost(value.length, LIMITS.bundleFieldCharacters, path)
}
