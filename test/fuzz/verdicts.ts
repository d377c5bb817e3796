/** The one place here that knows how a verifier and its policy are called. */

import { failureOf } from '../../src/core/errors.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { requirePolicy, type SignaturePolicy, type SignatureVerdict, type Signer } from '../../src/core/verify/identity-policy.ts'

/** A policy as plain data, as a corpus keeps it. */
export interface PolicyFacts {
  readonly signers: readonly Signer[]
  readonly trustedRoot: unknown
}

export function policyOf({ signers, trustedRoot }: PolicyFacts): SignaturePolicy {
  return requirePolicy(signers, { trustedRoot })
}

/** Every verdict on the file. @throws whatever the verifier throws */
export async function verdictsOf(
  verifier: SignatureVerifier,
  file: Uint8Array,
  { subject, policy }: { readonly subject: string; readonly policy: SignaturePolicy },
): Promise<readonly SignatureVerdict[]> {
  return (await verifier.verify(file, toSha256(subject), policy)).map(({ verdict }) => verdict)
}

/** The code of a refusal, from whatever global it was thrown; undefined for anything else. */
export function refusalCode(error: unknown): string | undefined {
  const own = failureOf(error)?.code
  if (own !== undefined) return own
  const { name, failure } = Object(error) as { readonly name?: unknown; readonly failure?: { readonly code?: unknown } }
  return name === 'DeliveryError' && typeof failure?.code === 'string' ? failure.code : undefined
}
