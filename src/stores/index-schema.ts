import type { DBSchema, IDBPDatabase } from 'idb'
import { pieceCount } from '../core/model/artifact.ts'
import {
  toPieceIndex,
  isArtifactName,
  isSha256,
  toSourceId,
  type ArtifactName,
  type PieceIndex,
  type Sha256,
  type SourceId,
} from '../core/model/ids.ts'

export const INDEX_NAME = 'sealift'
export const INDEX_VERSION = 1

/** Digest and piece index: sorts by artifact, then by piece. */
export type PieceKey = [string, number]

/** Values are `unknown`: an older or newer version of this code, or a script of the page, may have written them. */
export interface IndexSchema extends DBSchema {
  artifacts: { key: string; value: unknown }
  pieces: { key: PieceKey; value: unknown }
  pieceBlobs: { key: PieceKey; value: unknown }
  documents: { key: string; value: unknown }
  records: { key: string; value: unknown }
  audit: { key: number; value: unknown }
}

/** What is known of an artifact that is kept, wholly or in part. */
export interface ArtifactRow {
  readonly sha256: Sha256
  readonly sizeBytes: number
  readonly pieceLengthBytes: number
  readonly count: number
  /** `verified`: every piece is kept and the whole digest was recomputed over them. */
  readonly state: 'partial' | 'verified'
  readonly createdAtMs: number
  readonly lastUsedAtMs: number
  readonly filename: string
  readonly mediaType: string
  readonly name: ArtifactName
  readonly version: string
}

/** Where the bytes of a piece lie. */
export type LastingBacking = 'opfs' | 'blobs'

/** The claim that a piece is safely kept. Written only after its bytes are. */
export interface PieceFlag {
  readonly index: PieceIndex
  readonly source: SourceId
  readonly backing: LastingBacking
  readonly atMs: number
}

/** Brings an index of any older version to this one. Each step stays for ever. */
export function upgradeIndex(db: IDBPDatabase<IndexSchema>, oldVersion: number): void {
  if (oldVersion < 1) {
    db.createObjectStore('artifacts')
    db.createObjectStore('pieces')
    db.createObjectStore('pieceBlobs')
    db.createObjectStore('documents')
    db.createObjectStore('records')
    db.createObjectStore('audit', { autoIncrement: true })
  }
}

/** Undefined when the row cannot be relied on; the artifact then counts as not kept. */
export function parseArtifactRow(value: unknown): ArtifactRow | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const row: Partial<Record<keyof ArtifactRow, unknown>> = value
  const { sha256, name, state, filename, mediaType, version } = row
  const [cut, times] = [parseCut(row), parseTimes(row)]
  if (cut === undefined || times === undefined || !isSha256(sha256) || !isArtifactName(name)) return undefined
  if (state !== 'partial' && state !== 'verified') return undefined
  if (typeof filename !== 'string' || typeof mediaType !== 'string' || typeof version !== 'string') return undefined
  return { sha256, ...cut, state, ...times, filename, mediaType, name, version }
}

type Times = Pick<ArtifactRow, 'createdAtMs' | 'lastUsedAtMs'>

function parseTimes({ createdAtMs, lastUsedAtMs }: Partial<Record<keyof Times, unknown>>): Times | undefined {
  return isNumber(createdAtMs) && isNumber(lastUsedAtMs) ? { createdAtMs, lastUsedAtMs } : undefined
}

type Cut = Pick<ArtifactRow, 'sizeBytes' | 'pieceLengthBytes' | 'count'>

function parseCut({ sizeBytes, pieceLengthBytes, count }: Partial<Record<keyof Cut, unknown>>): Cut | undefined {
  if (!isWhole(sizeBytes) || !isWhole(pieceLengthBytes) || !isWhole(count)) return undefined
  const isConsistent = pieceLengthBytes > 0 && count === pieceCount(sizeBytes, pieceLengthBytes)
  return isConsistent ? { sizeBytes, pieceLengthBytes, count } : undefined
}

/** Undefined when the flag cannot be relied on; the piece then counts as not kept. */
export function parsePieceFlag(index: unknown, value: unknown): PieceFlag | undefined {
  if (!isWhole(index) || typeof value !== 'object' || value === null) return undefined
  const flag: Partial<Record<keyof PieceFlag, unknown>> = value
  const { source, backing, atMs } = flag
  if (typeof source !== 'string' || source.length === 0 || source.length > 200) return undefined
  if (backing !== 'opfs' && backing !== 'blobs') return undefined
  if (!isNumber(atMs)) return undefined
  return { index: toPieceIndex(index), source: toSourceId(source), backing, atMs }
}

/** Every key of one artifact in `pieces` and `pieceBlobs`: arrays sort above all numbers. */
export function piecesOf(sha256: Sha256): IDBKeyRange {
  return IDBKeyRange.bound([sha256], [sha256, []])
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && typeof value === 'number' && value >= 0
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
