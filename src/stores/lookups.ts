import type { PieceSpace } from '../core/model/artifact.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import { createArtifactFile, type ArtifactFile } from './artifact-file.ts'
import type { Backing } from './backing.ts'
import type { SealiftIndex } from './index-db.ts'
import type { ArtifactRow } from './index-schema.ts'
import { storeFailed } from './store-failure.ts'

/** A verified artifact, ready to hand over. */
export interface VerifiedFile {
  /** Held by the browser, so that `new Response(blob)` survives the death of a service worker. */
  readonly blob: Blob
  readonly filename: string
  readonly mediaType: string
  readonly sizeBytes: number
}

/** Reads what is kept without a manifest and without the artifact's lock: for service workers and seeders. */
export interface StoreLookups {
  /** Undefined unless every piece is kept and the whole was verified. */
  findVerified(sha256: Sha256, signal: AbortSignal): Promise<VerifiedFile | undefined>
  listVerified(signal: AbortSignal): Promise<readonly ArtifactRow[]>
  /** One kept piece, not re-hashed. @throws {DeliveryError} `store-failed` when it is not kept */
  readPiece(sha256: Sha256, piece: PieceIndex, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
}

export function createLookups(index: SealiftIndex | undefined, backings: readonly Backing[], clock: Clock): StoreLookups {
  if (index === undefined) return NOTHING
  const listVerified = async (signal: AbortSignal): Promise<readonly ArtifactRow[]> =>
    (await index.artifacts.list(signal)).filter((row) => row.state === 'verified')

  const findVerified = async (sha256: Sha256, signal: AbortSignal): Promise<VerifiedFile | undefined> => {
    const row = await index.artifacts.get(sha256, signal)
    if (row?.state !== 'verified') return undefined
    const file = await openReader(row, backings, signal)
    if (!file.stored.isFull()) return undefined
    const blob = await file.complete(signal)
    await index.artifacts.touch(sha256, clock.nowMs(), signal)
    return { blob, filename: row.filename, mediaType: row.mediaType, sizeBytes: row.sizeBytes }
  }

  return { findVerified, listVerified, readPiece: createPieceReader(index, backings) }
}

/** Keeps the last artifact open: a seeder reads many pieces of one. */
function createPieceReader(index: SealiftIndex, backings: readonly Backing[]): StoreLookups['readPiece'] {
  let last: { readonly sha256: Sha256; readonly file: ArtifactFile } | undefined
  return async (sha256, piece, signal) => {
    if (last?.sha256 !== sha256 || !last.file.stored.has(piece)) {
      const row = await index.artifacts.get(sha256, signal)
      if (row === undefined) throw storeFailed('the artifact is not kept')
      last = { sha256, file: await openReader(row, backings, signal) }
    }
    const { file } = last
    try {
      return await file.read(piece, signal)
    } catch (error) {
      last = undefined
      throw error
    }
  }
}

async function openReader(row: ArtifactRow, backings: readonly Backing[], signal: AbortSignal): Promise<ArtifactFile> {
  const space: PieceSpace = {
    sha256: row.sha256,
    sizeBytes: row.sizeBytes,
    pieces: { lengthBytes: row.pieceLengthBytes, count: row.count },
  }
  const opened = await Promise.all(backings.map((backing) => backing.open(space, signal)))
  return createArtifactFile(space, opened, async () => undefined)
}

const NOTHING: StoreLookups = {
  findVerified: async () => undefined,
  listVerified: async () => [],
  readPiece: async () => {
    throw storeFailed('this browser keeps nothing')
  },
}
