import type { Sha256 } from '../model/ids.ts'
import { encodeJson } from '../json/json.ts'
import { sha256Of } from '../verify/digest.ts'
import type { BuildClaim, SignatureVerdict, VerifiedSigner } from '../verify/identity-policy.ts'
import type { AuditRecord, SourceTally } from './record.ts'
import { redactAuditRecord } from './redact.ts'

/**
 * One line of JSON without a line feed, redacted, its members in a fixed order: equal records have equal bytes, so that
 * a digest can stand for one.
 */
export function encodeAuditRecord(record: AuditRecord): Uint8Array<ArrayBuffer> {
  const { artifact, catalogue, outcome, ...rest } = redactAuditRecord(record)
  return encodeJson({
    schema: rest.schema,
    id: rest.id,
    startedAtSeconds: rest.startedAtSeconds,
    endedAtSeconds: rest.endedAtSeconds,
    name: rest.name,
    version: rest.version,
    artifact: {
      sha256: artifact.sha256,
      sizeBytes: artifact.sizeBytes,
      pieces: artifact.pieces,
      pieceLengthBytes: artifact.pieceLengthBytes,
    },
    outcome: 'failure' in outcome ? { kind: outcome.kind, failure: outcome.failure } : { kind: outcome.kind },
    catalogue: {
      version: catalogue.version,
      sha256: catalogue.sha256,
      source: catalogue.source,
      freshness: catalogue.freshness,
      expiresAtSeconds: catalogue.expiresAtSeconds,
      verdict: writeVerdict(catalogue.verdict),
    },
    verdicts: rest.verdicts.map((one) => ('failure' in one ? one : { bundle: one.bundle, verdict: writeVerdict(one.verdict) })),
    sources: rest.sources.map(writeTally),
    policySha256: rest.policySha256,
    previous: rest.previous,
  })
}

/** What the next record names as `previous`. */
export function auditRecordDigest(record: AuditRecord): Sha256 {
  return sha256Of(encodeAuditRecord(record))
}

function writeTally(tally: SourceTally): object {
  return {
    source: tally.source,
    tier: tally.tier,
    pieces: tally.pieces.map(({ start, end }) => ({ start, end })),
    verifiedBytes: tally.verifiedBytes,
    receivedBytes: tally.receivedBytes,
    // Redaction has put the members of a failure in the order of its code.
    failures: tally.failures,
  }
}

function writeVerdict(verdict: SignatureVerdict): object {
  const { signer, form, predicateType, provenance, sourceRepository, sourceRef, sourceDigest, signedAtSeconds } = verdict
  return {
    signer: writeSigner(signer),
    form,
    predicateType,
    provenance: provenance === undefined ? undefined : writeBuildClaim(provenance),
    sourceRepository,
    sourceRef,
    sourceDigest,
    signedAtSeconds,
  }
}

function writeBuildClaim({ builderId, buildType, sourceUri, sourceRef, sourceDigest }: BuildClaim): object {
  return { builderId, buildType, sourceUri, sourceRef, sourceDigest }
}

function writeSigner(signer: VerifiedSigner): object {
  if (signer.kind === 'key') return { kind: signer.kind, publicKeyPem: signer.publicKeyPem }
  return { kind: signer.kind, identity: signer.identity, issuer: signer.issuer }
}
