import { createBatches, type Batches } from '../core/batches.ts'
import { failureOf } from '../core/errors.ts'
import type { Bitfield } from '../core/model/bitfield.ts'
import type { PieceIndex, Sha256 } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'
import type { EngineMessage } from '../core/wire/bridge-message.ts'
import { seedPieces } from '../core/wire/seed-pieces.ts'
import { parseSeedNews, type SeedNews } from '../core/wire/seed-news.ts'
import type { Engine } from './compose.ts'

/** Reaches the engines of the other tabs. A `BroadcastChannel`. */
export interface SeedTabs {
  postMessage(news: SeedNews): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

export interface SeedWatchOptions {
  readonly engine: Pick<Engine, 'seedable' | 'onSeedNews' | 'keptAmong'>
  readonly tabs: SeedTabs
  readonly clock: Clock
  readonly send: (message: EngineMessage) => void
}

/** Keeps the page up to date about what it can give to peers, while it holds the peer connections. */
export interface SeedWatch {
  /** The page begins to give, or ends. It hears at once of all that there is. */
  setOn(isOn: boolean): void
}

/** Ten batches a second: each costs a message to the window, one to the other tabs, and a frame to every peer. */
const BATCH_MS = 100
/** Lists that follow each other sooner than this are one. */
const RELIST_MS = 100

/**
 * Whatever tab fetches, the one that leads is told: of single pieces as they are stored, and of the whole list when anything else changes.
 * What other tabs say is looked up, never believed.
 */
export function watchSeeds(options: SeedWatchOptions, signal: AbortSignal): SeedWatch {
  const watch = new Watch(options, signal)
  const { engine, tabs } = options
  const stop = engine.onSeedNews((news) => watch.onOwn(news))
  signal.addEventListener('abort', stop, { once: true })
  tabs.addEventListener('message', ({ data }) => void watch.onOther(data))
  return watch
}

class Watch implements SeedWatch {
  readonly #options: SeedWatchOptions
  readonly #signal: AbortSignal
  readonly #stored: Batches<Sha256, readonly PieceIndex[]>
  /** What the page knows of each artifact. */
  #told = new Map<Sha256, Bitfield>()
  /** Pieces that came while a list was being made: it may have been read before them. */
  #late: (readonly [Sha256, readonly PieceIndex[]])[] = []
  #isOn = false
  #isListing = false
  #isStale = false

  constructor(options: SeedWatchOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    const flush = (sha256: Sha256, pieces: readonly PieceIndex[]): void => this.#onBatch(sha256, pieces)
    this.#stored = createBatches({ clock: options.clock, restMs: BATCH_MS, join: (before, next) => [...before, ...next], flush }, signal)
  }

  setOn(isOn: boolean): void {
    this.#isOn = isOn
    if (isOn) this.#relist()
  }

  onOwn(news: SeedNews): void {
    if (news.type === 'kept') return this.#stored.add(news.sha256, news.pieces)
    this.#options.tabs.postMessage(news)
    this.#relist()
  }

  async onOther(data: unknown): Promise<void> {
    if (!this.#isOn) return
    try {
      const news = parseSeedNews(data)
      if (news.type === 'changed') return this.#relist()
      this.#tell(news.sha256, await this.#options.engine.keptAmong(news.sha256, news.pieces, this.#signal))
    } catch (error) {
      // Seeds are offered, never needed: a foreign message, or a store that cannot be read now, changes nothing.
      if (failureOf(error) === undefined && !this.#signal.aborted) throw error
    }
  }

  #onBatch(sha256: Sha256, pieces: readonly PieceIndex[]): void {
    this.#options.tabs.postMessage({ type: 'kept', sha256, pieces })
    this.#tell(sha256, pieces)
  }

  #tell(sha256: Sha256, pieces: readonly PieceIndex[]): void {
    if (!this.#isOn) return
    if (this.#isListing) return void this.#late.push([sha256, pieces])
    const known = this.#told.get(sha256)
    // Its first piece: only now there is something to offer.
    if (known === undefined) return this.#relist()
    const fresh = pieces.filter((piece) => piece < known.length && !known.has(piece))
    if (fresh.length === 0) return
    for (const piece of fresh) known.add(piece)
    this.#options.send({ type: 'seed-pieces', sha256, pieces: fresh })
  }

  #relist(): void {
    this.#isStale = true
    if (this.#isListing || !this.#isOn) return
    this.#isListing = true
    this.#list().catch((error: unknown) => {
      if (!this.#signal.aborted) throw error
    })
  }

  async #list(): Promise<void> {
    const { engine, clock, send } = this.#options
    try {
      while (this.#isStale && this.#isOn) {
        this.#isStale = false
        this.#late = []
        try {
          const blobs = await engine.seedable(this.#signal)
          this.#told = new Map(blobs.filter(({ role }) => role === 'artifact').map((blob) => [blob.sha256, seedPieces(blob)]))
          send({ type: 'seedable', blobs })
        } catch (error) {
          // They cannot be listed now: what the page knows stays, and each read is judged by itself.
          if (failureOf(error) === undefined) throw error
        }
        await clock.sleep(RELIST_MS, this.#signal)
      }
    } finally {
      this.#isListing = false
    }
    const late = this.#late
    this.#late = []
    for (const [sha256, pieces] of late) this.#tell(sha256, pieces)
  }
}
