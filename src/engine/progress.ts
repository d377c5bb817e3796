import type { SourceId } from '../core/model/ids.ts'
import type { Clock, Tier } from '../core/ports.ts'
import type { DeliveryEvent, PieceSpan } from '../core/wire/delivery-event.ts'
import type { DeliveryObserver } from '../scheduler/observer.ts'

/** Events are for eyes: ten a second are enough, and each crosses a thread. */
const EVERY_MS = 100

export interface Progress extends DeliveryObserver {
  /** Sends what has gathered. */
  flush(): void
}

/** Gathers what happens into few events. */
export function createProgress(
  options: { readonly sizeBytes: number; readonly keptBytes: number; readonly clock: Clock },
  emit: (event: DeliveryEvent) => void,
): Progress {
  let pieces: PieceSpan[] = []
  let verifiedBytes = options.keptBytes
  let receivedBytes = 0
  let lastMs = -Infinity
  const helpers = new Set<SourceId>()
  const flush = (): void => {
    lastMs = options.clock.monotonicMs()
    emit({ kind: 'progress', pieces, verifiedBytes, receivedBytes, sizeBytes: options.sizeBytes })
    pieces = []
  }
  const maybeFlush = (): void => {
    if (options.clock.monotonicMs() - lastMs >= EVERY_MS) flush()
  }
  return {
    flush,
    onPiece({ index, source, tier, bytes }) {
      addSpan(pieces, { start: index, end: index + 1, source, tier })
      verifiedBytes += bytes
      // That somebody else helps is news, and waits for no interval.
      if (helpers.has(source)) maybeFlush()
      else flush()
      helpers.add(source)
    },
    onReceived({ bytes }) {
      receivedBytes += bytes
      maybeFlush()
    },
    onTrouble: ({ source, tier, failure, isBanned }) => emit({ kind: 'trouble', source, tier, failure, isBanned }),
  }
}

/** Spans of what is kept, from the store's own book. */
export function spansOf(origins: ReadonlyMap<number, SourceId>, tierOf: (source: SourceId) => Tier): readonly PieceSpan[] {
  const spans: PieceSpan[] = []
  for (const [index, source] of [...origins].sort(([a], [b]) => a - b))
    addSpan(spans, { start: index, end: index + 1, source, tier: tierOf(source) })
  return spans
}

function addSpan(spans: PieceSpan[], next: PieceSpan): void {
  const last = spans.at(-1)
  if (last !== undefined && last.source === next.source && last.end === next.start) spans[spans.length - 1] = { ...last, end: next.end }
  else spans.push(next)
}
