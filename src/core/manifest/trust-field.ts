/** The `trust` section: who may sign, and who the witnesses are. */

import { DeliveryError } from '../errors.ts'
import type { JsonField } from '../json/json-field.ts'
import { LIMITS } from '../limits.ts'
import {
  CERTIFICATE_EXTENSIONS,
  DEFAULT_THRESHOLDS,
  type CertificateExtensions,
  type Identity,
  type Signer,
  type Thresholds,
} from '../verify/identity-policy.ts'
import { ANY_PROVENANCE, type ProvenancePolicy } from '../verify/provenance-policy.ts'
import { siteTrust } from '../verify/site-trust.ts'
import { SLSA_PROVENANCE_TYPES } from '../verify/statement.ts'
import type { TrustConfig } from './site-config.ts'
import { readBaseUrl } from './url-field.ts'

const TRUST = [
  'catalogueSigners',
  'artifactSigners',
  'minSigners',
  'trustedRoot',
  'thresholds',
  'provenance',
  'refresh',
  'minimumVersion',
  'version',
  'updates',
] as const

/**
 * Reads the section, and makes sure that it can be enforced.
 * @param baseUrl what a relative URL in it is resolved against; without it URLs have to be absolute
 * @throws {DeliveryError} `policy-missing`; `config-invalid` for what contradicts itself; else as the field complains
 */
export function readTrust(field: JsonField, baseUrl?: string): TrustConfig {
  if (field.isAbsent) throw new DeliveryError({ code: 'policy-missing', detail: 'there is no trust section' })
  const get = field.object([...TRUST, 'requireProvenance'])
  // An earlier name. Ignored like any unknown one, it would leave a demand that nobody enforces.
  if (!get('requireProvenance').isAbsent) throw get('requireProvenance').refuse('expected provenance.required in its place')
  const catalogueSigners = get('catalogueSigners').optional(readSigners) ?? []
  const trust = {
    catalogueSigners,
    artifactSigners: get('artifactSigners').optional(readSigners) ?? catalogueSigners,
    minSigners: get('minSigners').optional(readMinSigners) ?? { catalogue: 1, artifacts: 1 },
    trustedRoot: get('trustedRoot').optional(readRoots),
    thresholds: get('thresholds').optional(readThresholds) ?? DEFAULT_THRESHOLDS,
    provenance: get('provenance').optional(readProvenancePolicy) ?? ANY_PROVENANCE,
    refresh: get('refresh').optional((item) => readRefresh(item, baseUrl)),
    minimumVersion: get('minimumVersion').optional((item) => item.integer(0)) ?? 0,
    version: get('version').optional((item) => item.integer(0)) ?? 0,
    updates: get('updates').optional(readUpdates),
  }
  // With none pinned, a key's log entries count for nothing: one that is added could refuse what was accepted.
  if (trust.refresh !== undefined && trust.trustedRoot === undefined) throw get('trustedRoot').refuse('expected one to begin with')
  siteTrust(trust)
  return trust
}

/** As `readTrust` reads it. */
export function writeTrust(trust: TrustConfig): object {
  const { builderId, buildType, source, required, predicateTypes } = trust.provenance
  return {
    catalogueSigners: trust.catalogueSigners.map(writeSigner),
    artifactSigners: trust.artifactSigners.map(writeSigner),
    minSigners: trust.minSigners,
    trustedRoot: trust.trustedRoot,
    refresh: trust.refresh,
    thresholds: trust.thresholds,
    provenance: { required, predicateTypes, builderId, buildType, source },
    minimumVersion: trust.minimumVersion,
    version: trust.version,
    updates: trust.updates && { signers: trust.updates.signers.map(writeSigner), minSigners: trust.updates.minSigners },
  }
}

function writeSigner(signer: Signer): object {
  if (signer.kind === 'key') return { publicKey: signer.publicKeyPem, requireLog: signer.requireLog }
  const { identity, issuer, extensions } = signer
  return { identity, issuer, extensions }
}

function readSigners(field: JsonField): readonly Signer[] {
  return field.list(LIMITS.trustListEntries).map(readSigner)
}

