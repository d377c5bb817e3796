import type { Bundle } from '@sigstore/bundle'
import { bundleInvalid } from './refusal.ts'

/**
 * Upstream proves inclusion under the root of the signed checkpoint and reads neither root nor size of the proof beside it. Other clients
 * read both, so a bundle in which they differ would be accepted here and refused there.
 * @throws {DeliveryError} `bundle-invalid`
 */
export function requireAgreeingProofs({ verificationMaterial }: Bundle): void {
  for (const { inclusionProof } of verificationMaterial.tlogEntries) {
    const envelope = inclusionProof?.checkpoint?.envelope
    if (inclusionProof === undefined || envelope === undefined) continue
    const [, size, root] = envelope.split('\n')
    if (inclusionProof.treeSize !== size || inclusionProof.rootHash.toString('base64') !== root)
      throw bundleInvalid('the inclusion proof is for another tree than its checkpoint')
  }
}
