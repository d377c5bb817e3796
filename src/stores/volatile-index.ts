import type { Sha256 } from '../core/model/ids.ts'
import type { AuditLog, Documents, Records } from './index-values.ts'

/** What an engine remembers besides pieces. */
export interface Memory {
  readonly documents: Documents
  readonly records: Records
  readonly audit: AuditLog
}

/** For a context without IndexedDB: everything works, and nothing outlives it. */
export function createVolatileMemory(): Memory {
  const documents = new Map<Sha256, Uint8Array<ArrayBuffer>>()
  const records = new Map<string, unknown>()
  const audit: Uint8Array<ArrayBuffer>[] = []
  return {
    documents: {
      get: async (sha256) => documents.get(sha256),
      put: async (sha256, bytes) => void documents.set(sha256, new Uint8Array(bytes)),
      remove: async (sha256) => void documents.delete(sha256),
    },
    records: {
      get: async (key) => records.get(key),
      put: async (key, value) => void records.set(key, value),
      putAll: async (entries) => {
        for (const [key, value] of entries) records.set(key, value)
      },
      remove: async (key) => void records.delete(key),
      keys: async () => [...records.keys()],
    },
    audit: {
      append: async (bytes) => void audit.push(new Uint8Array(bytes)),
      last: async () => audit.at(-1),
      all: async () => audit,
    },
  }
}
