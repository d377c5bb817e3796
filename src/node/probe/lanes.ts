/**
 * Does `work` for each item, few at a time, until `isEnough` says that there is no more to learn.
 * @throws what the first `work` that fails throws
 */
export async function inLanes<T>(
  items: readonly T[],
  options: { readonly lanes: number; readonly isEnough?: () => boolean },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const lane = async (): Promise<void> => {
    for (const item of waiting) {
      if (options.isEnough?.() === true) return
      await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.lanes, items.length) }, lane))
}
