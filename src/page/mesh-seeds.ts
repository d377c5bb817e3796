import type { Bitfield } from '../core/model/bitfield.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { Seedable } from '../core/wire/bridge-message.ts'
import { seedPieces } from '../core/wire/seed-pieces.ts'
import { createPieceCache } from '../sources/mesh/piece-cache.ts'
import type { SeedStore } from '../sources/mesh/seed-store.ts'
import type { EngineClient } from './engine-client.ts'

/** What the engine keeps, as the mesh sees it. Which pieces there are is known beforehand; bytes are read when a peer asks. */
export interface PageSeeds {
  readonly store: SeedStore
  /** Artifacts of which there is something to give. */
  readonly artifacts: ReadonlySet<Sha256>
  /** Begins to give: the engine is asked to tell what there is. */
  start(listener: SeedListener): void
  /** Ends it: what the engine told is forgotten, and the listener hears that of it too. */
  stop(): void
}

export interface SeedListener {
  /** There is more, less, or nothing of these blobs. */
  readonly onChange: (digests: readonly Sha256[]) => void
  /** There are these pieces more. */
  readonly onPieces: (digest: Sha256, pieces: readonly PieceIndex[]) => void
}

interface Kept {
  readonly seed: Seedable
  readonly pieces: Bitfield
}

type SeedEngine = Pick<EngineClient, 'call' | 'send' | 'onMessage'>

export function createPageSeeds(engine: SeedEngine, signal: AbortSignal): PageSeeds {
  return new KeptSeeds(engine, signal)
}

class KeptSeeds implements PageSeeds {
  readonly store: SeedStore
  readonly #engine: SeedEngine
  readonly #signal: AbortSignal
  readonly #cache = createPieceCache()
  #blobs: ReadonlyMap<Sha256, Kept> = new Map()
  #listener: SeedListener | undefined

  constructor(engine: SeedEngine, signal: AbortSignal) {
    this.#engine = engine
    this.#signal = signal
    const stop = engine.onMessage((message) => {
      if (this.#listener === undefined) return
      if (message.type === 'seedable') this.#replace(message.blobs)
      else if (message.type === 'seed-pieces') this.#add(message.sha256, message.pieces)
    })
    signal.addEventListener('abort', stop, { once: true })
    this.store = {
      layout: (sha256) => this.#layout(sha256),
      pieces: (sha256) => this.#blobs.get(sha256)?.pieces,
      readPiece: (sha256, piece, own) => this.#read(sha256, piece, own),
      catalogue: (own) => this.#ask({ type: 'seed-catalogue', trust: 0 }, own),
      trustUpdate: (trust, own) => this.#ask({ type: 'seed-catalogue', trust }, own),
    }
  }

  get artifacts(): ReadonlySet<Sha256> {
    const given = [...this.#blobs.values()].filter(({ seed, pieces }) => seed.role === 'artifact' && pieces.size > 0)
    return new Set(given.map(({ seed }) => seed.sha256))
  }

  start(listener: SeedListener): void {
    if (this.#listener === undefined) this.#engine.send({ type: 'seeding', isOn: true })
    this.#listener = listener
  }

  stop(): void {
    if (this.#listener === undefined) return
    this.#engine.send({ type: 'seeding', isOn: false })
    this.#replace([])
    this.#listener = undefined
  }

  #replace(next: readonly Seedable[]): void {
    const before = this.#blobs
    const after = new Map(next.map((seed) => [seed.sha256, { seed, pieces: seedPieces(seed) }]))
    this.#blobs = after
    for (const digest of before.keys()) if (!after.has(digest)) this.#cache.drop(digest)
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter((digest) => !isSame(before.get(digest), after.get(digest)))
    if (changed.length > 0) this.#listener?.onChange(changed)
  }

  #add(digest: Sha256, pieces: readonly PieceIndex[]): void {
    const kept = this.#blobs.get(digest)
    if (kept === undefined) return
    const fresh = pieces.filter((piece) => piece < kept.pieces.length && !kept.pieces.has(piece))
    for (const piece of fresh) kept.pieces.add(piece)
    if (fresh.length > 0) this.#listener?.onPieces(digest, fresh)
  }

  #layout(sha256: Sha256): ReturnType<SeedStore['layout']> {
    const kept = this.#blobs.get(sha256)
    return kept && { sizeBytes: kept.seed.sizeBytes, pieceLengthBytes: kept.seed.pieceLengthBytes, count: kept.pieces.length }
  }

  async #read(sha256: Sha256, piece: PieceIndex, own: AbortSignal): Promise<Uint8Array | undefined> {
    if (this.#blobs.get(sha256)?.pieces.has(piece) !== true) return undefined
    const bytes = await this.#cache.read(sha256, piece, () => this.#load(sha256, piece), own)
    // It may have been withdrawn while it was read.
    return this.#blobs.has(sha256) ? bytes : undefined
  }

  async #load(sha256: Sha256, piece: PieceIndex): Promise<Uint8Array | undefined> {
    const bytes = await this.#ask({ type: 'seed-read', sha256, piece }, this.#signal)
    const kept = this.#blobs.get(sha256)
    if (bytes === undefined && kept?.pieces.has(piece) === true) {
      // Altered on disk, forgotten, or not for peers any more: nobody shall ask for it again.
      kept.pieces.remove(piece)
      this.#listener?.onChange([sha256])
    }
    return bytes
  }

  async #ask(request: SeedCall, own: AbortSignal): Promise<Uint8Array | undefined> {
    const answer = await this.#engine.call(request, { signal: AbortSignal.any([this.#signal, own]) })
    return answer.type === 'seed-bytes' ? answer.bytes : undefined
  }
}

type SeedCall =
  | { readonly type: 'seed-read'; readonly sha256: Sha256; readonly piece: number }
  | { readonly type: 'seed-catalogue'; readonly trust: number }

function isSame(before: Kept | undefined, after: Kept | undefined): boolean {
  if (before === undefined || after === undefined) return before === after
  const [a, b] = [before.seed, after.seed]
  if (a.sizeBytes !== b.sizeBytes || a.pieceLengthBytes !== b.pieceLengthBytes || before.pieces.size !== after.pieces.size) return false
  return [...before.pieces.indices()].every((piece) => after.pieces.has(piece))
}
