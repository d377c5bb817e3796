import type { PieceIndex, Sha256 } from '../../src/core/model/ids.ts'
import type { PieceFlags } from '../../src/stores/index-pieces.ts'
import type { PieceFlag } from '../../src/stores/index-schema.ts'
import type { PieceFiles, PieceWriter } from '../../src/stores/piece-files.ts'

/** `before`: the call fails and does nothing. `after`: it does its work and fails. `crash`: it does nothing, and neither does any later one. */
export type FailureKind = 'before' | 'after' | 'crash'

/** A disk that loses what was not flushed when the machine stops, and fails at one chosen call. */
export interface FailingDisk {
  readonly files: PieceFiles
  readonly flags: PieceFlags
  /** Names of the calls made so far, in order: the places where a failure can be planted. */
  readonly calls: readonly string[]
  readonly openWriters: number
  /** True once the planted failure has happened. */
  readonly hasFailed: boolean
  /** The worker that had files open was ended. What it had flushed is safe. */
  freeHandles(): void
  /** Every file is gone, under whoever has one open. Flags stay. */
  clearFiles(): void
  /** The machine stops and starts again: unflushed bytes are gone, handles are released, nothing fails any more. */
  restart(): void
}

export interface PlantedFailure {
  readonly kind: FailureKind
  /** Which call fails: its number among all calls, or among those of one name. From 0. */
  readonly at: number | { readonly call: string; readonly nth: number }
  /** Default: an error of no known name. */
  readonly error?: Error
}

export function createFailingDisk(planted?: PlantedFailure): FailingDisk {
  const disk = new Disk(planted)
  return disk
}

class Disk implements FailingDisk {
  readonly calls: string[] = []
  readonly files: PieceFiles
  readonly flags: PieceFlags
  hasFailed = false
  readonly #durable = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #volatile = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #flags = new Map<string, PieceFlag>()
  readonly #locked = new Set<string>()
  #planted: PlantedFailure | undefined
  #isDead = false

  constructor(planted: PlantedFailure | undefined) {
    this.#planted = planted
    this.files = this.#makeFiles()
    this.flags = this.#makeFlags()
  }

  get openWriters(): number {
    return this.#locked.size
  }

  freeHandles(): void {
    this.#locked.clear()
  }

  clearFiles(): void {
    this.#volatile.clear()
    this.#durable.clear()
  }

  restart(): void {
    this.#planted = undefined
    this.#isDead = false
    this.#locked.clear()
    this.#volatile.clear()
    for (const [name, bytes] of this.#durable) this.#volatile.set(name, bytes.slice())
  }

  #call<T>(name: string, effect: () => T): T {
    if (this.#isDead) throw new Error('the machine has stopped')
    const isPlanted = this.#isPlanted(name)
    this.calls.push(name)
    if (!isPlanted || this.#planted === undefined) return effect()
    this.hasFailed = true
    if (this.#planted.kind === 'crash') this.#isDead = true
    if (this.#planted.kind === 'after') effect()
    throw this.#planted.error ?? new Error(`planted at ${name}`)
  }

  #isPlanted(name: string): boolean {
    const at = this.#planted?.at
    if (typeof at !== 'object') return at === this.calls.length
    return at.call === name && at.nth === this.calls.filter((call) => call === name).length
  }

  #makeFiles(): PieceFiles {
    return {
      canWrite: true,
      openWriter: async (name) => this.#call('openWriter', () => this.#open(name)),
      closeWriter: async (name, writer) =>
        this.#call('closeWriter', () => {
          if (!this.#volatile.has(name)) this.#volatile.set(name, new Uint8Array(0))
          writer.close()
        }),
      snapshot: async (name) =>
        this.#call('snapshot', () => {
          const bytes = this.#volatile.get(name)
          return bytes === undefined ? undefined : new Blob([bytes])
        }),
      remove: async (name) =>
        this.#call('removeFile', () => {
          this.#volatile.delete(name)
          this.#durable.delete(name)
        }),
      writeText: async (name, text) =>
        this.#call('writeText', () => {
          this.#durable.set(name, new TextEncoder().encode(text))
          this.#volatile.set(name, new TextEncoder().encode(text))
        }),
      names: async () => [...this.#volatile.keys()],
    }
  }

  #open(name: string): PieceWriter {
    if (this.#locked.has(name)) throw new DOMException('held', 'NoModificationAllowedError')
    this.#locked.add(name)
    if (!this.#volatile.has(name)) this.#volatile.set(name, new Uint8Array(0))
    const bytes = (): Uint8Array<ArrayBuffer> => this.#volatile.get(name) ?? new Uint8Array(0)
    return {
      getSize: () => this.#call('getSize', () => bytes().length),
      truncate: (sizeBytes) =>
        this.#call('truncate', () => {
          const resized = new Uint8Array(sizeBytes)
          resized.set(bytes().subarray(0, sizeBytes))
          this.#volatile.set(name, resized)
        }),
      // Half of what was asked for at most calls, as the platform may.
      write: (chunk, { at }) =>
        this.#call('write', () => {
          const part = chunk.subarray(0, Math.max(1, Math.ceil(chunk.length / 2)))
          bytes().set(part, at)
          return part.length
        }),
      read: (into, { at }) =>
        this.#call('read', () => {
          const part = bytes().subarray(at, at + into.length)
          into.set(part)
          return part.length
        }),
      flush: () =>
        this.#call('flush', () => {
          this.#durable.set(name, bytes().slice())
        }),
      close: () => {
        if (!this.#volatile.has(name)) throw new Error('a worker that closes the handle of a file that is gone stands still for ever')
        this.#locked.delete(name)
      },
    }
  }

  #makeFlags(): PieceFlags {
    return {
      list: async (sha256, backing) =>
        this.#call('listFlags', () =>
          [...this.#flags].filter(([key, flag]) => key.startsWith(sha256) && flag.backing === backing).map(([, flag]) => flag),
        ),
      get: async (sha256, piece) => this.#call('getFlag', () => this.#flags.get(keyOf(sha256, piece))),
      add: async (sha256, flags) =>
        this.#call('addFlags', () => {
          for (const flag of flags) this.#flags.set(keyOf(sha256, flag.index), flag)
        }),
      remove: async (sha256, pieces) =>
        this.#call('removeFlags', () => {
          for (const piece of pieces) this.#flags.delete(keyOf(sha256, piece))
        }),
    }
  }
}

function keyOf(sha256: Sha256, piece: PieceIndex): string {
  return `${sha256}/${piece}`
}
