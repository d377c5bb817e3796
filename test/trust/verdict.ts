import { failureOf } from '../../src/core/errors.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import type { TrustCase } from './cases.ts'

/** What the verifier makes of a case: `accepted`, a failure's code, or, for anything else that it throws, that text. */
export async function verdictOn(verifier: SignatureVerifier, trustCase: TrustCase): Promise<string> {
  try {
    await verifier.verify(new TextEncoder().encode(trustCase.file), toSha256(trustCase.subject), policyOf(trustCase))
    return 'accepted'
  } catch (error) {
    return failureOf(error)?.code ?? `untyped: ${String(error)}`
  }
}

export function policyOf({ signers, trustedRoot, thresholds }: TrustCase): SignaturePolicy {
  const [first, ...rest] = signers
  if (first === undefined) throw new TypeError('a case needs a signer')
  return { anyOf: [first, ...rest], minSigners: 1, trustedRoot, thresholds }
}
