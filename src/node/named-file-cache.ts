import { join } from 'node:path'
import type { Clock } from '../core/ports.ts'
import { readIfThere, type KeptFiles } from './kept-files.ts'
import type { OriginPool } from './origin-pool.ts'

export interface CachedFile {
  readonly bytes: Uint8Array
  readonly status: 'HIT' | 'MISS' | 'STALE'
}

export interface NamedFileCache {
  /**
   * The file; `missing` when there is none here and an origin says that it has none, `unreachable` when none says anything. Never waits for an
   * origin while there is one here.
   */
  get(signal: AbortSignal): Promise<CachedFile | 'missing' | 'unreachable'>
}

/** After a failure the origins are left alone for as long, or for `freshMs` if that is less. */
const RETRY_MS = 10_000

/** What an origin does not have is not asked for again for as long, where `isOftenMissing`. */
const MISSING_MS = 3000

/**
 * A small file that has a name and not a digest: the catalogue, or a trust update. Fresh for a while. After that the last one is served, for
 * as long as it takes, while one request at a time asks for a newer: its reader judges its age.
 */
export function createNamedFileCache(options: {
  readonly pool: OriginPool
  readonly kept: KeptFiles
  readonly clock: Clock
  readonly cacheDir: string
  readonly pinnedRoot: string
  readonly freshMs: number
  /** In the published layout. */
  readonly path: string
  readonly maxBytes: number
  /** Readers ask for it before it is published, again and again. */
  readonly isOftenMissing: boolean
}): NamedFileCache {
  const { pool, kept, clock, freshMs, path, maxBytes } = options
  const file = join(options.cacheDir, path)
  let last: Uint8Array | undefined
  let freshUntilMs = -Infinity
  let askAgainAtMs = -Infinity
  let missingUntilMs = -Infinity
  let asking: Promise<Uint8Array | 'missing' | 'unreachable'> | undefined

  const ask = async (signal: AbortSignal): Promise<Uint8Array | 'missing' | 'unreachable'> => {
    const answer = await pool.fetch({ path, range: undefined, maxBytes }, signal)
    const nowMs = clock.monotonicMs()
    if (answer.kind !== 'bytes') {
      askAgainAtMs = nowMs + Math.min(freshMs, RETRY_MS)
      if (answer.kind !== 'missing') return 'unreachable'
      if (options.isOftenMissing) missingUntilMs = nowMs + Math.min(freshMs, MISSING_MS)
      return 'missing'
    }
    last = answer.bytes
    freshUntilMs = nowMs + freshMs
    await kept.keep(file, answer.bytes)
    return answer.bytes
  }
  const refresh = (signal: AbortSignal): Promise<Uint8Array | 'missing' | 'unreachable'> => {
    asking ??= ask(signal).finally(() => {
      asking = undefined
    })
    return asking
  }

  return {
    async get(signal) {
      const pinned = await readIfThere(join(options.pinnedRoot, path))
      if (pinned !== undefined) return { bytes: pinned, status: 'HIT' }
      last ??= await kept.read(file)
      if (last === undefined) {
        if (clock.monotonicMs() < missingUntilMs) return 'missing'
        const bytes = await refresh(signal)
        return typeof bytes === 'string' ? bytes : { bytes, status: 'MISS' }
      }
      if (clock.monotonicMs() < freshUntilMs) return { bytes: last, status: 'HIT' }
      // Only a cancellation is thrown, and nobody waits for this one.
      if (clock.monotonicMs() >= askAgainAtMs) void refresh(signal).catch(() => undefined)
      return { bytes: last, status: 'STALE' }
    },
  }
}
