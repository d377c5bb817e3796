import { DeliveryError, type Failure } from '../errors.ts'
import type { Catalogue } from '../manifest/catalogue.ts'
import { requireSigningTime } from '../manifest/freshness.ts'
import { parseCatalogue } from '../manifest/parse-catalogue.ts'
import { parseCatalogueEnvelope, parseEnvelope, TRUST_UPDATE } from '../manifest/parse-envelope.ts'
import { parseTrustUpdate, type TrustUpdate } from '../manifest/trust-update.ts'
import type { Sha256 } from '../model/ids.ts'
import type { SignatureVerifier } from '../ports.ts'
import { sha256Of } from './digest.ts'
import { nameSigner, requirePolicy, type SignaturePolicy, type SignatureVerdict } from './identity-policy.ts'
import { requireProvenance, type ProvenancePolicy } from './provenance-policy.ts'
import type { SiteTrust } from './site-trust.ts'

/** A verdict, and which bundle gave it. */
export interface BundleVerdict {
  readonly bundle: Sha256
  readonly verdict: SignatureVerdict
}

/** A bundle that does not count, and why. */
export interface BundleRefusal {
  readonly bundle: Sha256
  readonly failure: Failure
}

/** What was made of one bundle. */
export type BundleOpinion = BundleVerdict | BundleRefusal

