/**
 * Runs batches, so many at once: whoever is done takes the next. All of what they brought, in the order of the batches.
 * @throws the first failure, once no batch runs any more
 */
export async function inLanes<T>(batches: readonly (() => Promise<readonly T[]>)[], lanes: number): Promise<readonly T[]> {
  const results: (readonly T[])[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let at = next++; at < batches.length; at = next++) results[at] = (await batches[at]?.()) ?? []
  }
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return results.flat()
}
