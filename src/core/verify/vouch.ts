import { DeliveryError, failureOf } from '../errors.ts'
import type { Catalogue } from '../manifest/catalogue.ts'
import { parseCatalogue } from '../manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../manifest/parse-envelope.ts'
import type { Sha256 } from '../model/ids.ts'
import type { SignatureVerifier } from '../ports.ts'
import { sha256Of } from './digest.ts'
import type { SignaturePolicy, SignatureVerdict } from './identity-policy.ts'
import type { SiteTrust } from './site-trust.ts'

/** A verdict, and which bundle gave it. */
export interface BundleVerdict {
  readonly bundle: Sha256
  readonly verdict: SignatureVerdict
}

/** A catalogue whose signature holds. Whether it may take the place of the one before is another question: `acceptCatalogue`. */
export interface VouchedCatalogue {
  readonly catalogue: Catalogue
  /** What was signed, byte for byte. */
  readonly payload: Uint8Array
  readonly payloadSha256: Sha256
  readonly verdict: SignatureVerdict
}

/**
 * Opens `/catalogue.json` as served, and believes it only when one of its bundles signs it as a message: to attest where
 * something was built is not to publish it. The payload is parsed after that, never before.
 * @throws {DeliveryError} `format-*`, `signature-missing`, or why the first bundle was refused
 */
export async function vouchForCatalogue(file: Uint8Array, policy: SignaturePolicy, verifier: SignatureVerifier): Promise<VouchedCatalogue> {
  const { payload, bundles } = parseCatalogueEnvelope(file)
  const payloadSha256 = sha256Of(payload)
  const { accepted, refusal } = await judge(bundles, { subject: payloadSha256, policy, mayAttest: false }, verifier)
  const [first] = accepted
  if (first === undefined) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'catalogue' })
  return { catalogue: parseCatalogue(payload), payload, payloadSha256, verdict: first.verdict }
}

/**
 * Every verdict on the bundles of an artifact. One that passes is enough; those that the policy refuses then do no harm.
 * @throws {DeliveryError} `signature-missing`, `provenance-refused`, or why the first bundle was refused
 */
export async function vouchForArtifact(
  bundles: readonly Uint8Array[],
  claim: { readonly artifact: Sha256; readonly trust: SiteTrust },
  verifier: SignatureVerifier,
): Promise<readonly BundleVerdict[]> {
  const { artifacts, requireProvenance } = claim.trust
  const { accepted, refusal } = await judge(bundles, { subject: claim.artifact, policy: artifacts, mayAttest: true }, verifier)
  if (accepted.length === 0) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'artifact' })
  if (requireProvenance && !accepted.some(({ verdict }) => verdict.provenance !== undefined)) {
    throw new DeliveryError({ code: 'provenance-refused', detail: 'no accepted bundle says where it was built, and this site demands one' })
  }
  return accepted
}

interface Signed {
  readonly subject: Sha256
  readonly policy: SignaturePolicy
  /** Whether a provenance counts as much as a signature over the bytes. */
  readonly mayAttest: boolean
}

interface Judged {
  readonly accepted: readonly BundleVerdict[]
  readonly refusal: unknown
}

async function judge(bundles: readonly Uint8Array[], signed: Signed, verifier: SignatureVerifier): Promise<Judged> {
  const accepted: BundleVerdict[] = []
  let refusal: unknown
  for (const bundle of bundles) {
    try {
      const verdict = await verifier.verify(bundle, signed.subject, signed.policy)
      requireWordFor(verdict, signed.mayAttest)
      accepted.push({ bundle: sha256Of(bundle), verdict })
    } catch (error) {
      if (failureOf(error) === undefined) throw error
      refusal ??= error
    }
  }
  return { accepted, refusal }
}

/** Whatever verifier is in use: an attestation counts only for what it says, never for its signature alone. */
function requireWordFor({ form, predicateType, provenance }: SignatureVerdict, mayAttest: boolean): void {
  if (form === 'message') return
  if (!mayAttest)
    throw new DeliveryError({ code: 'bundle-invalid', detail: 'an attestation, where the bytes themselves have to be signed' })
  if (provenance !== undefined) return
  throw new DeliveryError({ code: 'provenance-refused', detail: `a statement of type ${predicateType} says nothing of a build` })
}
