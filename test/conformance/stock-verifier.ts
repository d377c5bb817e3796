import { createPublicKey } from 'node:crypto'
import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { SHARED_ARTIFACT, type Vector } from './vectors.ts'

/** Whether the library alone accepts it, used by its manual, on Node's cryptography and with the whole artifact: none of our code. */
export function isAcceptedByStock({ bundle, artifact = SHARED_ARTIFACT, trustedRoot, signer }: Vector): boolean {
  try {
    const parsed = bundleFromJSON(typeof bundle === 'string' ? JSON.parse(bundle) : bundle)
    const keyOf = 'publicKeyPem' in signer ? () => ({ publicKey: createPublicKey(signer.publicKeyPem), validFor: () => true }) : undefined
    const trust = toTrustMaterial(TrustedRoot.fromJSON(trustedRoot), keyOf)
    const entity = toSignedEntity(parsed, parsed.content.$case === 'messageSignature' ? artifact : undefined)
    const policy = 'identity' in signer ? { subjectAlternativeName: signer.identity, extensions: { issuer: signer.issuer } } : undefined
    new Verifier(trust, keyOf === undefined ? {} : { timestampThreshold: 0, ctlogThreshold: 0 }).verify(entity, policy)
    return true
  } catch {
    return false // whatever it threw, it did not accept
  }
}
