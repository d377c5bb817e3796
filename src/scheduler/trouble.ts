import type { Failure } from '../core/errors.ts'
import type { PieceIndex } from '../core/model/ids.ts'
import { noteBusy, noteFailure } from '../core/plan/source-health.ts'
import { escalate, type Delivery } from './delivery-state.ts'
import type { Transfer } from './transfer.ts'

/**
 * A transfer failed: the source rests or is banned, and the next one is let in.
 * @returns the piece that it sent wrong, where it may put that right by reading past its cache
 */
export function noteTrouble(delivery: Delivery, transfer: Transfer, failure: Failure): PieceIndex | undefined {
  const { tools, observer } = delivery
  const state = transfer.by
  const { source, health } = state
  state.lastFailure = failure
  const sentence = tools.reputation.blame(source.id, failure, source.reread !== undefined && !transfer.isReread)
  state.parole = sentence === 'paroled' && failure.code === 'digest-mismatch' ? failure.piece : undefined
  // A peer speaks of one piece, which it offers no more by then; an HTTP source of all.
  if (failure.code === 'source-missing' && source.tier !== 'mesh') state.isMissing = true
  else if (failure.code === 'source-refused' && failure.retryMs !== undefined) {
    noteBusy(health, failure.retryMs, tools.clock.monotonicMs())
  } else if (sentence === 'noted') {
    const request = { failure, hadProgress: transfer.nextPiece > transfer.run.start }
    noteFailure(health, request, tools.random, tools.clock.monotonicMs())
  }
  observer.onTrouble({ source: source.id, tier: source.tier, failure, isBanned: sentence === 'banned' })
  escalate(delivery, state)
  return state.parole
}

/** A transfer is silent or slow, and its pieces go to others: no failure yet, but the record says so, and why others were asked. */
export function noteLate({ tools, observer }: Delivery, { by }: Transfer, failure: Failure): void {
  const { source } = by
  by.lastFailure = failure
  tools.reputation.blame(source.id, failure)
  observer.onTrouble({ source: source.id, tier: source.tier, failure, isBanned: false })
}
