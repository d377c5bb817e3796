import { LIMITS } from '../core/limits.ts'
import type { FileStore } from './artifact-file.ts'
import { createLayeredStore } from './layered-store.ts'
import { createMemoryBacking } from './memory-backing.ts'

/**
 * Keeps pieces in memory until the process ends; refuses with `quota-exceeded` at `open` what cannot fit.
 * @param options.limitBytes over all artifacts. Default and ceiling `LIMITS.memoryStoreBytes`
 */
export function createMemoryStore(options: { readonly limitBytes?: number } = {}): FileStore {
  const limitBytes = Math.min(options.limitBytes ?? LIMITS.memoryStoreBytes, LIMITS.memoryStoreBytes)
  return createLayeredStore([createMemoryBacking(limitBytes)], undefined)
}
