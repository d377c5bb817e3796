import { openDB, type IDBPDatabase } from 'idb'
import { DeliveryError } from '../core/errors.ts'
import { withDeadline } from './deadline.ts'
import { INDEX_NAME, INDEX_VERSION, upgradeIndex, type IndexSchema } from './index-schema.ts'
import { storeFailed, toStoreError } from './store-failure.ts'

export type IndexDatabase = IDBPDatabase<IndexSchema>

/** One connection to the index that is opened anew when the browser drops it. */
export interface IndexConnection {
  /** @throws {DeliveryError} `store-failed`, `quota-exceeded`, `version-skew`; `signal.reason` itself */
  run<T>(doing: string, work: (db: IndexDatabase) => Promise<T>, signal: AbortSignal): Promise<T>
  close(): void
}

/** @throws {DeliveryError} `store-failed` where IndexedDB cannot be used, `version-skew` when a newer version of this code owns the index */
export async function connectIndex(signal: AbortSignal): Promise<IndexConnection> {
  const connection = new Connection()
  await connection.run('opening the index', async () => undefined, signal)
  return connection
}

class Connection implements IndexConnection {
  #db: Promise<IndexDatabase> | undefined
  #isClosed = false

  async run<T>(doing: string, work: (db: IndexDatabase) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    return await withDeadline(this.#attempt(doing, work), doing, signal)
  }

  close(): void {
    this.#isClosed = true
    this.#drop(this.#db)
  }

  async #attempt<T>(doing: string, work: (db: IndexDatabase) => Promise<T>): Promise<T> {
    try {
      return await this.#once(work)
    } catch (error) {
      throw toStoreError(error, { doing, neededBytes: 0 })
    }
  }

  async #once<T>(work: (db: IndexDatabase) => Promise<T>): Promise<T> {
    const opening = this.#current()
    const db = await opening
    try {
      return await work(db)
    } catch (error) {
      if (!isConnectionLost(error)) throw error
      this.#drop(opening)
      return await work(await this.#current())
    }
  }

  #current(): Promise<IndexDatabase> {
    if (this.#isClosed) return Promise.reject(storeFailed('the index was closed'))
    if (this.#db === undefined) {
      const opening = open(() => this.#drop(opening))
      opening.catch(() => this.#drop(opening))
      this.#db = opening
    }
    return this.#db
  }

  #drop(opening: Promise<IndexDatabase> | undefined): void {
    if (this.#db === opening) this.#db = undefined
    opening?.then(
      (db) => db.close(),
      () => undefined,
    )
  }
}

async function open(onLost: () => void): Promise<IndexDatabase> {
  if (typeof indexedDB === 'undefined') throw storeFailed('this browser has no IndexedDB')
  try {
    return await openDB<IndexSchema>(INDEX_NAME, INDEX_VERSION, {
      upgrade: upgradeIndex,
      // A newer version of this code waits for us in another tab: let go at once, or it hangs.
      blocking: onLost,
      terminated: onLost,
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'VersionError') throw await newerVersion(error)
    throw error
  }
}

async function newerVersion(cause: Error): Promise<DeliveryError> {
  const db = await openDB(INDEX_NAME)
  const actual = db.version
  db.close()
  return new DeliveryError({ code: 'version-skew', expected: INDEX_VERSION, actual }, { cause })
}

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && error.name === 'InvalidStateError'
}
