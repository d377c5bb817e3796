import { stat } from 'node:fs/promises'
import { DeliveryError, describeFailure } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import type { Manifest } from '../../core/manifest/manifest.ts'
import { checkManifest, parseManifest } from '../../core/manifest/parse-manifest.ts'
import type { BlobRef } from '../../core/model/artifact.ts'
import { errorCode } from '../durable-file.ts'
import type { Room } from './room.ts'

/**
 * Looks at what an earlier run published before its entries are signed again: each blob has to be there, of its size. Only the
 * manifests are read; to hash all artifacts of a site at each run would take too long.
 * @param published what this run has checked to the last byte
 * @throws {DeliveryError} `publish-conflict` that names the artifact and what is missing of it
 */
export async function requireKept(
  catalogue: Catalogue,
  { published, room }: { readonly published: readonly CatalogueEntry[]; readonly room: Room },
  signal: AbortSignal,
): Promise<void> {
  for (const entry of catalogue.artifacts) {
    // The bytes of what was withdrawn may be gone: no client asks for them.
    if (published.includes(entry) || catalogue.denied.includes(entry.artifact.sha256)) continue
    signal.throwIfAborted()
    const manifest = await readManifest(entry, room, signal)
    await requireBlob(entry, { what: 'artifact', blob: entry.artifact }, room)
    if (manifest.pieces.kind === 'listed') await requireBlob(entry, { what: 'piece list', blob: manifest.pieces.list }, room)
    for (const blob of manifest.bundles) await requireBlob(entry, { what: 'bundle', blob }, room)
  }
}

async function readManifest(entry: CatalogueEntry, { reader }: Room, signal: AbortSignal): Promise<Manifest> {
  try {
    const manifest = parseManifest(await reader.readBlob(entry.manifest, 'manifest', signal))
    checkManifest(entry, manifest)
    return manifest
  } catch (error) {
    if (!(error instanceof DeliveryError)) throw error
    throw notKept(entry, `its manifest cannot be used (${describeFailure(error.failure)})`)
  }
}

async function requireBlob(
  entry: CatalogueEntry,
  { what, blob }: { readonly what: string; readonly blob: BlobRef },
  { writer }: Room,
): Promise<void> {
  const sizeBytes = await sizeOf(writer.pathOf(blob))
  if (sizeBytes === undefined) throw notKept(entry, `its ${what} ${blob.sha256} is not there any more`)
  if (sizeBytes !== blob.sizeBytes) throw notKept(entry, `its ${what} ${blob.sha256} has ${sizeBytes} of ${blob.sizeBytes} bytes`)
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function notKept({ name, version, platform }: CatalogueEntry, detail: string): DeliveryError {
  const release = platform === undefined ? version : `${version} for ${platform}`
  return new DeliveryError({
    code: 'publish-conflict',
    name,
    detail: `${release} is listed, and ${detail}: publish its file again, deny it, or replace the catalogue`,
  })
}
