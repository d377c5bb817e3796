import type { Clock } from 'sealift/protocol'

/** Somebody who is to be told something that can wait. */
export interface NewsReader {
  deliverNews(): void
}

/** Tells many at once what can wait. */
export interface NewsRound {
  /** It is told within the delay; once, however often this is said until then. */
  expect(reader: NewsReader): void
}

/** @param signal ends it; who waits then is not told */
export function createNewsRound(clock: Clock, delayMs: number, signal: AbortSignal): NewsRound {
  const waiting = new Set<NewsReader>()
  const ring = async (): Promise<void> => {
    await clock.sleep(delayMs, signal)
    const readers = [...waiting]
    waiting.clear()
    for (const reader of readers) reader.deliverNews()
  }
  return {
    expect(reader) {
      // One timer, however often the same one is named.
      const isFirst = waiting.size === 0
      waiting.add(reader)
      // It fails only when the server stops.
      if (isFirst) ring().catch(() => waiting.clear())
    },
  }
}
