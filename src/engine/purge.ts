import { withdrawnArtifacts } from '../core/manifest/choose.ts'
import type { CatalogueEntry } from '../core/manifest/catalogue.ts'
import type { Sha256 } from '../core/model/ids.ts'
import { keptManifest } from './kept-manifest.ts'
import { artifactLock, type EngineParts } from './parts.ts'

/** A tab that holds a withdrawn artifact lets go of it at once; this is for one that hangs. */
const PURGE_MS = 30_000

/**
 * Deletes what is kept of withdrawn artifacts, wherever the word of it came from, offline or not. Never rejects: what cannot be deleted now is
 * refused all the same, and deleted at the next start or with the next catalogue.
 *
 * @param denied digests of artifacts and of manifests
 * @param entries what is listed: it says which artifact a manifest is about, as does a manifest that is kept
 */
export async function purgeDenied(
  parts: Pick<EngineParts, 'stores' | 'memory' | 'withLock'>,
  denied: ReadonlySet<Sha256>,
  entries: readonly CatalogueEntry[],
): Promise<void> {
  const { stores, memory, withLock } = parts
  const signal = AbortSignal.timeout(PURGE_MS)
  try {
    const kept = (await stores.index?.artifacts.list(signal)) ?? []
    if (kept.length === 0) return
    const named = await manifestsAmong(parts, denied, signal)
    const gone = withdrawnArtifacts(denied, [...named, ...entries])
    const removals = kept
      .filter(({ sha256 }) => gone.has(sha256))
      .map(({ sha256 }) => withLock(artifactLock(sha256), () => stores.store.remove(sha256, signal), signal))
    // Each waits for whoever holds that artifact; one that hangs must not keep the others.
    const ends = await Promise.allSettled(removals)
    // Last, since nothing else may say which artifact they are about: what stays is found by them the next time.
    if (ends.every(({ status }) => status === 'fulfilled'))
      for (const { manifest } of named) await memory.documents.remove(manifest.sha256, signal)
  } catch {
    // The store cannot be read now.
  }
}

/** Of these digests, the manifests that are kept: the catalogue may list their artifacts no more. */
async function manifestsAmong(
  { memory }: Pick<EngineParts, 'memory'>,
  denied: ReadonlySet<Sha256>,
  signal: AbortSignal,
): Promise<readonly Pick<CatalogueEntry, 'manifest' | 'artifact'>[]> {
  const found: Pick<CatalogueEntry, 'manifest' | 'artifact'>[] = []
  for (const sha256 of denied) {
    const manifest = await keptManifest(memory, sha256, signal)
    if (manifest !== undefined) found.push({ manifest: { sha256, sizeBytes: 0 }, artifact: manifest })
  }
  return found
}
