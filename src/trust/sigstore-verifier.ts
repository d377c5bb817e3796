import type { Bundle } from '@sigstore/bundle'
import { crypto } from '@sigstore/core'
import { toSignedEntity, Verifier, type SignedEntity, type TrustMaterial } from '@sigstore/verify'
import { DeliveryError } from '../core/errors.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { Approval, SignatureVerifier } from '../core/ports.ts'
import type { KeySigner, SignaturePolicy, SignatureVerdict, Signer, Thresholds, VerifiedSigner } from '../core/verify/identity-policy.ts'
import { parseStatement, readProvenance } from '../core/verify/statement.ts'
import { parseBundle, splitBundles } from './bundle-json.ts'
import { readCertificateFacts, type CertificateFacts } from './certificate-facts.ts'
import { digestSignature } from './digest-signature.ts'
import { identityMismatch, matchSigner } from './identity.ts'
import { allAccepted, firstAccepted } from './refusal.ts'
import { pemToSpki } from './shims/public-key.ts'
import { NO_ROOT, trustMaterialsOf } from './trust-root.ts'

/** Names what this verifier lets pass: a verdict of other rules is none. The package's version, since any of it may have changed. */
export const VERIFIER_RULES = '0.1.0'

type PublicKey = ReturnType<typeof crypto.createPublicKey>
type NamedKey = { readonly signer: KeySigner; readonly place: number; readonly publicKey: PublicKey }

/** A policy made ready: keys and roots parsed, thresholds checked. */
interface Trust {
  readonly signers: readonly Signer[]
  readonly keys: readonly NamedKey[]
  readonly roots: readonly TrustMaterial[]
  readonly thresholds: Thresholds
}

interface Signed {
  readonly bundle: Bundle
  readonly entity: SignedEntity
  readonly subject: Sha256
}

/**
 * Verifies Sigstore bundles of version 0.1 to 0.3 by the digest of what was signed, in browsers and in Node.
 * Nothing is fetched and no clock is read: all trust comes from the policy. Of attestations only SLSA provenance passes:
 * a good signature under "the test failed" is no word in favour of the file.
 *
 * Besides the failures that the port names, `verify` throws
 * `format-oversized` for a file that is too large, `format-invalid` or `format-unsupported` for the policy's trusted root,
 * and `config-invalid` for its keys and thresholds.
 */
export function createSigstoreVerifier(): SignatureVerifier {
  return {
    // Work is synchronous; async turns a throw into a rejection.
    async verify(file, subject, policy) {
      const trust = prepare(policy)
      return allAccepted(splitBundles(file), (text) => verifyOne(parseBundle(text), subject, trust))
    },
  }
}

function prepare(policy: SignaturePolicy): Trust {
  for (const [name, count] of Object.entries(policy.thresholds)) {
    if (!Number.isSafeInteger(count) || count < 0) throw configInvalid(`thresholds.${name}`, 'not a whole number from 0')
  }
  const keys = policy.anyOf.flatMap((signer, place) => (signer.kind === 'key' ? [parseKey(signer, place)] : []))
  const roots = trustMaterialsOf(policy.trustedRoot)
  if (roots.length === 0 && keys.length < policy.anyOf.length)
    throw configInvalid('trustedRoot', 'missing, and a certificate signer needs one')
  return { signers: policy.anyOf, keys, roots, thresholds: policy.thresholds }
}

function parseKey(signer: KeySigner, place: number): NamedKey {
  try {
    pemToSpki(signer.publicKeyPem)
    return { signer, place, publicKey: crypto.createPublicKey(signer.publicKeyPem.trim()) }
  } catch (error) {
    throw configInvalid('publicKeyPem', error instanceof Error ? error.message : 'unreadable', error)
  }
}

function verifyOne(bundle: Bundle, subject: Sha256, trust: Trust): Approval {
  const signed = { bundle, entity: toEntity(bundle, subject), subject }
  return signed.entity.key.$case === 'certificate' ? verifyKeyless(signed, trust) : verifyKeyed(signed, trust)
}

function toEntity(bundle: Bundle, subject: Sha256): SignedEntity {
  const entity = toSignedEntity(bundle)
  return bundle.content.$case === 'messageSignature'
    ? { ...entity, signature: digestSignature(bundle.content.messageSignature, subject) }
    : entity
}

