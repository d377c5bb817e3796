import { startChild } from './child.ts'
import type { ContentOptions } from './content-process.ts'
import type { Publication } from './publication.ts'

/** Honest sources of artifacts that nobody has on a disk. */
export interface ContentFarm {
  /** Each ends in `/`. */
  readonly urls: readonly string[]
  /** Bytes per second of each source, from the next request on; undefined: as fast as it goes. */
  shape(rates: readonly (number | undefined)[]): Promise<void>
  close(): Promise<void>
}

export async function startContentFarm({ files, artifacts }: Publication, sources: number): Promise<ContentFarm> {
  const child = await startChild(new URL('./content-process.js', import.meta.url))
  const specs = artifacts.map(({ seed, sizeBytes, sha256 }) => ({ seed, sizeBytes, sha256 }))
  const urls = await child.call<readonly string[]>('start', { sources, files, artifacts: specs } satisfies ContentOptions)
  return { urls, shape: (rates) => child.call('shape', rates), close: () => child.close() }
}
