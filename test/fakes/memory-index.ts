import type { Sha256 } from '../../src/core/model/ids.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import type { ArtifactRow, PieceFlag } from '../../src/stores/index-schema.ts'
import { createVolatileMemory } from '../../src/stores/volatile-index.ts'

/** What a browser keeps in IndexedDB, in memory: it outlives engines, and a test may reach into it. */
export interface MemoryIndex extends SealiftIndex {
  /** Puts other bytes of the same length under a kept piece, as a bad disk would, or a script of the page. */
  alter(sha256: Sha256, piece: number): Promise<void>
  /** Takes the bytes of a kept piece away and leaves its flag, as a cleared folder would. */
  lose(sha256: Sha256, piece: number): void
  keptPieces(sha256: Sha256): number
  keptDocuments(): number
  keptRecords(): readonly string[]
}

export function createMemoryIndex(): MemoryIndex {
  const memory = createVolatileMemory()
  const rows = new Map<Sha256, ArtifactRow>()
  const documents = new Set<Sha256>()
  const records = new Set<string>()
  const pieces = new Map<Sha256, Map<number, { readonly flag: PieceFlag; readonly blob: Blob | undefined }>>()
  const of = (sha256: Sha256) => pieces.get(sha256) ?? new Map<number, { readonly flag: PieceFlag; readonly blob: Blob | undefined }>()
  const change = (sha256: Sha256, fields: Partial<ArtifactRow>): void => {
    const row = rows.get(sha256)
    if (row !== undefined) rows.set(sha256, { ...row, ...fields })
  }
  return {
    documents: {
      ...memory.documents,
      put: async (sha256, bytes, signal) => {
        documents.add(sha256)
        await memory.documents.put(sha256, bytes, signal)
      },
      remove: async (sha256, signal) => {
        documents.delete(sha256)
        await memory.documents.remove(sha256, signal)
      },
    },
    records: {
      ...memory.records,
      put: async (key, value, signal) => {
        records.add(key)
        await memory.records.put(key, structuredClone(value), signal)
      },
      putAll: async (entries, signal) => {
        const clones = structuredClone(entries)
        for (const key of entries.keys()) records.add(key)
        await memory.records.putAll(clones, signal)
      },
    },
    audit: memory.audit,
    artifacts: {
      get: async (sha256) => rows.get(sha256),
      list: async () => [...rows.values()],
      begin: async ({ sha256, sizeBytes, pieces: cut, filename, mediaType, name, version }, nowMs) => {
        const known = rows.get(sha256)
        const isSameCut = known?.pieceLengthBytes === cut.lengthBytes && known.sizeBytes === sizeBytes
        if (!isSameCut) pieces.delete(sha256)
        const row: ArtifactRow = {
          sha256,
          sizeBytes,
          pieceLengthBytes: cut.lengthBytes,
          count: cut.count,
          filename,
          mediaType,
          name,
          version,
          state: isSameCut ? known.state : 'partial',
          createdAtMs: known?.createdAtMs ?? nowMs,
          lastUsedAtMs: nowMs,
        }
        rows.set(sha256, row)
        return row
      },
      mark: async (artifact, state) => change(artifact.sha256, { state }),
      touch: async (sha256, nowMs) => change(sha256, { lastUsedAtMs: nowMs }),
      remove: async (sha256) => {
        rows.delete(sha256)
        pieces.delete(sha256)
      },
    },
    pieces: {
      list: async (sha256, backing) => [...of(sha256).values()].map((kept) => kept.flag).filter((flag) => flag.backing === backing),
      get: async (sha256, piece) => of(sha256).get(piece)?.flag,
      add: async () => {
        throw new TypeError('this index keeps the bytes of pieces with their flags')
      },
      remove: async (sha256, gone) => {
        for (const piece of gone) of(sha256).delete(piece)
        if (gone.length > 0) change(sha256, { state: 'partial' })
      },
    },
    blobs: {
      get: async (sha256, piece) => of(sha256).get(piece)?.blob,
      add: async (sha256, added) => {
        const kept = of(sha256)
        for (const one of added) kept.set(one.flag.index, one)
        pieces.set(sha256, kept)
      },
    },
    close: () => undefined,
    async alter(sha256, piece) {
      const kept = of(sha256).get(piece)
      if (kept?.blob === undefined) throw new RangeError(`piece ${piece} is not kept`)
      const bytes = new Uint8Array(await kept.blob.arrayBuffer())
      bytes[0] = (bytes[0] ?? 0) ^ 1
      of(sha256).set(piece, { ...kept, blob: new Blob([bytes]) })
    },
    lose(sha256, piece) {
      const kept = of(sha256).get(piece)
      if (kept === undefined) throw new RangeError(`piece ${piece} is not kept`)
      of(sha256).set(piece, { ...kept, blob: undefined })
    },
    keptPieces: (sha256) => of(sha256).size,
    keptDocuments: () => documents.size,
    keptRecords: () => [...records].toSorted(),
  }
}
