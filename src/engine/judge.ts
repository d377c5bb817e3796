import { DeliveryError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Artifact } from '../core/model/artifact.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { requirePolicy, type SignatureVerdict } from '../core/verify/identity-policy.ts'
import type { DeliveryTools } from '../scheduler/delivery-state.ts'
import type { EngineParts } from './parts.ts'
import { readDocument } from './resolve.ts'

export interface BundleVerdict {
  readonly bundle: Sha256
  readonly verdict: SignatureVerdict
}

const SLSA = 'https://slsa.dev/provenance/'

/**
 * Who vouches for the artifact. Every bundle that passes is told; one is enough, and where the site requires provenance one of them must be it.
 * @throws {DeliveryError} `signature-missing`, `provenance-refused`, or why the first bundle was refused
 */
export async function judgeArtifact(
  parts: EngineParts,
  job: { readonly artifact: Artifact; readonly tools: DeliveryTools },
  signal: AbortSignal,
): Promise<readonly BundleVerdict[]> {
  const { artifact, tools } = job
  const { trust } = parts.config
  const policy = requirePolicy(trust.artifactSigners, trust.trustedRoot, trust.thresholds)
  const passed: BundleVerdict[] = []
  let refused: unknown
  for (const ref of artifact.bundles) {
    const bundle = await readDocument({ parts, tools }, { ref, kind: 'bundle', limitBytes: LIMITS.bundleBytes }, signal)
    try {
      passed.push({ bundle: ref.sha256, verdict: await parts.verifier.verify(bundle, artifact.sha256, policy) })
    } catch (error) {
      refused ??= error
    }
  }
  if (passed.length === 0) throw refused ?? new DeliveryError({ code: 'signature-missing', subject: 'artifact' })
  if (trust.requireProvenance && !passed.some(({ verdict }) => verdict.predicateType?.startsWith(SLSA))) {
    throw new DeliveryError({ code: 'provenance-refused', detail: 'no verified bundle is a SLSA provenance, and this site requires one' })
  }
  return passed
}
