import { DeliveryError } from '../../core/errors.ts'
import type { Catalogue, CatalogueEntry } from '../../core/manifest/catalogue.ts'
import { isEntryDenied } from '../../core/manifest/choose.ts'
import type { Manifest } from '../../core/manifest/manifest.ts'
import { checkManifest, parseManifest, parsePieceList } from '../../core/manifest/parse-manifest.ts'
import { pieceRange, type BlobRef, type ByteRange } from '../../core/model/artifact.ts'
import { toPieceIndex, type Sha256 } from '../../core/model/ids.ts'
import { pieceHash } from '../../core/verify/piece.ts'
import { inParallel } from '../in-parallel.ts'
import type { SiteReader } from '../site/site-reader.ts'
import { drawNumbers } from './draw.ts'

/** A blob that every place has to have. */
export interface ListedBlob {
  readonly ref: BlobRef
  /** For people: `agent 1.2.3 manifest`. */
  readonly name: string
  /** Of an artifact whose manifest could be read; other blobs count as one piece. */
  readonly manifest: Manifest | undefined
}

/** What a catalogue, and the manifests that it names, say is published. */
export interface Listing {
  readonly blobs: readonly ListedBlob[]
  /** The largest artifact that has a byte. */
  readonly sample: ListedBlob | undefined
}

/** Part of a blob, and what it has to hash to. */
export interface Piece {
  readonly blob: ListedBlob
  /** For people. */
  readonly name: string
  readonly range: ByteRange
  readonly sha256: Sha256
}

const LANES = 8

/**
 * Reads the manifests from whichever place has them.
 * @param known manifests by digest, which are not read again; afterwards those of this catalogue
 */
export async function listPublished(
  catalogue: Catalogue,
  { readers, known }: { readonly readers: readonly SiteReader[]; readonly known: Map<Sha256, Manifest> },
  signal: AbortSignal,
): Promise<Listing> {
  const entries = catalogue.artifacts.filter((entry) => !isEntryDenied(catalogue, entry))
  const missing = entries.filter((entry) => !known.has(entry.manifest.sha256))
  await inParallel(missing, LANES, async (entry) => {
    const manifest = await fromAny(readers, (reader) => readManifest(entry, reader, signal), signal)
    if (manifest !== undefined) known.set(entry.manifest.sha256, manifest)
  })
  const wanted = new Set(entries.map((entry) => entry.manifest.sha256))
  for (const sha256 of known.keys()) if (!wanted.has(sha256)) known.delete(sha256)
  const blobs = new Map(entries.flatMap((entry) => blobsOf(entry, known.get(entry.manifest.sha256))).map((blob) => [blob.ref.sha256, blob]))
  const artifacts = new Set(entries.map((entry) => entry.artifact.sha256))
  const [sample] = [...blobs.values()]
    .filter(({ ref }) => artifacts.has(ref.sha256) && ref.sizeBytes > 0)
    .toSorted((a, b) => b.ref.sizeBytes - a.ref.sizeBytes)
  return { blobs: [...blobs.values()], sample }
}

/** How many pieces there are in all. */
export function countPieces({ blobs }: Listing): number {
  return blobs.reduce((sum, blob) => sum + piecesOf(blob), 0)
}

/**
 * Draws pieces over all that is published: each is as likely as any other.
 * @returns what was drawn; `lost` names blobs whose piece lists no place could give
 */
export async function drawPieces(
  listing: Listing,
  draw: { readonly count: number; readonly pick: (below: number) => number; readonly readers: readonly SiteReader[] },
  signal: AbortSignal,
): Promise<{ readonly pieces: readonly Piece[]; readonly lost: readonly string[] }> {
  const numbers = drawNumbers(countPieces(listing), draw.count, draw.pick)
  const pieces: Piece[] = []
  const lost: string[] = []
  let at = 0
  let before = 0
  for (const blob of listing.blobs) {
    const after = before + piecesOf(blob)
    const own: number[] = []
    for (let number = numbers[at]; number !== undefined && number < after; number = numbers[++at]) own.push(number - before)
    before = after
    if (own.length === 0) continue
    const found = await cutPieces(blob, { own, readers: draw.readers }, signal)
    if (found === undefined) lost.push(blob.name)
    else pieces.push(...found)
  }
  return { pieces, lost }
}

function piecesOf({ manifest }: ListedBlob): number {
  return manifest?.pieces.count ?? 1
}

/** Keeps the hashes of what was drawn only: a list may have 2 MiB. */
async function cutPieces(
  blob: ListedBlob,
  { own, readers }: { readonly own: readonly number[]; readonly readers: readonly SiteReader[] },
  signal: AbortSignal,
): Promise<readonly Piece[] | undefined> {
  const { manifest, ref, name } = blob
  if (manifest === undefined) return [{ blob, name, range: { start: 0, end: ref.sizeBytes }, sha256: ref.sha256 }]
  const { pieces, sizeBytes } = manifest
  const hashes =
    pieces.kind === 'inline'
      ? pieces.hashes
      : await fromAny(readers, async (site) => parsePieceList(await site.readBlob(pieces.list, 'piece-list', signal), pieces.count), signal)
  if (hashes === undefined) return undefined
  const layout = { sizeBytes, pieces: { lengthBytes: pieces.lengthBytes, count: pieces.count, hashes } }
  return own.map(toPieceIndex).map((index) => ({
    blob,
    name: `${name} piece ${index}`,
    range: pieceRange(layout, index),
    sha256: pieceHash(layout, index),
  }))
}

async function readManifest(entry: CatalogueEntry, reader: SiteReader, signal: AbortSignal): Promise<Manifest> {
  const manifest = parseManifest(await reader.readBlob(entry.manifest, 'manifest', signal))
  checkManifest(entry, manifest)
  return manifest
}

/** What the first place gives that has it whole; undefined when none has: the place's own rows then say so. */
async function fromAny<T>(
  readers: readonly SiteReader[],
  read: (reader: SiteReader) => Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  for (const reader of readers) {
    try {
      return await read(reader)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof DeliveryError)) throw error
    }
  }
  return undefined
}

function blobsOf(entry: CatalogueEntry, manifest: Manifest | undefined): readonly ListedBlob[] {
  const name = [entry.name, entry.version, entry.platform].filter((word) => word !== undefined).join(' ')
  const document = (ref: BlobRef, what: string): ListedBlob => ({ ref, name: `${name} ${what}`, manifest: undefined })
  return [
    { ref: entry.artifact, name, manifest },
    document(entry.manifest, 'manifest'),
    ...(manifest?.pieces.kind === 'listed' ? [document(manifest.pieces.list, 'piece list')] : []),
    ...(manifest?.bundles ?? []).map((bundle) => document(bundle, 'bundle')),
  ]
}
