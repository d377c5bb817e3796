import type { Catalogue, CatalogueEntry } from '../core/manifest/catalogue.ts'
import { isEntryDenied } from '../core/manifest/choose.ts'
import type { Manifest } from '../core/manifest/manifest.ts'
import { parsePieceList } from '../core/manifest/parse-manifest.ts'
import type { BlobRef } from '../core/model/artifact.ts'
import { createBitfield, createFullBitfield, type Bitfield } from '../core/model/bitfield.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import { readOrUndefined } from '../core/read-or-undefined.ts'
import type { TrustState } from '../core/verify/trust-chain.ts'
import { hearArtifact } from '../core/verify/vouch.ts'
import { pieceHash } from '../core/verify/piece.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import type { AcceptedCatalogue } from './catalogue-desk.ts'
import { keptDocument, keptManifest } from './kept-manifest.ts'
import type { EngineParts } from './parts.ts'

/** What peers are given. Everything is hashed again before it leaves: whoever sends wrong bytes is banned, whatever its disk did. */
export interface Seeds {
  /**
   * What is kept, wholly or in part, of the artifacts that the catalogue lets peers have, each followed by the documents that a newcomer needs
   * to believe it.
   */
  list(signal: AbortSignal): Promise<readonly Seedable[]>
  /**
   * A piece of one of them, or a document whole as its piece 0.
   * Undefined when it is not kept, is altered, or is not for peers by the catalogue of this moment.
   */
  read(wanted: { readonly sha256: Sha256; readonly piece: PieceIndex }, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>
}

/** Manifests and piece lists that stay parsed: a seeder is asked for many pieces of a few artifacts. */
const KEPT_PARSED = 8

/** @param recall the newest accepted catalogue; asked anew for each read, since it withdraws what it said before */
export function createSeeds(parts: EngineParts, recall: (signal: AbortSignal) => Promise<AcceptedCatalogue | undefined>): Seeds {
  const sharedBy = new WeakMap<Catalogue, Shared>()
  const shelf: Shelf = { parts, manifests: new Map(), hashes: new Map(), trusted: new WeakMap(), partial: new Set() }
  const shared = async (signal: AbortSignal): Promise<Shared> => {
    const catalogue = (await recall(signal))?.catalogue
    if (catalogue === undefined) return { denied: [], entries: new Map() }
    const found = sharedBy.get(catalogue) ?? sharedIn(catalogue)
    sharedBy.set(catalogue, found)
    return found
  }
  return {
    async list(signal) {
      const seeds: Seedable[] = []
      for (const { row, manifest, ref, pieces } of await described(shelf, await shared(signal), signal)) {
        if (pieces.size === 0) continue
        const refs = await keptOf(parts, documentsOf(ref, manifest), signal)
        // Without its hashes no piece of it could be checked.
        if (manifest.pieces.kind === 'listed' && !refs.includes(manifest.pieces.list)) continue
        const { sha256, sizeBytes, pieceLengthBytes } = row
        seeds.push({ sha256, sizeBytes, pieceLengthBytes, role: 'artifact', pieces: pieces.isFull() ? 'all' : pieces.toBytes() })
        for (const one of refs)
          seeds.push({ sha256: one.sha256, sizeBytes: one.sizeBytes, pieceLengthBytes: one.sizeBytes, role: 'document', pieces: 'all' })
      }
      return seeds
    },
    async read(wanted, signal) {
      const allowed = await shared(signal)
      const entries = allowed.entries.get(wanted.sha256)
      if (entries !== undefined) return await readPiece({ shelf, entries, denied: allowed.denied }, wanted, signal)
      if (wanted.piece !== 0) return undefined
      const known = await described(shelf, allowed, signal)
      const isNamed = known.some(({ ref, manifest }) => documentsOf(ref, manifest).some(({ sha256 }) => sha256 === wanted.sha256))
      return isNamed ? await keptDocument(parts.memory, wanted.sha256, signal) : undefined
    },
  }
}

/** What a catalogue lets peers have. */
interface Shared {
  readonly denied: readonly Sha256[]
  /** By the digest of their artifact. */
  readonly entries: ReadonlyMap<Sha256, readonly CatalogueEntry[]>
}

function sharedIn(catalogue: Catalogue): Shared {
  const entries = new Map<Sha256, CatalogueEntry[]>()
  for (const entry of catalogue.artifacts) {
    if (!entry.mesh || isEntryDenied(catalogue, entry)) continue
    entries.set(entry.artifact.sha256, [...(entries.get(entry.artifact.sha256) ?? []), entry])
  }
  return { denied: catalogue.denied, entries }
}

interface Shelf {
  readonly parts: EngineParts
  readonly manifests: Map<Sha256, Manifest>
  /** By the manifest's digest. */
  readonly hashes: Map<Sha256, Uint8Array>
  /** Artifacts whose signatures pass under this trust. */
  readonly trusted: WeakMap<TrustState, Set<Sha256>>
  /** Artifacts that were last found to be kept in part. */
  partial: ReadonlySet<Sha256>
}

/**
 * What was verified under another trust is not given on before those who count now are found to have signed it. Of what is still being
 * fetched, the signatures may not have come yet: its pieces are what the signed catalogue names, which is enough to pass them on.
 */
async function isTrusted(
  { parts, trusted }: Shelf,
  { sha256, bundles }: Manifest,
  { denied, isWhole }: { readonly denied: readonly Sha256[]; readonly isWhole: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const under = await parts.trust.current(signal)
  const known = trusted.get(under) ?? new Set()
  trusted.set(under, known)
  if (known.has(sha256)) return true
  const kept = await Promise.all(bundles.map((ref) => keptDocument(parts.memory, ref.sha256, signal)))
  const files = kept.filter((bytes) => bytes !== undefined)
  if (!isWhole && files.length < bundles.length) return true
  const { objection } = await hearArtifact(files, { artifact: sha256, trust: under.site }, parts.verifier.under(denied))
  if (objection === undefined) known.add(sha256)
  return objection === undefined
}

/** An artifact as it is kept, or is being fetched here. */
interface Row {
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly pieceLengthBytes: number
  readonly isWhole: boolean
}

interface Described {
  readonly row: Row
  readonly ref: BlobRef
  readonly manifest: Manifest
  readonly pieces: Bitfield
}

/** Kept artifacts that peers may have, with a kept manifest of the very cut that they are kept in. */
async function described(shelf: Shelf, shared: Shared, signal: AbortSignal): Promise<readonly Described[]> {
  const found: Described[] = []
  const rows = await keptRows(shelf.parts, signal)
  shelf.partial = new Set(rows.filter(({ isWhole }) => !isWhole).map(({ sha256 }) => sha256))
  for (const row of rows) {
    for (const { manifest: ref } of shared.entries.get(row.sha256) ?? []) {
      const manifest = await manifestOf(shelf, ref, signal)
      if (manifest?.sha256 !== row.sha256 || manifest.pieces.lengthBytes !== row.pieceLengthBytes) continue
      if (!(await isTrusted(shelf, manifest, { denied: shared.denied, isWhole: row.isWhole }, signal))) continue
      found.push({ row, ref, manifest, pieces: await keptPieces(shelf.parts, row, manifest.pieces.count, signal) })
      break
    }
  }
  return found
}

/** Those that are open here first: where the browser keeps nothing, they are all there is. */
async function keptRows({ live, stores }: EngineParts, signal: AbortSignal): Promise<readonly Row[]> {
  const open = live.all().map(({ artifact: { sha256, sizeBytes, pieces } }) => ({
    sha256,
    sizeBytes,
    pieceLengthBytes: pieces.lengthBytes,
    isWhole: false,
  }))
  const rows = (await stores.lookups.listAll(signal)).map((row) => ({ ...row, isWhole: row.state === 'verified' }))
  return [...open, ...rows.filter((row) => live.find(row.sha256) === undefined)]
}

async function keptPieces({ live, stores }: EngineParts, row: Row, count: number, signal: AbortSignal): Promise<Bitfield> {
  const open = live.find(row.sha256)
  if (open === undefined && row.isWhole) return createFullBitfield(count)
  const pieces = createBitfield(count)
  const space = { sha256: row.sha256, sizeBytes: row.sizeBytes, pieces: { lengthBytes: row.pieceLengthBytes, count } }
  const kept = open?.file.stored.indices() ?? (await stores.lookups.listKept(space, signal)).keys()
  for (const piece of kept) if (piece < count) pieces.add(piece)
  return pieces
}

function documentsOf(ref: BlobRef, { pieces, bundles }: Manifest): readonly BlobRef[] {
  return [ref, ...(pieces.kind === 'listed' ? [pieces.list] : []), ...bundles]
}

async function keptOf({ memory }: EngineParts, refs: readonly BlobRef[], signal: AbortSignal): Promise<readonly BlobRef[]> {
  const kept = await Promise.all(refs.map(async (ref) => (await memory.documents.get(ref.sha256, signal)) !== undefined))
  return refs.filter((_, at) => kept[at])
}

async function readPiece(
  { shelf, entries, denied }: { readonly shelf: Shelf; readonly entries: readonly CatalogueEntry[]; readonly denied: readonly Sha256[] },
  { sha256, piece }: { readonly sha256: Sha256; readonly piece: PieceIndex },
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { stores, hasher, live } = shelf.parts
  const open = live.find(sha256)
  const isWhole = open === undefined && !shelf.partial.has(sha256)
  if (open !== undefined && !open.file.stored.has(piece)) return undefined
  const bytes = await (open === undefined ? stores.lookups.readPiece(sha256, piece, signal) : open.file.read(piece, signal))
  const actual = await hasher.digest(bytes)
  for (const { manifest: ref } of entries) {
    const manifest = await manifestOf(shelf, ref, signal)
    if (manifest?.sha256 !== sha256 || piece >= manifest.pieces.count) continue
    if (!(await isTrusted(shelf, manifest, { denied, isWhole }, signal))) continue
    const hashes = await hashesOf(shelf, { ref, manifest }, signal)
    // Entries may cut the same bytes differently: it is one of their pieces, or it is none.
    if (hashes !== undefined && pieceHash({ pieces: { ...manifest.pieces, hashes } }, piece) === actual) return bytes
  }
  return undefined
}

async function manifestOf({ parts, manifests }: Shelf, ref: BlobRef, signal: AbortSignal): Promise<Manifest | undefined> {
  const known = manifests.get(ref.sha256)
  if (known !== undefined) return known
  const manifest = await keptManifest(parts.memory, ref.sha256, signal)
  if (manifest !== undefined) remember(manifests, ref.sha256, manifest)
  return manifest
}

async function hashesOf(
  { parts, hashes }: Shelf,
  { ref, manifest }: { readonly ref: BlobRef; readonly manifest: Manifest },
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { pieces } = manifest
  if (pieces.kind === 'inline') return pieces.hashes
  const known = hashes.get(ref.sha256)
  if (known !== undefined) return known
  const kept = await keptDocument(parts.memory, pieces.list.sha256, signal)
  const list = readOrUndefined(kept, (bytes) => parsePieceList(bytes, pieces.count))
  if (list !== undefined) remember(hashes, ref.sha256, list)
  return list
}

function remember<T>(known: Map<Sha256, T>, sha256: Sha256, value: T): void {
  known.set(sha256, value)
  const [oldest] = known.keys()
  if (known.size > KEPT_PARSED && oldest !== undefined) known.delete(oldest)
}
