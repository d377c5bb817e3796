import { open } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { DeliveryError } from '../../core/errors.ts'
import type { CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { createFullBitfield, type Bitfield } from '../../core/model/bitfield.ts'
import { pieceRange, type Artifact } from '../../core/model/artifact.ts'
import { toSha256, type PieceIndex, type Sha256 } from '../../core/model/ids.ts'
import type { SignatureVerifier } from '../../core/ports.ts'
import { pieceHash } from '../../core/verify/piece.ts'
import type { SiteTrust } from '../../core/verify/site-trust.ts'
import { vouchForArtifact } from '../../core/verify/vouch.ts'
import type { SeedLayout } from '../../sources/mesh/seed-store.ts'
import { readInput } from '../input-file.ts'
import { cutPublished, readPublished, requireBytes, type PublishedDocument } from '../site/published-artifact.ts'
import type { SiteReader } from '../site/site-reader.ts'
import type { SeededArtifact } from './seed-event.ts'

/** One artifact on this machine's disk, found to be what its publisher signed, with the documents that show it. */
export interface Holding {
  readonly entry: SeededArtifact
  readonly artifact: Artifact
  readonly documents: readonly PublishedDocument[]
  readonly layout: SeedLayout
  readonly pieces: Bitfield
  /** Hashed again each time: a disk may have changed since. @throws {DeliveryError} `artifact-digest`, `input-invalid` */
  readPiece(piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
}

export interface HoldingRequest {
  readonly entry: CatalogueEntry
  /** Where its bytes lie. */
  readonly path: string
  /** Where its documents are. */
  readonly reader: SiteReader
  readonly trust: SiteTrust
  readonly verifier: SignatureVerifier
  /** What is known of the file from an earlier look: it is not read again to know its digests. */
  readonly earlier: Holding | undefined
}

/** @throws {DeliveryError} why it may not be given to anybody */
export async function openHolding(request: HoldingRequest, signal: AbortSignal): Promise<Holding> {
  const { entry, path, reader, trust, verifier, earlier } = request
  const { artifact, documents, bundles } = await readPublished(entry, reader, signal)
  await vouchForArtifact(bundles, { artifact: artifact.sha256, trust }, verifier)
  if (earlier === undefined || !isSameCut(earlier.artifact, artifact))
    requireBytes(artifact, await cutPublished(artifact, { path }, signal))
  return {
    entry: seededEntry(entry),
    artifact,
    documents,
    layout: { sizeBytes: artifact.sizeBytes, pieceLengthBytes: artifact.pieces.lengthBytes, count: artifact.pieces.count },
    pieces: createFullBitfield(artifact.pieces.count),
    readPiece: (piece, own) => readPiece({ path, artifact }, piece, own),
  }
}

export function seededEntry({ name, version, platform, artifact }: CatalogueEntry): SeededArtifact {
  return { name, version, platform, sha256: artifact.sha256, sizeBytes: artifact.sizeBytes }
}

function isSameCut(a: Artifact, b: Artifact): boolean {
  return a.sha256 === b.sha256 && a.manifest.sha256 === b.manifest.sha256
}

async function readPiece(
  { path, artifact }: { readonly path: string; readonly artifact: Artifact },
  piece: PieceIndex,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  signal.throwIfAborted()
  const { start, end } = pieceRange(artifact, piece)
  const bytes = new Uint8Array(end - start)
  const handle = await readInput(path, (file) => open(file, 'r'))
  try {
    for (let filled = 0; filled < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled)
      if (bytesRead === 0)
        throw new DeliveryError({ code: 'artifact-size', expectedBytes: artifact.sizeBytes, actualBytes: start + filled })
      filled += bytesRead
    }
  } finally {
    await handle.close()
  }
  const actual: Sha256 = toSha256(createHash('sha256').update(bytes).digest('hex'))
  const expected = pieceHash(artifact, piece)
  if (actual !== expected) throw new DeliveryError({ code: 'artifact-digest', expected, actual })
  return bytes
}
