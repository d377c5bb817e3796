import type { PieceIndex } from '../core/model/ids.ts'
import type { OpenBacking } from './backing.ts'
import { withDeadline } from './deadline.ts'

/**
 * Which of these pieces cannot be read any more, by reading them. Call it between commits, for a file that is written to meanwhile
 * cannot be read through an older view of it. After the deadline of a storage step it answers with what it has found by then.
 * @throws `signal.reason` itself
 */
export async function findLost(backing: OpenBacking, pieces: Iterable<PieceIndex>, signal: AbortSignal): Promise<readonly PieceIndex[]> {
  const lost: PieceIndex[] = []
  const stop = new AbortController()
  const look = async (): Promise<void> => {
    for (const piece of pieces) {
      if (stop.signal.aborted) return
      if (!(await isReadable(backing, piece, signal))) lost.push(piece)
    }
  }
  // What was not reached shows when it is read.
  await withDeadline(look(), 'looking for lost pieces', signal).catch(() => undefined)
  stop.abort()
  signal.throwIfAborted()
  return [...lost]
}

async function isReadable(backing: OpenBacking, piece: PieceIndex, signal: AbortSignal): Promise<boolean> {
  try {
    await backing.read(piece, signal)
    return true
  } catch {
    // Any reason counts: what cannot be read is fetched again.
    return false
  }
}
