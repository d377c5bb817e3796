import { failureOf } from '../core/errors.ts'
import type { Manifest } from '../core/manifest/manifest.ts'
import { parseManifest } from '../core/manifest/parse-manifest.ts'
import type { Sha256 } from '../core/model/ids.ts'
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
  const bytes = await keptDocument(memory, sha256, signal)
  return bytes === undefined ? undefined : orUndefined(() => parseManifest(bytes))
}

/** What a parser makes of it, or undefined when it refuses it. */
export function orUndefined<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (failureOf(error) === undefined) throw error
    return undefined
  }
}
