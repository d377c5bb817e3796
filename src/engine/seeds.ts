import { isEntryDenied } from '../core/manifest/choose.ts'
import { parseManifest } from '../core/manifest/parse-manifest.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import { sha256Of } from '../core/verify/digest.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import type { AcceptedCatalogue } from './catalogue-desk.ts'
import type { EngineParts } from './parts.ts'

/** Verified artifacts that the catalogue lets peers have, each followed by the documents that a newcomer needs to believe it. */
export async function listSeedable(
  parts: EngineParts,
  known: AcceptedCatalogue | undefined,
  signal: AbortSignal,
): Promise<readonly Seedable[]> {
  if (known === undefined) return []
  const { catalogue } = known
  const shared = new Map(
    catalogue.artifacts.filter((entry) => entry.mesh && !isEntryDenied(catalogue, entry)).map((entry) => [entry.artifact.sha256, entry]),
  )
  const seeds: Seedable[] = []
  for (const row of await parts.stores.lookups.listVerified(signal)) {
    const entry = shared.get(row.sha256)
    if (entry === undefined) continue
    seeds.push({ sha256: row.sha256, sizeBytes: row.sizeBytes, pieceLengthBytes: row.pieceLengthBytes, role: 'artifact' })
    for (const { sha256, sizeBytes } of await documentsOf(parts, entry.manifest, signal))
      seeds.push({ sha256, sizeBytes, pieceLengthBytes: sizeBytes, role: 'document' })
  }
  return seeds
}

async function documentsOf({ memory }: EngineParts, manifest: BlobRef, signal: AbortSignal): Promise<readonly BlobRef[]> {
  const bytes = await memory.documents.get(manifest.sha256, signal)
  if (bytes === undefined || sha256Of(bytes) !== manifest.sha256) return []
  const { pieces, bundles } = parseManifest(bytes)
  const refs: BlobRef[] = [manifest, ...(pieces.kind === 'listed' ? [pieces.list] : []), ...bundles]
  const kept = await Promise.all(refs.map(async (ref) => (await memory.documents.get(ref.sha256, signal)) !== undefined))
  return refs.filter((_, at) => kept[at])
}

/** A piece of a kept artifact, or a document whole as its piece 0. Undefined when it is not kept. */
export async function readSeed(
  { stores, memory }: EngineParts,
  wanted: { readonly sha256: Sha256; readonly piece: PieceIndex },
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const document = wanted.piece === 0 ? await memory.documents.get(wanted.sha256, signal) : undefined
  return document ?? (await stores.lookups.readPiece(wanted.sha256, wanted.piece, signal))
}
