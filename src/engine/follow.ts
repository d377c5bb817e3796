import type { Artifact } from '../core/model/artifact.ts'
import type { PieceIndex } from '../core/model/ids.ts'
import type { DeliveryEvent } from '../core/wire/delivery-event.ts'
import { createAbort } from '../scheduler/abort.ts'
import type { EngineParts } from './parts.ts'
import { spansOf } from './progress.ts'

/** Each look reads the flags of every piece, so that twice a second is often enough. */
const LOOK_EVERY_MS = 500

/** Which artifact is waited for, and whom to tell. */
export interface Followed {
  readonly artifact: Artifact
  readonly emit: (event: DeliveryEvent) => void
}

/**
 * While another tab fetches the artifact: tells what is kept of it, from the store's own book, since that tab may die at any moment.
 * @returns what ends it, when this one's turn has come
 */
export function followOther(parts: EngineParts, followed: Followed, signal: AbortSignal): () => void {
  const own = createAbort(signal)
  // For eyes only: whatever becomes of it, the download waits all the same.
  follow(parts, followed, own.signal).catch(() => undefined)
  return () => own.cut(undefined)
}

async function follow({ clock, hub, stores }: EngineParts, { artifact, emit }: Followed, signal: AbortSignal): Promise<never> {
  const told = new Set<PieceIndex>()
  for (let isFirst = true; ; isFirst = false) {
    await clock.sleep(LOOK_EVERY_MS, signal)
    const kept = await stores.lookups.listKept(artifact, signal)
    signal.throwIfAborted()
    if (isFirst) emit({ kind: 'phase', phase: 'waiting' })
    const fresh = new Map([...kept].filter(([piece]) => !told.has(piece)))
    for (const piece of fresh.keys()) told.add(piece)
    const verifiedBytes = Math.min(artifact.sizeBytes, kept.size * artifact.pieces.lengthBytes)
    const pieces = spansOf(fresh, (source) => hub.tierOf(source))
    if (isFirst || pieces.length > 0) emit({ kind: 'progress', pieces, verifiedBytes, receivedBytes: 0, sizeBytes: artifact.sizeBytes })
  }
}
