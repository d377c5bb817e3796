import type { IndexConnection, IndexDatabase } from '../../src/stores/index-connection.ts'
import { indexOver, type SealiftIndex } from '../../src/stores/index-db.ts'
import { toStoreError } from '../../src/stores/store-failure.ts'
import type { Disk } from './disk.ts'
import { WatchedBlob } from './failing-files.ts'
import type { Failpoints } from './failpoint.ts'

/** The index itself, over as much of IndexedDB as it uses: every request and every commit is a place to fail. */
export function createFailingIndex(disk: Disk, points: Failpoints): SealiftIndex {
  provideKeyRange()
  const connection: IndexConnection = {
    async run(doing, work, signal) {
      signal.throwIfAborted()
      try {
        return await work(databaseFor({ disk, points, doing }))
      } catch (error) {
        throw toStoreError(error, { doing, neededBytes: 0 })
      }
    },
    close: () => undefined,
  }
  return indexOver(connection)
}

interface Room {
  readonly disk: Disk
  readonly points: Failpoints
  readonly doing: string
}

interface Range {
  readonly lower: readonly unknown[]
}

function provideKeyRange(): void {
  // Node has no IndexedDB; the index asks for all keys that begin with a digest, and for nothing else.
  if (typeof IDBKeyRange === 'undefined') Object.assign(globalThis, { IDBKeyRange: { bound: (lower: unknown) => ({ lower }) } })
}

class Transaction {
  readonly done: Promise<void>
  readonly #room: Room
  readonly #isWriting: boolean
  readonly #changes: (() => void)[] = []
  #pending = 0
  #isEnding = false
  #failure: { readonly error: unknown } | undefined
  #settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  }

  constructor(room: Room, mode: string) {
    this.#room = room
    this.#isWriting = mode === 'readwrite'
    this.done = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever has failed already does not look.
    this.done.catch(() => undefined)
    this.#later()
  }

  abort(): void {
    if (this.#isEnding) throw new DOMException('over', 'InvalidStateError')
    this.#isEnding = true
    this.#settle.reject(new DOMException('aborted', 'AbortError'))
  }

  get(store: string, key: unknown): Promise<unknown> {
    return this.#request(`reading from ${store}`, false, () => copyOf(this.#table(store).get(nameOf(key))?.value, this.#room.points))
  }

  getAll(store: string, range?: Range): Promise<readonly unknown[]> {
    return this.#request(`reading all of ${store}`, false, () =>
      this.#rows(store, range).map(({ value }) => copyOf(value, this.#room.points)),
    )
  }

  getAllKeys(store: string, range?: Range): Promise<readonly unknown[]> {
    return this.#request(`listing ${store}`, false, () => this.#rows(store, range).map(({ key }) => key))
  }

  put(store: string, value: unknown, key: unknown): Promise<void> {
    const kept = copyOf(value, this.#room.points)
    return this.#request(`putting into ${store}`, true, () => {
      this.#changes.push(() => this.#table(store).set(nameOf(key), { key, value: kept }))
    })
  }

  add(store: string, value: unknown): Promise<void> {
    return this.put(store, value, this.#table(store).size + 1)
  }

  delete(store: string, key: unknown): Promise<void> {
    return this.#request(`deleting from ${store}`, true, () => {
      const gone = isRange(key) ? this.#rows(store, key).map((row) => row.key) : [key]
      this.#changes.push(() => gone.forEach((one) => this.#table(store).delete(nameOf(one))))
    })
  }

  #table(store: string): Map<string, { readonly key: unknown; readonly value: unknown }> {
    return this.#room.disk.table(store)
  }

  #rows(store: string, range: Range | undefined): readonly { readonly key: unknown; readonly value: unknown }[] {
    const [first] = range?.lower ?? []
    const rows = [...this.#table(store).values()]
    const inRange = range === undefined ? rows : rows.filter(({ key }) => Array.isArray(key) && key[0] === first)
    return inRange.toSorted((a, b) => orderOf(a.key) - orderOf(b.key))
  }

  async #request<T>(name: string, isWriting: boolean, effect: () => T): Promise<T> {
    this.#pending++
    try {
      return await this.#room.points.wait({ name: `${this.#room.doing}: ${name}`, isWriting }, effect)
    } catch (error) {
      // A request that fails takes its transaction with it.
      this.#failure ??= { error }
      throw error
    } finally {
      this.#pending--
      this.#later()
    }
  }

  /** A transaction ends by itself when nobody has asked anything more of it. */
  #later(): void {
    setImmediate(() => void this.#endIfIdle())
  }

  async #endIfIdle(): Promise<void> {
    if (this.#pending > 0 || this.#isEnding) return
    this.#isEnding = true
    try {
      if (this.#failure !== undefined) throw this.#failure.error
      const commit = (): void => this.#changes.forEach((change) => change())
      if (this.#isWriting) await this.#room.points.wait({ name: `${this.#room.doing}: committing`, isWriting: true }, commit)
      this.#settle.resolve()
    } catch (error) {
      this.#settle.reject(error)
    }
  }
}

function databaseFor(room: Room): IndexDatabase {
  const alone = async <T>(mode: string, work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const tx = new Transaction(room, mode)
    const [value] = await Promise.all([work(tx), tx.done])
    return value
  }
  const database = {
    transaction(stores: string | readonly string[], mode = 'readonly') {
      const tx = new Transaction(room, mode)
      const storeOf = (name: string) => ({
        get: (key: unknown) => tx.get(name, key),
        getAll: (range?: Range) => tx.getAll(name, range),
        getAllKeys: (range?: Range) => tx.getAllKeys(name, range),
        put: (value: unknown, key: unknown) => tx.put(name, value, key),
        delete: (key: unknown) => tx.delete(name, key),
        // As far as the audit log goes: the last record.
        openCursor: async () => {
          const all = await tx.getAll(name)
          return all.length === 0 ? null : { value: all.at(-1) }
        },
      })
      const [first] = [stores].flat()
      return { done: tx.done, abort: () => tx.abort(), objectStore: storeOf, store: storeOf(first ?? '') }
    },
    get: (store: string, key: unknown) => alone('readonly', (tx) => tx.get(store, key)),
    getAll: (store: string) => alone('readonly', (tx) => tx.getAll(store)),
    getAllKeys: (store: string) => alone('readonly', (tx) => tx.getAllKeys(store)),
    put: (store: string, value: unknown, key: unknown) => alone('readwrite', (tx) => tx.put(store, value, key)),
    add: (store: string, value: unknown) => alone('readwrite', (tx) => tx.add(store, value)),
    delete: (store: string, key: unknown) => alone('readwrite', (tx) => tx.delete(store, key)),
  }
  return database as unknown as IndexDatabase
}

function nameOf(key: unknown): string {
  return JSON.stringify(key)
}

function orderOf(key: unknown): number {
  return Number(Array.isArray(key) ? key[1] : key)
}

function isRange(key: unknown): key is Range {
  return typeof key === 'object' && key !== null && 'lower' in key
}

/** Rows are copied on their way in and out; a blob is handed out as one whose bytes are waited for. */
function copyOf(value: unknown, points: Failpoints): unknown {
  return value instanceof Blob ? new WatchedBlob([value], points) : structuredClone(value)
}
