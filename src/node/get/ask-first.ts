import { failureOf } from '../../core/errors.ts'
import { isFromFuture } from '../../core/manifest/freshness.ts'
import type { Records } from '../../stores/index-values.ts'

/** Under which names the engine keeps its newest catalogue, and the version that none may go below. */
export interface CatalogueKeys {
  readonly catalogue: string
  readonly floor: string
}

/**
 * A page that was just told what is published does not ask again for an hour. Whoever types a command wants what is published now: the places are
 * asked first, and the kept catalogue counts only when none of them has a good one. Its floor always counts.
 * @param attempt works with the records that it is given; repeated once at most
 */
export async function askFirst<T>(
  { records, keys, nowSeconds }: { readonly records: Records; readonly keys: CatalogueKeys; readonly nowSeconds: number },
  attempt: (records: Records) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const [kept, floor] = [await records.get(keys.catalogue, signal), await records.get(keys.floor, signal)]
  // A floor ahead of the clock is believed for the signed catalogue that goes with it.
  if (kept === undefined || isAhead(floor, nowSeconds)) return await attempt(records)
  try {
    return await attempt(withoutCatalogue(records, keys.catalogue))
  } catch (error) {
    signal.throwIfAborted()
    if (failureOf(error)?.code.startsWith('catalogue-') !== true) throw error
    return await attempt(records)
  }
}

function isAhead(floor: unknown, nowSeconds: number): boolean {
  const isNamed = typeof floor === 'object' && floor !== null && 'version' in floor && typeof floor.version === 'number'
  return !isNamed || isFromFuture(Number(floor.version), nowSeconds)
}

/** Not to be seen until there is a new one. */
function withoutCatalogue(records: Records, key: string): Records {
  let isNew = false
  const putAll: Records['putAll'] = async (entries, signal) => {
    await records.putAll(entries, signal)
    isNew ||= entries.has(key)
  }
  return {
    ...records,
    get: async (name, signal) => (name === key && !isNew ? undefined : await records.get(name, signal)),
    put: (name, value, signal) => putAll(new Map([[name, value]]), signal),
    putAll,
  }
}
