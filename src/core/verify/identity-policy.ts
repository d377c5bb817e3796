/** Who may sign what: the shape of the policy, and the one place that reads it. */

import { DeliveryError } from '../errors.ts'

/** Somebody whose signature counts. */
export type Signer = CertificateSigner | KeySigner

/** A keyless signer: the literal identity in the certificate, and who vouched for it. Both are compared whole. */
export interface CertificateSigner {
  readonly kind: 'certificate'
  /** Subject alternative name, compared literally from first to last character. */
  readonly identity: string
  /** OIDC issuer, compared literally. */
  readonly issuer: string
}

export interface KeySigner {
  readonly kind: 'key'
  /** SubjectPublicKeyInfo in PEM. */
  readonly publicKeyPem: string
}

/** How many independent witnesses a certificate signature needs. A key signature needs none. */
export interface Thresholds {
  readonly log: number
  readonly sct: number
  readonly timestamp: number
}

export interface SignaturePolicy {
  /** One of these must have signed. Never empty. */
  readonly anyOf: readonly [Signer, ...Signer[]]
  /** Sigstore `trusted_root.json`, parsed JSON. Needed for certificate signers. */
  readonly trustedRoot: unknown
  readonly thresholds: Thresholds
}

/** What SLSA provenance has to say at the least. */
export interface BuildClaim {
  readonly builderId: string
  readonly buildType: string
}

/** What a verified bundle says, in facts that an audit record can keep. */
export interface SignatureVerdict {
  readonly signer: Signer
  readonly form: 'message' | 'attestation'
  /** Of an attestation: in-toto `predicateType`. */
  readonly predicateType: string | undefined
  /** Of an attestation: the builder that it names, and the kind of build. The signer's own claim; undefined for a message. */
  readonly provenance: BuildClaim | undefined
  /** Fulcio's source repository and ref, when the certificate carries them: the signer's CI, not its own claim. */
  readonly sourceRepository: string | undefined
  readonly sourceRef: string | undefined
  /** Verified time of the signature, Unix seconds; undefined for a key signature without witness. */
  readonly signedAtSeconds: number | undefined
}

export const DEFAULT_THRESHOLDS: Thresholds = { log: 1, sct: 1, timestamp: 1 }

/**
 * A policy that can be enforced, or no policy at all.
 * @throws {DeliveryError} `policy-missing`, when there is no signer, or one is half-named
 */
export function requirePolicy(
  signers: readonly Signer[],
  trustedRoot: unknown,
  thresholds: Thresholds = DEFAULT_THRESHOLDS,
): SignaturePolicy {
  const [first, ...rest] = signers
  if (first === undefined) throw missing('no signer is named')
  for (const signer of signers) requireSigner(signer, trustedRoot)
  return { anyOf: [first, ...rest], trustedRoot, thresholds }
}

function requireSigner(signer: Signer, trustedRoot: unknown): void {
  if (signer.kind === 'key') {
    if (signer.publicKeyPem.trim() === '') throw missing('a key signer has no key')
    return
  }
  if (signer.identity === '') throw missing('a certificate signer has no identity')
  if (signer.issuer === '') throw missing('a certificate signer has no issuer')
  if (trustedRoot === undefined || trustedRoot === null) throw missing('a certificate signer needs a trusted root')
}

function missing(detail: string): DeliveryError {
  return new DeliveryError({ code: 'policy-missing', detail })
}
