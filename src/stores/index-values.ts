import type { Sha256 } from '../core/model/ids.ts'
import type { IndexConnection } from './index-connection.ts'

/** Manifests, piece lists and bundles by digest. Re-hash what comes back: a script of the page may have written it. */
export interface Documents {
  get(sha256: Sha256, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>
  put(sha256: Sha256, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  remove(sha256: Sha256, signal: AbortSignal): Promise<void>
}

/** Small values under fixed names: site configuration, catalogue and its floor, membership ticket. Parse what comes back. */
export interface Records {
  get(key: string, signal: AbortSignal): Promise<unknown>
  /** @param value anything that can be cloned; on disk before the promise resolves, since a lost floor would allow a rollback */
  put(key: string, value: unknown, signal: AbortSignal): Promise<void>
  /** Several at once, all of them or none, on disk before the promise resolves. */
  putAll(entries: ReadonlyMap<string, unknown>, signal: AbortSignal): Promise<void>
  remove(key: string, signal: AbortSignal): Promise<void>
  /** What a second place has of a record, where there is one: it may be older, newer, or forged. Its troubles are no news. */
  twin?(key: string, signal: AbortSignal): Promise<unknown>
  keys(signal: AbortSignal): Promise<readonly string[]>
}

/** Audit records in the order they were written. */
export interface AuditLog {
  append(bytes: Uint8Array, signal: AbortSignal): Promise<void>
  last(signal: AbortSignal): Promise<Uint8Array<ArrayBuffer> | undefined>
  all(signal: AbortSignal): Promise<readonly Uint8Array<ArrayBuffer>[]>
}

export function createDocuments(connection: IndexConnection): Documents {
  return {
    get: (sha256, signal) => connection.run('reading a document', async (db) => toBytes(await db.get('documents', sha256)), signal),
    put: (sha256, bytes, signal) => connection.run('keeping a document', (db) => settled(db.put('documents', bytes, sha256)), signal),
    remove: (sha256, signal) => connection.run('forgetting a document', (db) => db.delete('documents', sha256), signal),
  }
}

export function createRecords(connection: IndexConnection): Records {
  const putAll: Records['putAll'] = (entries, signal) =>
    connection.run(
      'keeping records',
      async (db) => {
        const tx = db.transaction('records', 'readwrite', { durability: 'strict' })
        // Async, so that a value that cannot be cloned is one more rejection, which is waited for.
        await allOrNone(
          tx,
          [...entries].map(async ([key, value]) => await tx.store.put(value, key)),
        )
      },
      signal,
    )
  return {
    get: (key, signal) => connection.run('reading a record', (db) => db.get('records', key), signal),
    put: (key, value, signal) => putAll(new Map([[key, value]]), signal),
    putAll,
    remove: (key, signal) => connection.run('forgetting a record', (db) => db.delete('records', key), signal),
    keys: (signal) => connection.run('listing records', (db) => db.getAllKeys('records'), signal),
  }
}

export function createAuditLog(connection: IndexConnection): AuditLog {
  return {
    append: (bytes, signal) => connection.run('keeping an audit record', (db) => settled(db.add('audit', bytes)), signal),
    last: (signal) =>
      connection.run(
        'reading the audit log',
        async (db) => toBytes((await db.transaction('audit').store.openCursor(null, 'prev'))?.value),
        signal,
      ),
    all: (signal) =>
      connection.run(
        'reading the audit log',
        async (db) => (await db.getAll('audit')).map(toBytes).filter((bytes) => bytes !== undefined),
        signal,
      ),
  }
}

interface Transaction {
  readonly done: Promise<void>
  abort(): void
}

/** A value that cannot be cloned throws without ending its transaction, which would then keep the values before it. */
async function allOrNone(tx: Transaction, writes: readonly Promise<unknown>[]): Promise<void> {
  try {
    await Promise.all([...writes, tx.done])
  } catch (error) {
    await ended(tx)
    throw error
  }
}

async function ended(tx: Transaction): Promise<void> {
  try {
    tx.abort()
  } catch {
    // It has ended already: a write that failed took the others with it.
  }
  await tx.done.catch(() => undefined)
}

async function settled(write: Promise<unknown>): Promise<void> {
  await write
}

function toBytes(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  return value instanceof Uint8Array && value.buffer instanceof ArrayBuffer
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : undefined
}