function verifyKeyless(signed: Signed, trust: Trust): Approval {
  if (signed.entity.key.$case !== 'certificate') throw new TypeError('expected a certificate')
  const facts = readCertificateFacts(signed.entity.key.certificate)
  if (trust.keys.length === trust.signers.length) throw identityMismatch(trust.signers, `a certificate of ${facts.identity}`)
  // A certificate lives for minutes: without a witnessed time nothing says that it was valid.
  const thresholds = { ...trust.thresholds, timestamp: Math.max(1, trust.thresholds.timestamp) }
  firstAccepted(trust.roots, (root) => runVerifier(root, thresholds, signed.entity))
  const signer = matchSigner(trust.signers, facts)
  const { identity, issuer } = facts
  return { verdict: verdictOf(signed, { kind: 'certificate', identity, issuer }, facts), signer }
}

function verifyKeyed(signed: Signed, trust: Trust): Approval {
  if (trust.keys.length === 0) throw identityMismatch(trust.signers, 'a signature by a public key')
  // With no root there is nothing to check a witness against, so none counts.
  const witnessed = trust.roots.length > 0 ? signed : { ...signed, entity: { ...signed.entity, tlogEntries: [], timestamps: [] } }
  const roots = trust.roots.length > 0 ? trust.roots : [NO_ROOT]
  const attempts = keysThatSigned(signed.entity, trust.keys).flatMap((key) => roots.map((root) => ({ key, root })))
  const { key } = firstAccepted(attempts, (attempt) => {
    const publicKey = () => ({ publicKey: attempt.key.publicKey, validFor: () => true })
    const log = attempt.key.signer.requireLog === true ? Math.max(1, trust.thresholds.log) : 0
    runVerifier({ ...attempt.root, publicKey }, { log, sct: 0, timestamp: 0 }, witnessed.entity)
    return attempt
  })
  const { publicKeyPem } = key.signer
  return { verdict: verdictOf(witnessed, { kind: 'key', publicKeyPem }, undefined), signer: key.place }
}

/**
 * Which of several keys it was takes one signature each to tell. Witnesses take many more, under every root, and whoever sends the
 * bundle chooses how many there are.
 */
function keysThatSigned({ signature }: SignedEntity, keys: readonly NamedKey[]): readonly NamedKey[] {
  if (keys.length < 2) return keys
  return allAccepted(keys, (key) => {
    if (signature.verifySignature(key.publicKey)) return key
    throw new DeliveryError({ code: 'signature-invalid', detail: 'signature verification failed' })
  })
}

function runVerifier(root: TrustMaterial, thresholds: Thresholds, entity: SignedEntity): void {
  const options = { tlogThreshold: thresholds.log, ctlogThreshold: thresholds.sct, timestampThreshold: thresholds.timestamp }
  // No policy is passed: upstream would take an identity for an unanchored regular expression.
  new Verifier(root, options).verify(entity)
}

function verdictOf(signed: Signed, signer: VerifiedSigner, facts: CertificateFacts | undefined): SignatureVerdict {
  return {
    signer,
    form: signed.bundle.content.$case === 'dsseEnvelope' ? 'attestation' : 'message',
    ...claimOf(signed),
    sourceRepository: facts?.extensions.sourceRepositoryURI,
    sourceRef: facts?.extensions.sourceRepositoryRef,
    sourceDigest: facts?.extensions.sourceRepositoryDigest,
    signedAtSeconds: signedAtSeconds(signed.entity),
  }
}

/** Upstream never compares an attestation's subject with the artifact, nor does it ask what the attestation says of it. */
function claimOf({ bundle, subject }: Signed): Pick<SignatureVerdict, 'predicateType' | 'provenance'> {
  if (bundle.content.$case !== 'dsseEnvelope') return { predicateType: undefined, provenance: undefined }
  const { payloadType, payload } = bundle.content.dsseEnvelope
  const statement = parseStatement(payloadType, payload)
  if (!statement.subjects.includes(subject)) {
    throw new DeliveryError({ code: 'subject-mismatch', expected: subject, detail: 'the attestation is about another file' })
  }
  return { predicateType: statement.predicateType, provenance: readProvenance(statement) }
}

/** The earliest of the verified times: each proves that the signature existed by then. */
function signedAtSeconds(entity: SignedEntity): number | undefined {
  const times = entity.timestamps.flatMap((time) => {
    if (time.$case === 'timestamp-authority') return [Math.floor(time.timestamp.signingTime.getTime() / 1000)]
    // An integrated time counts only where the log signed for it.
    return time.tlogEntry.inclusionPromise === undefined ? [] : [Number(time.tlogEntry.integratedTime)]
  })
  return times.length === 0 ? undefined : Math.min(...times)
}

function configInvalid(path: string, detail: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'config-invalid', path, detail }, { cause })
}
