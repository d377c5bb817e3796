/**
 * Runs `work` on each item, so many at a time, and gives the results in the order of the items. After a failure nothing new is begun; it
 * rejects with the first one once all that had begun has ended.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const failures: unknown[] = []
  const queue = items.entries()
  const lane = async (): Promise<void> => {
    for (const [at, item] of queue) {
      try {
        results[at] = await work(item)
      } catch (error) {
        failures.push(error)
      }
      if (failures.length > 0) return
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}
