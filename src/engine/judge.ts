import { LIMITS } from '../core/limits.ts'
import { hearArtifact, type Hearing } from '../core/verify/vouch.ts'
import type { EngineParts } from './parts.ts'
import { readDocument, type Resolved } from './resolve.ts'
import type { Task } from './task.ts'

/** Fetches the bundles of an artifact and asks who vouches for it. A refusal is in the answer. @throws {DeliveryError} `blob-unavailable` */
export async function judgeArtifact(
  parts: EngineParts,
  { resolved, task }: { readonly resolved: Resolved; readonly task: Task },
  signal: AbortSignal,
): Promise<Hearing> {
  const { artifact, answer } = resolved
  const bundles: Uint8Array[] = []
  for (const ref of artifact.bundles) {
    bundles.push(await readDocument({ parts, task }, { ref, kind: 'bundle', limitBytes: LIMITS.bundleBytes }, signal))
  }
  const { site } = await parts.trust.current(signal)
  const verifier = parts.verifier.under(answer.catalogue.denied)
  return await hearArtifact(bundles, { artifact: artifact.sha256, trust: site }, verifier)
}
