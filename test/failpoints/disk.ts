import { createSeededRandom } from '../fakes/seeded-random.ts'

type Bytes = Uint8Array<ArrayBuffer>
/** Rows by key, of one object store. */
export type Table = ReadonlyMap<string, { readonly key: unknown; readonly value: unknown }>

/** What is left of a machine's storage between two visits. */
export interface DiskImage {
  readonly files: ReadonlyMap<string, Bytes>
  readonly tables: ReadonlyMap<string, Table>
}

export const EMPTY_DISK: DiskImage = { files: new Map(), tables: new Map() }

/**
 * What becomes of bytes that were written and not flushed when the process ends. `kept`: all are there. `lost`: none.
 * `torn`: some, and of those perhaps the first part.
 */
export type Loss = 'kept' | 'lost' | 'torn'
export const LOSSES: readonly Loss[] = ['kept', 'lost', 'torn']

type Change = { readonly at: number; readonly bytes: Bytes } | { readonly sizeBytes: number }

interface File {
  now: Bytes
  /** Undefined while the file was never flushed: then it may not even be there. */
  safe: Bytes | undefined
  unsafe: Change[]
}

export interface OpenFile {
  bytes(): Bytes
  change(change: Change): void
  flush(): void
}

/** Storage as one process sees it. Rows are safe at once, all of a transaction or none; bytes of files once they are flushed. */
export class Disk {
  readonly tables = new Map<string, Map<string, { readonly key: unknown; readonly value: unknown }>>()
  readonly #files = new Map<string, File>()

  constructor(image: DiskImage) {
    for (const [name, table] of image.tables) this.tables.set(name, new Map(table))
    for (const [name, bytes] of image.files) this.#files.set(name, { now: bytes.slice(), safe: bytes.slice(), unsafe: [] })
  }

  /** True while something is written and not flushed. */
  get hasUnsafe(): boolean {
    return [...this.#files.values()].some(({ unsafe }) => unsafe.length > 0)
  }

  table(name: string): Map<string, { readonly key: unknown; readonly value: unknown }> {
    const table = this.tables.get(name) ?? new Map<string, { readonly key: unknown; readonly value: unknown }>()
    this.tables.set(name, table)
    return table
  }

  has(name: string): boolean {
    return this.#files.has(name)
  }

  names(): readonly string[] {
    return [...this.#files.keys()]
  }

  /** The file itself: whoever has it open goes on with it when it has no name any more. Made where there is none. */
  open(name: string): OpenFile {
    const file: File = this.#files.get(name) ?? { now: new Uint8Array(0), safe: undefined, unsafe: [] }
    this.#files.set(name, file)
    return {
      bytes: () => file.now,
      change(change) {
        file.now = changed(file.now, change)
        file.unsafe.push(change)
      },
      flush() {
        file.safe = file.now.slice()
        file.unsafe = []
      },
    }
  }

  replace(name: string, bytes: Bytes): void {
    this.#files.set(name, { now: bytes, safe: bytes, unsafe: [] })
  }

  remove(name: string): void {
    this.#files.delete(name)
  }

  /** What the next process finds. @param seed decides what is torn, and where */
  image(loss: Loss, seed = 1): DiskImage {
    const random = createSeededRandom(seed)
    const files = new Map<string, Bytes>()
    for (const [name, file] of this.#files) {
      const left = leftOf(file, loss, random)
      if (left !== undefined) files.set(name, left)
    }
    return { files, tables: new Map([...this.tables].map(([name, table]) => [name, new Map(table)])) }
  }
}

function leftOf({ now, safe, unsafe }: File, loss: Loss, random: () => number): Bytes | undefined {
  if (loss === 'kept') return now.slice()
  if (loss === 'lost') return safe?.slice()
  let bytes: Bytes = safe?.slice() ?? new Uint8Array(0)
  for (const change of unsafe) if (random() < 0.5) bytes = changed(bytes, torn(change, random))
  return bytes
}

function torn(change: Change, random: () => number): Change {
  if (!('bytes' in change) || random() < 0.5) return change
  return { at: change.at, bytes: change.bytes.slice(0, Math.ceil(random() * change.bytes.length)) }
}

function changed(bytes: Bytes, change: Change): Bytes {
  const sizeBytes = 'sizeBytes' in change ? change.sizeBytes : Math.max(bytes.length, change.at + change.bytes.length)
  const next = new Uint8Array(sizeBytes)
  next.set(bytes.subarray(0, sizeBytes))
  if ('bytes' in change) next.set(change.bytes, change.at)
  return next
}
