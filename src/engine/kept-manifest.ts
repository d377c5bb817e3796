import type { Manifest } from '../core/manifest/manifest.ts'
import { parseManifest } from '../core/manifest/parse-manifest.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { readOrUndefined } from '../core/read-or-undefined.ts'
import { sha256Of } from '../core/verify/digest.ts'
import type { Memory } from '../stores/volatile-index.ts'

/** A document that is kept, as its digest says. */
export async function keptDocument(
  { documents }: Memory,
  sha256: Sha256,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = await documents.get(sha256, signal)
  return bytes !== undefined && sha256Of(bytes) === sha256 ? bytes : undefined
}

/** The manifest of this digest, when it is kept. A document that does not parse as one describes nothing. */
export async function keptManifest(memory: Memory, sha256: Sha256, signal: AbortSignal): Promise<Manifest | undefined> {
  return readOrUndefined(await keptDocument(memory, sha256, signal), parseManifest)
}
