import type { VerifiedPiece } from '../core/verify/piece.ts'

/** Lines up writers, and commits together whatever waited meanwhile: one flush and one transaction for many pieces. */
export interface PutQueue {
  /** Resolves when the piece is committed. A piece whose commit has begun is not called back by its signal. */
  add(piece: VerifiedPiece, signal: AbortSignal): Promise<void>
  /** Runs `work` between commits. */
  inTurn<T>(work: () => Promise<T>): Promise<T>
}

interface Waiting {
  readonly piece: VerifiedPiece
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export function createPutQueue(commit: (pieces: readonly VerifiedPiece[]) => Promise<void>): PutQueue {
  let waiting: Waiting[] = []
  let tail: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = tail.then(work)
    tail = turn.catch(() => undefined)
    return turn
  }

  const flush = async (): Promise<void> => {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    try {
      await commit(group.map((one) => one.piece))
      for (const one of group) one.resolve()
    } catch (error) {
      for (const one of group) one.reject(error)
    }
  }

  const add = (piece: VerifiedPiece, signal: AbortSignal): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        if (!waiting.includes(entry)) return
        waiting = waiting.filter((one) => one !== entry)
        entry.reject(signal.reason)
      }
      const leave = (): void => signal.removeEventListener('abort', onAbort)
      const entry: Waiting = {
        piece,
        resolve: () => {
          leave()
          resolve()
        },
        reject: (reason) => {
          leave()
          reject(reason)
        },
      }
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      signal.addEventListener('abort', onAbort, { once: true })
      waiting.push(entry)
      if (waiting.length === 1) void inTurn(flush)
    })

  return { add, inTurn }
}
