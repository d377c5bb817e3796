import { ALIASES_KEY } from '../engine/catalogue-desk.ts'
import { memoryOf } from '../engine/compose.ts'
import type { Alone } from './alone.ts'

/** Plain URLs that stand for artifacts, held in memory: whether a request is ours has to be said at once. */
export interface Aliases {
  /** Undefined until the list was read once in this life of the worker. */
  has(url: string): boolean | undefined
  /** Reads the list that the engine keeps. Never rejects: without a list no plain URL is ours. */
  load(): Promise<void>
}

const LOAD_MS = 3000

export function createAliases(alone: Alone): Aliases {
  let urls: ReadonlySet<string> | undefined
  return {
    has: (url) => urls?.has(url),
    async load() {
      const signal = AbortSignal.timeout(LOAD_MS)
      try {
        const kept = await memoryOf(await alone.stores(signal)).records.get(ALIASES_KEY, signal)
        urls = new Set(Array.isArray(kept) ? kept.filter((url) => typeof url === 'string') : [])
      } catch {
        // A store that cannot be read now knows no aliases now; the network answers as if we were not here.
        urls ??= new Set()
      }
    },
  }
}
