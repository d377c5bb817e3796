import { DeliveryError } from '../core/errors.ts'
import { isSha256, type Sha256 } from '../core/model/ids.ts'
import { sha256Of } from '../core/verify/digest.ts'
import { requirePolicy, type SignaturePolicy, type SignatureVerdict, type Signer } from '../core/verify/identity-policy.ts'
import { createSigstoreVerifier } from '../trust/sigstore-verifier.ts'
import { openTrustedRoot } from '../trust/trusted-root-text.ts'
import { bytesOf } from './driven-bytes.ts'

/** What an outside runner asks. Nothing of it is believed: see `verifyBundle`. */
export interface Question {
  /** Bytes of a bundle file, its text, or its parsed JSON. */
  readonly bundle: unknown
  /** `trusted_root.json` in any of these forms, or JSON Lines of several. Only a key can do without. */
  readonly trustedRoot?: unknown
  /** What was signed, in any form that `bytesOf` reads. Either this or `digest`. */
  readonly artifact?: unknown
  /** SHA-256 of what was signed: 64 hex digits, with `sha256:` before them or not. */
  readonly digest?: unknown
  /** Literal identity and issuer, or a public key in PEM. */
  readonly policy: { readonly identity?: unknown; readonly issuer?: unknown; readonly publicKey?: unknown }
}

/** An accepted bundle, as plain data. */
export interface Answer {
  readonly verified: true
  readonly sha256: Sha256
  readonly verdicts: readonly SignatureVerdict[]
}

/**
 * Judges one bundle with the verifier and the policy that pages use. Resolves when it is accepted.
 * @throws {DeliveryError} when it is refused: `code` says why, and the message begins with it
 * @throws {TypeError} when the question itself is malformed, which is no verdict
 */
export async function verifyBundle(question: Question): Promise<Answer> {
  if (typeof question !== 'object' || question === null)
    throw new TypeError('expected an object with bundle, artifact or digest, and policy')
  const sha256 = subjectOf(question)
  const file = fileOf(question.bundle)
  const approvals = await createSigstoreVerifier().verify(file, sha256, policyOf(question))
  return { verified: true, sha256, verdicts: approvals.map(({ verdict }) => verdict) }
}

function subjectOf({ artifact, digest }: Question): Sha256 {
  if ((artifact === undefined) === (digest === undefined)) throw new TypeError('expected either an artifact or a digest')
  if (digest !== undefined) {
    const hex = typeof digest === 'string' ? digest.replace(/^sha256:/i, '').toLowerCase() : undefined
    if (!isSha256(hex)) throw new TypeError('expected a digest of 64 hex digits, with or without "sha256:" before them')
    return hex
  }
  const bytes = bytesOf(artifact)
  if (bytes === undefined) throw new TypeError('expected the artifact as binary data, text or a list of bytes')
  return sha256Of(bytes)
}

function fileOf(bundle: unknown): Uint8Array {
  if (bundle === undefined) throw new TypeError('expected a bundle')
  return bytesOf(bundle) ?? new TextEncoder().encode(JSON.stringify(bundle))
}

function policyOf({ policy, trustedRoot }: Question): SignaturePolicy {
  if (typeof policy !== 'object' || policy === null) throw new TypeError('expected a policy')
  return requirePolicy(signersOf(policy), { trustedRoot: rootOf(trustedRoot), path: 'policy' })
}

function signersOf({ identity, issuer, publicKey }: Question['policy']): readonly Signer[] {
  const isCertificate = identity !== undefined || issuer !== undefined
  if (publicKey === undefined) return isCertificate ? [{ kind: 'certificate', identity: textOf(identity), issuer: textOf(issuer) }] : []
  if (!isCertificate) return [{ kind: 'key', publicKeyPem: textOf(publicKey) }]
  // A signature is by the one or by the other: to choose would be to guess whom the caller trusts.
  throw new DeliveryError({ code: 'config-invalid', path: 'policy', detail: 'names both a key and an identity' })
}

function textOf(value: unknown): string {
  if (value === undefined) return ''
  const bytes = bytesOf(value)
  if (bytes === undefined) throw new TypeError('expected text in the policy')
  return new TextDecoder().decode(bytes)
}

function rootOf(trustedRoot: unknown): unknown {
  if (trustedRoot === undefined || trustedRoot === null) return undefined
  const bytes = bytesOf(trustedRoot)
  return bytes === undefined ? trustedRoot : openTrustedRoot(new TextDecoder().decode(bytes))
}
