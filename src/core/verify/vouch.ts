import { DeliveryError, failureOf } from '../errors.ts'
import type { Catalogue } from '../manifest/catalogue.ts'
import { parseCatalogue } from '../manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../manifest/parse-envelope.ts'
import type { Sha256 } from '../model/ids.ts'
import type { Approval, SignatureVerifier } from '../ports.ts'
import { sha256Of } from './digest.ts'
import type { SignaturePolicy, SignatureVerdict } from './identity-policy.ts'
import { requireProvenance, type ProvenancePolicy } from './provenance-policy.ts'
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
 * @throws {DeliveryError} `format-*`, `signature-missing`, `signers-too-few`, or why the first bundle was refused
 */
export async function vouchForCatalogue(file: Uint8Array, policy: SignaturePolicy, verifier: SignatureVerifier): Promise<VouchedCatalogue> {
  const { payload, bundles } = parseCatalogueEnvelope(file)
  const payloadSha256 = sha256Of(payload)
  const { accepted, refusal } = await judge(bundles, { subject: payloadSha256, policy, provenance: undefined }, verifier)
  const [first] = accepted
  if (first === undefined) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'catalogue' })
  return { catalogue: parseCatalogue(payload), payload, payloadSha256, verdict: first.verdict }
}

/**
 * Every verdict on the bundles of an artifact, of at least as many signers as the policy asks for. Those that it refuses then do no harm.
 * @throws {DeliveryError} `signature-missing`, `signers-too-few`, `provenance-refused`, or why the first bundle was refused
 */
export async function vouchForArtifact(
  bundles: readonly Uint8Array[],
  claim: { readonly artifact: Sha256; readonly trust: SiteTrust },
  verifier: SignatureVerifier,
): Promise<readonly BundleVerdict[]> {
  const { artifacts, provenance } = claim.trust
  const { accepted, refusal } = await judge(bundles, { subject: claim.artifact, policy: artifacts, provenance }, verifier)
  if (accepted.length === 0) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'artifact' })
  if (provenance.required && !accepted.some(({ verdict }) => verdict.provenance !== undefined)) {
    // Why an attestation did not count says more than that there is none.
    if (failureOf(refusal)?.code === 'provenance-refused') throw refusal
    throw new DeliveryError({ code: 'provenance-refused', detail: 'no accepted bundle says where it was built, and this site demands one' })
  }
  return accepted
}

interface Signed {
  readonly subject: Sha256
  readonly policy: SignaturePolicy
  /** What an attestation has to say to count as much as a signature over the bytes; undefined: none counts. */
  readonly provenance: ProvenancePolicy | undefined
}

interface Judged {
  readonly accepted: readonly BundleVerdict[]
  readonly refusal: unknown
}

async function judge(bundles: readonly Uint8Array[], signed: Signed, verifier: SignatureVerifier): Promise<Judged> {
  const accepted: BundleVerdict[] = []
  const signers = new Set<number>()
  let refusal: unknown
  const attempt = async (work: () => Promise<void> | void): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (failureOf(error) === undefined) throw error
      refusal ??= error
    }
  }
  for (const bundle of bundles) {
    let approvals: readonly Approval[] = []
    await attempt(async () => {
      approvals = await verifier.verify(bundle, signed.subject, signed.policy)
    })
    for (const { verdict, signer } of approvals) {
      await attempt(() => {
        requireWordFor(verdict, signed.provenance)
        accepted.push({ bundle: sha256Of(bundle), verdict })
        signers.add(signer)
      })
    }
  }
  const { minSigners } = signed.policy
  if (accepted.length > 0 && signers.size < minSigners)
    throw new DeliveryError({ code: 'signers-too-few', needed: minSigners, found: signers.size })
  return { accepted, refusal }
}

/** Whatever verifier is in use: an attestation counts only for what it says, never for its signature alone. */
function requireWordFor(verdict: SignatureVerdict, provenance: ProvenancePolicy | undefined): void {
  if (verdict.form === 'message') return
  if (provenance === undefined)
    throw new DeliveryError({ code: 'bundle-invalid', detail: 'an attestation, where the bytes themselves have to be signed' })
  requireProvenance(verdict, provenance)
}
