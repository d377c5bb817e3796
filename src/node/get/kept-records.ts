import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import type { Records } from '../../stores/index-values.ts'
import { errorCode, writeFileDurably } from '../durable-file.ts'
import { diskTrouble } from './disk-trouble.ts'
import { inTurn } from './turns.ts'

export interface KeptRecords extends Records {
  /** Resolves when everything that was asked for is written, or has failed. */
  idle(): Promise<void>
}

/** Private: a catalogue may name places that not everybody knows. */
const MODE = 0o600

/**
 * What browsers keep in their index, in one file of a folder, written whole: all of several values or none. Without it an older catalogue
 * would not be told from a newer one in the next run.
 * @throws {DeliveryError} from each call: `input-invalid` when the folder cannot be used, or what is kept there is damaged
 */
export function createKeptRecords(folder: string, clock: Clock): KeptRecords {
  const path = join(folder, 'records.json')
  const shelf = createShelf(path)
  const pending = new Set<Promise<unknown>>()
  const noted = <T>(work: Promise<T>): Promise<T> => {
    const settled = work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => pending.delete(settled))
    pending.add(settled)
    return work
  }
  const change = (edit: (records: Map<string, unknown>) => void, signal: AbortSignal): Promise<void> =>
    noted(
      inTurn(
        { path: join(folder, '.records.lock'), clock },
        async () => {
          const records = new Map(await shelf.read())
          edit(records)
          await shelf.write(records)
        },
        signal,
      ),
    )
  const putAll: Records['putAll'] = (entries, signal) =>
    change((records) => {
      for (const [key, value] of entries) records.set(key, value)
    }, signal)
  return {
    get: async (key) => (await noted(shelf.read())).get(key),
    put: (key, value, signal) => putAll(new Map([[key, value]]), signal),
    putAll,
    remove: (key, signal) => change((records) => void records.delete(key), signal),
    keys: async () => [...(await noted(shelf.read())).keys()],
    async idle() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}

interface Shelf {
  read(): Promise<ReadonlyMap<string, unknown>>
  write(records: ReadonlyMap<string, unknown>): Promise<void>
}

/** Reads again only what another process has put in place of what was read before. */
function createShelf(path: string): Shelf {
  let read: { readonly stamp: string; readonly records: ReadonlyMap<string, unknown> } | undefined
  return {
    async read() {
      const stamp = await stampOf(path)
      if (stamp === undefined) return new Map()
      if (read?.stamp === stamp) return read.records
      const records = parse(path, await readFile(path, 'utf8'))
      read = { stamp, records }
      return records
    },
    async write(records) {
      const text = encode(records)
      try {
        await writeFileDurably(path, text, { mode: MODE })
      } catch (error) {
        throw diskTrouble(error, { path, neededBytes: text.length })
      }
    },
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { ino, mtimeNs, size } = await stat(path, { bigint: true })
    return `${ino} ${mtimeNs} ${size}`
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw diskTrouble(error, { path, neededBytes: 0 })
  }
}

const BYTES = '$bytes'

function encode(records: ReadonlyMap<string, unknown>): string {
  return `${JSON.stringify(plain(Object.fromEntries(records)))}\n`
}

/** Bytes stand as text in JSON. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { [BYTES]: Buffer.from(value).toString('base64') }
  // A key that script may use and not read: whoever wants to keep one goes without.
  if (value instanceof CryptoKey) throw new TypeError('expected a value that can be written down')
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}

function parse(path: string, text: string): ReadonlyMap<string, unknown> {
  let values: unknown
  try {
    values = JSON.parse(text, revive)
  } catch (error) {
    throw damaged(path, error)
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) throw damaged(path)
  return new Map(Object.entries(values))
}

function damaged(path: string, cause?: unknown): DeliveryError {
  const detail = 'is damaged. Remove it to go on: then an older catalogue than the last one is not noticed in the next run'
  return new DeliveryError({ code: 'input-invalid', path, detail }, { cause })
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(BYTES in value) || typeof value[BYTES] !== 'string') return value
  return new Uint8Array(Buffer.from(value[BYTES], 'base64'))
}
