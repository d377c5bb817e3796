import { createArtifactRows, type ArtifactRows } from './index-artifacts.ts'
import { connectIndex, type IndexConnection } from './index-connection.ts'
import { createPieceBlobs, createPieceFlags, type PieceBlobs, type PieceFlags } from './index-pieces.ts'
import { createAuditLog, createDocuments, createRecords, type AuditLog, type Documents, type Records } from './index-values.ts'

/** What this origin remembers, shared by all its pages and workers. */
export interface SealiftIndex {
  readonly artifacts: ArtifactRows
  readonly pieces: PieceFlags
  readonly blobs: PieceBlobs
  readonly documents: Documents
  readonly records: Records
  readonly audit: AuditLog
  close(): void
}

/**
 * Opens the index, making or upgrading it as needed.
 * @throws {DeliveryError} `store-failed` where IndexedDB cannot be used, `version-skew` when a newer version of this code owns it
 */
export async function openIndex(signal: AbortSignal): Promise<SealiftIndex> {
  return indexOver(await connectIndex(signal))
}

/** The index's tables over a connection. */
export function indexOver(connection: IndexConnection): SealiftIndex {
  return {
    artifacts: createArtifactRows(connection),
    pieces: createPieceFlags(connection),
    blobs: createPieceBlobs(connection),
    documents: createDocuments(connection),
    records: createRecords(connection),
    audit: createAuditLog(connection),
    close: () => connection.close(),
  }
}
