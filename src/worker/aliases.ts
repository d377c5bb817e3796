import type { Standalone } from '../engine/standalone.ts'

/** Plain URLs that stand for artifacts, held in memory: whether a request is ours has to be said at once. */
export interface Aliases {
  /** Undefined while the list is being read, at the start of a life of the worker and after each change. */
  has(url: string): boolean | undefined
  /** Reads the list that the engine keeps. Never rejects: without a list no plain URL is ours. */
  load(): Promise<void>
}

const LOAD_MS = 3000

export function createAliases(alone: Standalone): Aliases {
  let urls: ReadonlySet<string> | undefined
  let loads = 0
  return {
    has: (url) => (urls?.has(url) === true ? true : urls === undefined || loads > 0 ? undefined : false),
    async load() {
      loads++
      try {
        urls = new Set(await alone.aliases(AbortSignal.timeout(LOAD_MS)))
      } catch {
        // A store that cannot be read now knows no aliases now; the network answers as if we were not here.
        urls ??= new Set()
      } finally {
        loads--
      }
    },
  }
}
