import { DeliveryError } from '../core/errors.ts'
import type { CertificateSigner, Signer } from '../core/verify/identity-policy.ts'
import type { CertificateFacts } from './certificate-facts.ts'

/**
 * The first signer of the policy that the verified certificate names, compared from first to last character.
 * @throws {DeliveryError} `identity-mismatch`
 */
export function matchSigner(signers: readonly Signer[], facts: CertificateFacts): CertificateSigner {
  const match = signers.filter(isCertificateSigner).find((signer) => signer.identity === facts.identity && signer.issuer === facts.issuer)
  if (match === undefined) throw identityMismatch(signers, `${facts.identity}, vouched for by ${facts.issuer}`)
  return match
}

export function identityMismatch(signers: readonly Signer[], actual: string): DeliveryError {
  return new DeliveryError({ code: 'identity-mismatch', expected: signers.map(describeSigner).join(' or '), actual })
}

function isCertificateSigner(signer: Signer): signer is CertificateSigner {
  return signer.kind === 'certificate'
}

function describeSigner(signer: Signer): string {
  return signer.kind === 'key' ? 'a named public key' : `${signer.identity}, vouched for by ${signer.issuer}`
}
