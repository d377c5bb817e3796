/** `/trust/<n>.json`: another trust section in place of the one before. Described in docs/trust-updates.md. */

import { encodeJson, openJson } from '../json/json.ts'
import { LIMITS } from '../limits.ts'
import type { Sha256 } from '../model/ids.ts'
import { isLabel } from '../model/names.ts'
import { readSha256 } from './blob-field.ts'
import type { TrustConfig } from './site-config.ts'
import { readTrust, writeTrust } from './trust-field.ts'

/** The signed payload of a trust update. */
export interface TrustUpdate {
  readonly schema: 1
  readonly repository: string
  /** Its place in the sequence, from 1. */
  readonly version: number
  readonly createdAtSeconds: number
  /** Takes the place of the whole section before it. */
  readonly trust: TrustConfig & { readonly updates: NonNullable<TrustConfig['updates']> }
  /** Withdrawn for good: artifacts, manifests or catalogues, by SHA-256 (of a catalogue: of its payload). */
  readonly denied: readonly Sha256[]
  /** Lowest catalogue version from now on, whatever a client has seen before. */
  readonly resetFloor: number | undefined
}

const PAYLOAD = ['schema', 'repository', 'version', 'created', 'trust', 'denied', 'resetFloor'] as const

/**
 * Reads the payload. Its signatures have to be verified before anything in it is used.
 * @throws {DeliveryError} `format-*`, `config-invalid`, `policy-missing`
 */
export function parseTrustUpdate(payload: Uint8Array): TrustUpdate {
  const get = openJson(payload, { document: 'trust-update', limitBytes: LIMITS.trustUpdateBytes }).object(PAYLOAD)
  const schema = get('schema').schema(1)
  const version = get('version').integer(1)
  const { updates, ...trust } = readTrust(get('trust'))
  if (trust.version !== version) throw get('trust').refuse(`expected version ${version} in it`)
  // Whoever wants no more updates publishes another sealift.json; left out by mistake, this would shut everybody out.
  if (updates === undefined) throw get('trust').refuse('expected updates: who may sign the next one')
  return {
    schema,
    repository: get('repository').checked(isLabel, 'a name of letters, digits and . _ : -'),
    version,
    createdAtSeconds: get('created').integer(0),
    trust: { ...trust, updates },
    denied: get('denied').optional((field) => field.list(LIMITS.deniedDigests).map(readSha256)) ?? [],
    resetFloor: get('resetFloor').optional((field) => field.integer(0)),
  }
}

/** The payload to sign. Reads back what it wrote. @throws {DeliveryError} as `parseTrustUpdate` */
export function encodeTrustUpdate(update: TrustUpdate): Uint8Array<ArrayBuffer> {
  const { schema, repository, version, createdAtSeconds, trust, denied, resetFloor } = update
  const payload = encodeJson({ schema, repository, version, created: createdAtSeconds, trust: writeTrust(trust), denied, resetFloor })
  parseTrustUpdate(payload)
  return payload
}
