import type { PieceSpace } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256, SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import { createArtifactFile, type ArtifactFile } from './artifact-file.ts'
import type { Backing } from './backing.ts'
import type { SealiftIndex } from './index-db.ts'
import type { ArtifactRow } from './index-schema.ts'
import { isStorageTrouble, storeFailed, toStoreError } from './store-failure.ts'

/** A verified artifact, ready to hand over. */
export interface VerifiedFile {
  /** Held by the browser, so that `new Response(blob)` survives the death of a service worker. */
  readonly blob: Blob
  readonly filename: string
  readonly mediaType: string
  readonly sizeBytes: number
}

/** Reads what is kept without a manifest and without the artifact's lock, and so takes no claim back: for service workers and seeders. */
export interface StoreLookups {
  /** Undefined unless every piece is kept and the whole was verified. */
  findVerified(sha256: Sha256, signal: AbortSignal): Promise<VerifiedFile | undefined>
  listVerified(signal: AbortSignal): Promise<readonly ArtifactRow[]>
  /** Whatever is kept, wholly or in part. */
  listAll(signal: AbortSignal): Promise<readonly ArtifactRow[]>
  /** Pieces that are flagged as kept at this moment, by whoever is fetching the artifact, and who served each. Their bytes are not looked at. */
  listKept(artifact: PieceSpace, signal: AbortSignal): Promise<ReadonlyMap<PieceIndex, SourceId>>
  /** Of these pieces, those that are flagged as kept at this moment. */
  keptAmong(sha256: Sha256, pieces: readonly PieceIndex[], signal: AbortSignal): Promise<readonly PieceIndex[]>
  /**
   * One piece that is flagged as kept at this moment, also while another tab fetches the rest. Not re-hashed: do that before anybody gets it.
   * @throws {DeliveryError} `store-failed` when the piece is not kept
   */
  readPiece(sha256: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
}

export function createLookups(index: SealiftIndex | undefined, backings: readonly Backing[], clock: Clock): StoreLookups {
  if (index === undefined) return NOTHING
  const listAll = (signal: AbortSignal): Promise<readonly ArtifactRow[]> => index.artifacts.list(signal)
  const listVerified = async (signal: AbortSignal): Promise<readonly ArtifactRow[]> =>
    (await listAll(signal)).filter((row) => row.state === 'verified')

  const findVerified = async (sha256: Sha256, signal: AbortSignal): Promise<VerifiedFile | undefined> => {
    const row = await index.artifacts.get(sha256, signal)
    if (row?.state !== 'verified') return undefined
    const file = await openReader(row, backings, signal)
    if (!file.stored.isFull()) return undefined
    const blob = await wholeOf(file, signal)
    if (blob === undefined) return undefined
    // When it was used is worth knowing, and not worth failing for.
    await index.artifacts.touch(sha256, clock.nowMs(), signal).catch(ignoreTrouble)
    return { blob, filename: row.filename, mediaType: row.mediaType, sizeBytes: row.sizeBytes }
  }

  const listKept: StoreLookups['listKept'] = async ({ sha256, pieces }, signal) => {
    const row = await index.artifacts.get(sha256, signal)
    if (row?.pieceLengthBytes !== pieces.lengthBytes) return new Map()
    const flags = await Promise.all((['opfs', 'blobs'] as const).map((backing) => index.pieces.list(sha256, backing, signal)))
    return new Map(flags.flat().map((flag) => [flag.index, flag.source]))
  }
  const keptAmong: StoreLookups['keptAmong'] = async (sha256, pieces, signal) => {
    const flags = await Promise.all(pieces.map((piece) => index.pieces.get(sha256, piece, signal)))
    return pieces.filter((_, at) => flags[at] !== undefined)
  }
  return { findVerified, listVerified, listAll, listKept, keptAmong, readPiece: createPieceReader(index, backings) }
}

/** A file that another tab writes to between opening and reading cannot be read in Chromium; opened anew, it can. */
const READS = 4

/** Looks at row and flag anew each time: another tab may have forgotten the artifact since, or be fetching it again. */
function createPieceReader(index: SealiftIndex, backings: readonly Backing[]): StoreLookups['readPiece'] {
  return async (sha256, piece, signal) => {
    const [row, flag] = await Promise.all([index.artifacts.get(sha256, signal), index.pieces.get(sha256, piece, signal)])
    if (row === undefined) throw storeFailed('the artifact is not kept')
    const backing = backings.find(({ kind }) => kind === flag?.backing)
    if (backing === undefined || piece >= row.count) throw storeFailed(`piece ${piece} is not kept`)
    for (let readsLeft = READS - 1; ; readsLeft--) {
      try {
        return await backing.readPiece(spaceOf(row), piece, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (readsLeft === 0 || row.state === 'verified') throw toStoreError(error, { doing: 'reading a piece', neededBytes: 0 })
      }
    }
  }
}

/** Undefined when something of it is gone: then it is no verified artifact any more, and whoever opens it to write sees that too. */
async function wholeOf(file: ArtifactFile, signal: AbortSignal): Promise<Blob | undefined> {
  try {
    return await file.complete(signal)
  } catch (error) {
    ignoreTrouble(error)
    return undefined
  }
}

async function openReader(row: ArtifactRow, backings: readonly Backing[], signal: AbortSignal): Promise<ArtifactFile> {
  const space = spaceOf(row)
  const opened = await Promise.all(backings.map((backing) => backing.view(space, signal)))
  return createArtifactFile(space, opened, undefined)
}

function spaceOf(row: ArtifactRow): PieceSpace {
  return { sha256: row.sha256, sizeBytes: row.sizeBytes, pieces: { lengthBytes: row.pieceLengthBytes, count: row.count } }
}

function ignoreTrouble(error: unknown): void {
  if (!isStorageTrouble(error)) throw error
}

const NOTHING: StoreLookups = {
  findVerified: async () => undefined,
  listVerified: async () => [],
  listAll: async () => [],
  keptAmong: async () => [],
  listKept: async () => new Map(),
  readPiece: async () => {
    throw storeFailed('this browser keeps nothing')
  },
}
