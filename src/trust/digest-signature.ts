import type { MessageSignature } from '@sigstore/bundle'
import { HashAlgorithm } from '@sigstore/protobuf-specs'
import type { SignedEntity } from '@sigstore/verify'
import { DeliveryError } from '../core/errors.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { fromHex } from '../core/verify/digest.ts'
import { bundleInvalid } from './refusal.ts'
import { parseSpki, verifyOverDigest } from './shims/public-key.ts'

type SignatureContent = SignedEntity['signature']

/**
 * A message signature over bytes of which only the SHA-256 is known: upstream wants the whole artifact in memory.
 * One path for browsers and Node, since neither WebCrypto nor `node:crypto` verifies over a digest.
 * @throws {DeliveryError} `subject-mismatch`; `bundle-invalid` for a digest other than SHA-256
 */
export function digestSignature(message: MessageSignature, subject: Sha256): SignatureContent {
  const { algorithm, digest: stated } = message.messageDigest
  if (algorithm !== HashAlgorithm.SHA2_256)
    throw bundleInvalid(`message digest ${HashAlgorithm[algorithm] ?? algorithm}: only SHA2_256 is read`)
  const digest = fromHex(subject)
  if (!isEqual(stated, digest))
    throw new DeliveryError({ code: 'subject-mismatch', expected: subject, detail: 'the bundle signs another file' })
  return {
    signature: message.signature,
    compareSignature: (other) => isEqual(other, message.signature),
    compareDigest: (other) => isEqual(other, digest),
    compareSignedDigest: (other) => isEqual(other, digest),
    verifySignature(key) {
      const parsed = parseSpki(key.export({ type: 'spki', format: 'der' }))
      if (parsed.kind === 'ed25519') throw bundleInvalid('an Ed25519 signature over a file cannot be verified by digest')
      return isVerified(() => verifyOverDigest(parsed, 'sha256', digest, message.signature))
    },
  }
}

/** noble throws on a signature that is not DER: to us it is simply wrong. */
function isVerified(verify: () => boolean): boolean {
  try {
    return verify()
  } catch {
    return false
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
