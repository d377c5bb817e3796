import { DeliveryError } from '../core/errors.ts'
import { describeSigner, isIdentity, type Signer } from '../core/verify/identity-policy.ts'
import type { CertificateFacts } from './certificate-facts.ts'

/**
 * Which signer of the policy the verified certificate names: its place.
 * @throws {DeliveryError} `identity-mismatch`
 */
export function matchSigner(signers: readonly Signer[], facts: CertificateFacts): number {
  const place = signers.findIndex((signer) => isNamedIn(facts, signer))
  if (place === -1) throw identityMismatch(signers, describeSigner({ kind: 'certificate', ...facts }))
  return place
}

export function identityMismatch(signers: readonly Signer[], actual: string): DeliveryError {
  return new DeliveryError({ code: 'identity-mismatch', expected: signers.map(describeSigner).join(' or '), actual })
}

function isNamedIn({ identity, issuer, extensions }: CertificateFacts, signer: Signer): boolean {
  if (signer.kind !== 'certificate' || !isIdentity(signer.identity, identity) || signer.issuer !== issuer) return false
  const said: ReadonlyMap<string, unknown> = new Map(Object.entries(extensions))
  return Object.entries(signer.extensions ?? {}).every(([name, value]) => said.get(name) === value)
}
