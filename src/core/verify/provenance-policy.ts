import { DeliveryError } from '../errors.ts'
import { isIdentity, type Identity, type SignatureVerdict } from './identity-policy.ts'
import { SLSA_PROVENANCE_TYPES } from './statement.ts'

/** What build provenance has to say before it vouches for an artifact. A member that is undefined asks for nothing. */
export interface ProvenancePolicy {
  /** Refuse an artifact without such provenance; else a signature over its bytes will do. */
  readonly required: boolean
  /** In-toto predicate types that are let pass: some of those that this version reads. */
  readonly predicateTypes: readonly string[]
  readonly builderId: Identity | undefined
  readonly buildType: string | undefined
  readonly source: SourcePolicy
}

/** Where it must have been built from, each compared literally. */
export interface SourcePolicy {
  /** Repository, as `https://github.com/acme/agent`. */
  readonly uri: string | undefined
  /** Full ref, as `refs/heads/main`. */
  readonly ref: string | undefined
  /** Commit, in hex. */
  readonly digest: string | undefined
}

export const ANY_PROVENANCE: ProvenancePolicy = {
  required: false,
  predicateTypes: SLSA_PROVENANCE_TYPES,
  builderId: undefined,
  buildType: undefined,
  source: { uri: undefined, ref: undefined, digest: undefined },
}

/**
 * Whether an attestation counts. Of source, what the certificate says comes before what the statement says: the first is the word of
 * the signer's CI, the second the signer's own.
 * @throws {DeliveryError} `provenance-refused`, naming what was expected and what is there
 */
export function requireProvenance(verdict: SignatureVerdict, policy: ProvenancePolicy): void {
  const { predicateType, provenance } = verdict
  if (provenance === undefined) throw refused(`a statement of type ${predicateType} says nothing of a build`)
  if (predicateType === undefined || !policy.predicateTypes.includes(predicateType))
    throw refused(`predicate type ${predicateType}, expected ${policy.predicateTypes.join(' or ')}`)
  const { builderId, buildType, source } = policy
  if (builderId !== undefined && !isIdentity(builderId, provenance.builderId))
    throw refused(`builder ${provenance.builderId}, expected ${typeof builderId === 'string' ? builderId : `${builderId.workflow}@…`}`)
  requireSame('build type', buildType, provenance.buildType)
  requireSame('source repository', source.uri, verdict.sourceRepository ?? provenance.sourceUri)
  requireSame('source ref', source.ref, verdict.sourceRef ?? provenance.sourceRef)
  requireSame('source commit', source.digest, verdict.sourceDigest ?? provenance.sourceDigest)
}

function requireSame(what: string, wanted: string | undefined, actual: string | undefined): void {
  if (wanted !== undefined && wanted !== actual) throw refused(`${what} ${actual ?? 'not said'}, expected ${wanted}`)
}

function refused(detail: string): DeliveryError {
  return new DeliveryError({ code: 'provenance-refused', detail })
}