/** All that the bundles of one subject came to. */
export interface Hearing {
  /** Several of one file, where it holds several bundles. */
  readonly accepted: readonly BundleVerdict[]
  readonly refused: readonly BundleRefusal[]
  /** Why they do not vouch for it all the same; undefined when they do. */
  readonly objection: DeliveryError | undefined
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
 * @throws {DeliveryError} `format-*`, `signature-missing`, `signers-too-few`, `catalogue-future`, or why the first bundle was refused
 */
export async function vouchForCatalogue(file: Uint8Array, policy: SignaturePolicy, verifier: SignatureVerifier): Promise<VouchedCatalogue> {
  const { payload, bundles } = parseCatalogueEnvelope(file)
  const payloadSha256 = sha256Of(payload)
  const [verdict, ...others] = await requireSigned(bundles, { subject: payloadSha256, policy, of: 'catalogue' }, verifier)
  const catalogue = parseCatalogue(payload)
  // Each witness counts: in which order the bundles stand nobody signed.
  for (const { signedAtSeconds } of [verdict, ...others]) requireSigningTime(catalogue, signedAtSeconds)
  return { catalogue, payload, payloadSha256, verdict }
}

/**
 * Opens a trust update, and believes it only when enough of those who may change trust now signed it, and enough of those who may from then
 * on: a mistyped new set shuts nobody out.
 * @param before undefined: nobody may
 * @throws {DeliveryError} as `vouchForCatalogue`; `config-invalid`, `policy-missing`
 */
export async function vouchForTrustUpdate(
  file: Uint8Array,
  before: SignaturePolicy | undefined,
  verifier: SignatureVerifier,
): Promise<TrustUpdate> {
  const { payload, bundles } = parseEnvelope(file, TRUST_UPDATE)
  const signed = { subject: sha256Of(payload), of: 'trust-update' } as const
  if (before === undefined) throw new DeliveryError({ code: 'policy-missing', detail: 'nobody may change trust' })
  await requireSigned(bundles, { ...signed, policy: before }, verifier)
  const update = parseTrustUpdate(payload)
  const { signers, minSigners } = update.trust.updates
  const after = requirePolicy(signers, { ...update.trust, minSigners })
  // Most updates leave these as they were.
  if (JSON.stringify(after) !== JSON.stringify(before)) await requireSigned(bundles, { ...signed, policy: after }, verifier)
  return update
}

/** The verdicts on bytes that enough of the policy's signers signed themselves. */
async function requireSigned(
  bundles: readonly Uint8Array[],
  signed: Pick<Signed, 'of' | 'subject' | 'policy'>,
  verifier: SignatureVerifier,
): Promise<readonly [SignatureVerdict, ...SignatureVerdict[]]> {
  const { accepted, objection } = await judge(bundles, { ...signed, provenance: undefined }, verifier)
  const [first, ...others] = accepted.map(({ verdict }) => verdict)
  if (objection !== undefined || first === undefined) throw objection
  return [first, ...others]
}

/**
 * Every verdict on the bundles of an artifact, of at least as many signers as the policy asks for. Those that it refuses then do no harm.
 * @throws {DeliveryError} `signature-missing`, `signers-too-few`, `provenance-refused`, or why the first bundle was refused
 */
export async function vouchForArtifact(
  bundles: readonly Uint8Array[],
  claim: ArtifactClaim,
  verifier: SignatureVerifier,
): Promise<readonly BundleVerdict[]> {
  const { accepted, objection } = await hearArtifact(bundles, claim, verifier)
  if (objection !== undefined) throw objection
  return accepted
}

export interface ArtifactClaim {
  readonly artifact: Sha256
  readonly trust: SiteTrust
}

/** As `vouchForArtifact`, for who also wants to tell what was refused, and why: every bundle is heard, and a refusal is data. */
export async function hearArtifact(bundles: readonly Uint8Array[], claim: ArtifactClaim, verifier: SignatureVerifier): Promise<Hearing> {
  const { artifacts: policy, provenance } = claim.trust
  const heard = await judge(bundles, { of: 'artifact', subject: claim.artifact, policy, provenance }, verifier)
  if (heard.objection !== undefined || !provenance.required || heard.accepted.some(({ verdict }) => verdict.provenance !== undefined))
    return heard
  // Why an attestation did not count says more than that there is none.
  const told = heard.refused.find(({ failure }) => failure.code === 'provenance-refused')?.failure
  const detail = 'no accepted bundle says where it was built, and this site demands one'
  return { ...heard, objection: new DeliveryError(told ?? { code: 'provenance-refused', detail }) }
}

interface Signed {
  readonly of: 'catalogue' | 'artifact' | 'trust-update'
  readonly subject: Sha256
  readonly policy: SignaturePolicy
  /** What an attestation has to say to count as much as a signature over the bytes; undefined: none counts. */
  readonly provenance: ProvenancePolicy | undefined
}

async function judge(bundles: readonly Uint8Array[], signed: Signed, verifier: SignatureVerifier): Promise<Hearing> {
  const accepted: BundleVerdict[] = []
  const refused: BundleRefusal[] = []
  const signers = new Set<string>()
  let objection: DeliveryError | undefined
  for (const file of bundles) {
    const bundle = sha256Of(file)
    const attempt = async (work: () => Promise<void> | void): Promise<void> => {
      try {
        await work()
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error
        refused.push({ bundle, failure: error.failure })
        objection ??= error
      }
    }
    await attempt(async () => {
      for (const { verdict, signer } of await verifier.verify(file, signed.subject, signed.policy)) {
        await attempt(() => {
          requireWordFor(verdict, signed.provenance)
          accepted.push({ bundle, verdict })
          const who = signed.policy.anyOf[signer]
          if (who !== undefined) signers.add(nameSigner(who))
        })
      }
    })
  }
  const { minSigners } = signed.policy
  if (accepted.length === 0) objection ??= new DeliveryError({ code: 'signature-missing', subject: signed.of })
  else
    objection =
      signers.size < minSigners ? new DeliveryError({ code: 'signers-too-few', needed: minSigners, found: signers.size }) : undefined
  return { accepted, refused, objection }
}

/** Whatever verifier is in use: an attestation counts only for what it says, never for its signature alone. */
function requireWordFor(verdict: SignatureVerdict, provenance: ProvenancePolicy | undefined): void {
  if (verdict.form === 'message') return
  if (provenance === undefined)
    throw new DeliveryError({ code: 'bundle-invalid', detail: 'an attestation, where the bytes themselves have to be signed' })
  requireProvenance(verdict, provenance)
}
