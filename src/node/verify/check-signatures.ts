import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue } from '../../core/manifest/catalogue.ts'
import { parseCatalogue } from '../../core/manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope } from '../../core/manifest/parse-envelope.ts'
import type { Sha256 } from '../../core/model/ids.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import { sha256Of } from '../../core/verify/digest.ts'
import type { SignaturePolicy, SignatureVerdict } from '../../core/verify/identity-policy.ts'
import type { SiteTrust } from './site-trust.ts'

/** A catalogue whose signature holds. */
export interface VerifiedCatalogue {
  readonly catalogue: Catalogue
  /** What was signed, byte for byte. */
  readonly payload: Uint8Array
  readonly payloadSha256: Sha256
  readonly verdict: SignatureVerdict
}

/** A verdict, and which bundle gave it. */
export interface BundleVerdict {
  readonly bundle: Sha256
  readonly verdict: SignatureVerdict
}

/**
 * Opens `/catalogue.json` as served, and believes it only when one of its bundles passes.
 * @throws {DeliveryError} `format-*`, `signature-missing`, or why the first bundle was refused
 */
export async function checkCatalogue(file: Uint8Array, policy: SignaturePolicy, verifier: SignatureVerifier): Promise<VerifiedCatalogue> {
  const envelope = parseCatalogueEnvelope(file)
  const payloadSha256 = sha256Of(envelope.payload)
  const { accepted, refusal } = await judge(envelope.bundles, { subject: payloadSha256, policy }, verifier)
  const [first] = accepted
  if (first === undefined) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'catalogue' })
  return { catalogue: parseCatalogue(envelope.payload), payload: envelope.payload, payloadSha256, verdict: first.verdict }
}

/**
 * Every verdict on the bundles of an artifact; those that the policy refuses do no harm while one passes.
 * @throws {DeliveryError} `signature-missing`, `provenance-refused`, or why the first bundle was refused
 */
export async function checkArtifactBundles(
  bundles: readonly Uint8Array[],
  artifact: Sha256,
  options: { readonly trust: SiteTrust; readonly verifier: SignatureVerifier },
): Promise<readonly BundleVerdict[]> {
  const { trust, verifier } = options
  const { accepted, refusal } = await judge(bundles, { subject: artifact, policy: trust.artifacts }, verifier)
  if (accepted.length === 0) throw refusal ?? new DeliveryError({ code: 'signature-missing', subject: 'artifact' })
  if (trust.requireProvenance && !accepted.some(({ verdict }) => isProvenance(verdict))) {
    throw new DeliveryError({
      code: 'provenance-refused',
      detail: 'no bundle attests where it was built, and this site demands it',
    })
  }
  return accepted
}

function isProvenance(verdict: SignatureVerdict): boolean {
  return verdict.predicateType?.startsWith('https://slsa.dev/provenance/') ?? false
}

async function judge(
  bundles: readonly Uint8Array[],
  signed: { readonly subject: Sha256; readonly policy: SignaturePolicy },
  verifier: SignatureVerifier,
): Promise<{
  readonly accepted: readonly BundleVerdict[]
  readonly refusal: DeliveryError | undefined
}> {
  const accepted: BundleVerdict[] = []
  let refusal: DeliveryError | undefined
  for (const bundle of bundles) {
    try {
      accepted.push({
        bundle: sha256Of(bundle),
        verdict: await verifier.verify(bundle, signed.subject, signed.policy),
      })
    } catch (error) {
      if (!(error instanceof DeliveryError)) throw error
      refusal ??= error
    }
  }
  return { accepted, refusal }
}