/** A half-named signer passes here with an empty half, for `requirePolicy` to refuse in its own words. */
function readSigner(field: JsonField): Signer {
  const get = field.object(['identity', 'issuer', 'extensions', 'publicKey', 'requireLog'])
  const isKey = !get('publicKey').isAbsent
  for (const name of isKey ? (['identity', 'issuer', 'extensions'] as const) : (['requireLog'] as const)) {
    // A condition that would not be looked at is worse than none.
    if (!get(name).isAbsent) throw field.refuse('expected either publicKey and requireLog, or identity, issuer and extensions')
  }
  if (isKey) {
    const requireLog = get('requireLog').optional((item) => item.boolean())
    return { kind: 'key', publicKeyPem: get('publicKey').text(LIMITS.siteConfigBytes), ...(requireLog === undefined ? {} : { requireLog }) }
  }
  const extensions = get('extensions').optional(readExtensions)
  return {
    kind: 'certificate',
    identity: get('identity').optional(readIdentity) ?? '',
    issuer: get('issuer').optional((item) => item.text()) ?? '',
    ...(extensions === undefined ? {} : { extensions }),
  }
}

function readIdentity(field: JsonField): Identity {
  if (typeof field.peek() === 'string') return field.text()
  const get = field.object(['workflow', 'refs'])
  return { workflow: get('workflow').text(), refs: get('refs').oneOf(['tags', 'heads']) }
}

/** A name that is not known is refused: a misspelt condition would be one that nobody enforces. */
function readExtensions(field: JsonField): CertificateExtensions {
  const names = Object.keys(CERTIFICATE_EXTENSIONS)
  const get = field.object(names)
  const unknown = Object.keys(field.foreignObject()).find((name) => !names.includes(name))
  if (unknown !== undefined) throw field.refuse(`${unknown} is none of ${names.join(', ')}`)
  return Object.fromEntries(
    names.flatMap((name) => {
      const text = get(name).optional((item) => item.text())
      return text === undefined ? [] : [[name, text]]
    }),
  )
}

function readMinSigners(field: JsonField): TrustConfig['minSigners'] {
  const get = field.object(['catalogue', 'artifacts'])
  return {
    catalogue: get('catalogue').optional((item) => item.integer(1, LIMITS.trustListEntries)) ?? 1,
    artifacts: get('artifacts').optional((item) => item.integer(1, LIMITS.trustListEntries)) ?? 1,
  }
}

function readUpdates(field: JsonField): NonNullable<TrustConfig['updates']> {
  const get = field.object(['signers', 'minSigners'])
  return {
    signers: readSigners(get('signers')),
    minSigners: get('minSigners').optional((item) => item.integer(1, LIMITS.trustListEntries)) ?? 1,
  }
}

function readRoots(field: JsonField): unknown {
  return Array.isArray(field.peek()) ? field.list(LIMITS.trustedRoots).map((item) => item.foreignObject()) : field.foreignObject()
}

function readRefresh(field: JsonField, baseUrl: string | undefined): TrustConfig['refresh'] {
  const get = field.object(['url', 'root'])
  return { url: readBaseUrl(get('url'), baseUrl), root: get('root').foreignObject() }
}

function readProvenancePolicy(field: JsonField): ProvenancePolicy {
  const get = field.object(['required', 'predicateTypes', 'builderId', 'buildType', 'source'])
  const source = get('source').optional((item) => item.object(['uri', 'ref', 'digest']))
  return {
    required: get('required').optional((item) => item.boolean()) ?? true,
    predicateTypes: get('predicateTypes').optional(readPredicateTypes) ?? SLSA_PROVENANCE_TYPES,
    builderId: get('builderId').optional(readIdentity),
    buildType: get('buildType').optional((item) => item.text()),
    source: {
      uri: source?.('uri').optional((item) => item.text()),
      ref: source?.('ref').optional((item) => item.text()),
      digest: source?.('digest').optional((item) => item.text()),
    },
  }
}

function readPredicateTypes(field: JsonField): readonly string[] {
  return field.list(LIMITS.trustListEntries).map((item) => item.oneOf(SLSA_PROVENANCE_TYPES))
}

function readThresholds(field: JsonField): Thresholds {
  const get = field.object(['log', 'sct', 'timestamp'])
  return {
    log: get('log').optional((item) => item.integer(0, LIMITS.witnessesAsked)) ?? DEFAULT_THRESHOLDS.log,
    sct: get('sct').optional((item) => item.integer(0, LIMITS.witnessesAsked)) ?? DEFAULT_THRESHOLDS.sct,
    timestamp: get('timestamp').optional((item) => item.integer(0, LIMITS.witnessesAsked)) ?? DEFAULT_THRESHOLDS.timestamp,
  }
}
