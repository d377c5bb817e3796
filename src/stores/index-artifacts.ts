import type { Artifact, PieceSpace } from '../core/model/artifact.ts'
import type { Sha256 } from '../core/model/ids.ts'
import type { IndexConnection } from './index-connection.ts'
import { parseArtifactRow, piecesOf, type ArtifactRow } from './index-schema.ts'

/** The artifacts that are kept, wholly or in part. */
export interface ArtifactRows {
  get(sha256: Sha256, signal: AbortSignal): Promise<ArtifactRow | undefined>
  list(signal: AbortSignal): Promise<readonly ArtifactRow[]>
  /**
   * Notes that `artifact` is being fetched or used, at `nowMs`.
   * Pieces kept under another cut of the same bytes are forgotten: their indices mean something else now.
   */
  begin(artifact: Artifact, nowMs: number, signal: AbortSignal): Promise<ArtifactRow>
  /** Says whether every piece is kept and checked. Does nothing when the artifact is not known. */
  mark(artifact: PieceSpace, state: ArtifactRow['state'], signal: AbortSignal): Promise<void>
  touch(sha256: Sha256, nowMs: number, signal: AbortSignal): Promise<void>
  /** Forgets the artifact, its flags and its blobs at once. The caller removes its file afterwards. */
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

export function createArtifactRows(connection: IndexConnection): ArtifactRows {
  return {
    get: (sha256, signal) =>
      connection.run('reading an artifact', async (db) => parseArtifactRow(await db.get('artifacts', sha256)), signal),
    list: (signal) =>
      connection.run(
        'listing artifacts',
        async (db) => (await db.getAll('artifacts')).map(parseArtifactRow).filter((row) => row !== undefined),
        signal,
      ),
    begin: (artifact, nowMs, signal) => connection.run('opening an artifact', (db) => begin(db, artifact, nowMs), signal),
    mark: (artifact, state, signal) => change(connection, artifact.sha256, { state }, signal),
    touch: (sha256, nowMs, signal) => change(connection, sha256, { lastUsedAtMs: nowMs }, signal),
    remove: (sha256, signal) => connection.run('forgetting an artifact', (db) => remove(db, sha256), signal),
  }
}

type Db = Parameters<Parameters<IndexConnection['run']>[1]>[0]

async function begin(db: Db, artifact: Artifact, nowMs: number): Promise<ArtifactRow> {
  const tx = db.transaction(['artifacts', 'pieces', 'pieceBlobs'], 'readwrite')
  const known = parseArtifactRow(await tx.objectStore('artifacts').get(artifact.sha256))
  const isSameCut = known !== undefined && known.pieceLengthBytes === artifact.pieces.lengthBytes && known.sizeBytes === artifact.sizeBytes
  const row: ArtifactRow = {
    sha256: artifact.sha256,
    sizeBytes: artifact.sizeBytes,
    pieceLengthBytes: artifact.pieces.lengthBytes,
    count: artifact.pieces.count,
    state: isSameCut ? known.state : 'partial',
    createdAtMs: known?.createdAtMs ?? nowMs,
    lastUsedAtMs: nowMs,
    filename: artifact.filename,
    mediaType: artifact.mediaType,
    name: artifact.name,
    version: artifact.version,
  }
  const writes: Promise<unknown>[] = [tx.objectStore('artifacts').put(row, artifact.sha256)]
  if (!isSameCut) {
    writes.push(tx.objectStore('pieces').delete(piecesOf(artifact.sha256)))
    writes.push(tx.objectStore('pieceBlobs').delete(piecesOf(artifact.sha256)))
  }
  await Promise.all([...writes, tx.done])
  return row
}

async function change(connection: IndexConnection, sha256: Sha256, fields: Partial<ArtifactRow>, signal: AbortSignal): Promise<void> {
  await connection.run(
    'updating an artifact',
    async (db) => {
      const tx = db.transaction('artifacts', 'readwrite')
      const row = parseArtifactRow(await tx.store.get(sha256))
      const writes: Promise<unknown>[] = row === undefined ? [] : [tx.store.put({ ...row, ...fields }, sha256)]
      await Promise.all([...writes, tx.done])
    },
    signal,
  )
}

async function remove(db: Db, sha256: Sha256): Promise<void> {
  const tx = db.transaction(['artifacts', 'pieces', 'pieceBlobs'], 'readwrite')
  await Promise.all([
    tx.objectStore('artifacts').delete(sha256),
    tx.objectStore('pieces').delete(piecesOf(sha256)),
    tx.objectStore('pieceBlobs').delete(piecesOf(sha256)),
    tx.done,
  ])
}
