import { join } from 'node:path'
import { LIMITS } from '../core/limits.ts'
import type { Clock } from '../core/ports.ts'
import { readIfThere, type KeptFiles } from './kept-files.ts'
import type { OriginPool } from './origin-pool.ts'

export interface CachedCatalogue {
  readonly bytes: Uint8Array
  readonly status: 'HIT' | 'MISS' | 'STALE'
}

export interface CatalogueCache {
  /** The catalogue, or undefined when there is none here and no origin gives one. Never waits for an origin while there is one here. */
  get(signal: AbortSignal): Promise<CachedCatalogue | undefined>
}

/** After a failure the origins are left alone for as long, or for `freshMs` if that is less. */
const RETRY_MS = 10_000

/**
 * Fresh for a while. After that the last one is served, for as long as it takes, while one request at a time asks for a newer: its reader
 * judges its age.
 */
export function createCatalogueCache(options: {
  readonly pool: OriginPool
  readonly kept: KeptFiles
  readonly clock: Clock
  readonly cacheDir: string
  readonly pinnedRoot: string
  readonly freshMs: number
}): CatalogueCache {
  const { pool, kept, clock, freshMs } = options
  const file = join(options.cacheDir, 'catalogue.json')
  let last: Uint8Array | undefined
  let freshUntilMs = -Infinity
  let askAgainAtMs = -Infinity
  let asking: Promise<Uint8Array | undefined> | undefined

  const ask = async (signal: AbortSignal): Promise<Uint8Array | undefined> => {
    const answer = await pool.fetch({ path: 'catalogue.json', range: undefined, maxBytes: LIMITS.catalogueBytes }, signal)
    const nowMs = clock.monotonicMs()
    if (answer.kind !== 'bytes') {
      askAgainAtMs = nowMs + Math.min(freshMs, RETRY_MS)
      return undefined
    }
    last = answer.bytes
    freshUntilMs = nowMs + freshMs
    await kept.keep(file, answer.bytes)
    return answer.bytes
  }
  const refresh = (signal: AbortSignal): Promise<Uint8Array | undefined> => {
    asking ??= ask(signal).finally(() => {
      asking = undefined
    })
    return asking
  }

  return {
    async get(signal) {
      const pinned = await readIfThere(join(options.pinnedRoot, 'catalogue.json'))
      if (pinned !== undefined) return { bytes: pinned, status: 'HIT' }
      last ??= await kept.read(file)
      if (last === undefined) {
        const bytes = await refresh(signal)
        return bytes === undefined ? undefined : { bytes, status: 'MISS' }
      }
      if (clock.monotonicMs() < freshUntilMs) return { bytes: last, status: 'HIT' }
      // Only a cancellation is thrown, and nobody waits for this one.
      if (clock.monotonicMs() >= askAgainAtMs) void refresh(signal).catch(() => undefined)
      return { bytes: last, status: 'STALE' }
    },
  }
}
