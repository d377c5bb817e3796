import { createBatches } from '../core/batches.ts'
import { createBitfield, type Bitfield } from '../core/model/bitfield.ts'
import type { Sha256, SourceId } from '../core/model/ids.ts'
import type { Clock } from '../core/ports.ts'

/** A peer that downloads has more with each piece, and each word carries the whole set of pieces over to the engine: it hears of it so often at most. */
const OFFERS_MS = 100

type Tell = (source: SourceId, sha256: Sha256, pieces: Bitfield) => void

/** Passes on what peers say they have: the first word of each peer on a blob at once, and of what follows soon the latest. */
export function createOfferRelay(
  clock: Clock,
  tell: Tell,
  signal: AbortSignal,
): (source: SourceId, sha256: Sha256, pieces: Bitfield | undefined) => void {
  const batches = createBatches<string, () => void>(
    { clock, restMs: OFFERS_MS, join: (_, latest) => latest, flush: (_, say) => say() },
    signal,
  )
  return (source, sha256, pieces) => {
    const key = `${source} ${sha256}`
    if (pieces !== undefined) return batches.add(key, () => tell(source, sha256, pieces))
    // What a peer does not have any more, nobody shall ask it for.
    batches.drop(key)
    tell(source, sha256, createBitfield(0))
  }
}
