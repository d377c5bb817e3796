import { DeliveryError } from '../core/errors.ts'
import { hedgeMs, noteSilence } from '../core/plan/source-health.ts'
import { judgeTransfer, readingMs, type TransferView } from '../core/plan/timers.ts'
import { escalate, type Delivery } from './delivery-state.ts'
import { forgive, transferRate, type Transfer } from './transfer.ts'
import { noteLate } from './trouble.ts'

/** How often running transfers are looked at. A tenth of the shortest deadline. */
const TICK_MS = 40

/** Takes pieces from silent and slow transfers, and cuts the dead ones. Never resolves; rejects with `signal.reason`. */
export async function watchTransfers(delivery: Delivery, signal: AbortSignal): Promise<never> {
  const { clock, roster } = delivery.tools
  for (;;) {
    const sinceMs = clock.monotonicMs()
    await clock.sleep(TICK_MS, signal)
    // This thread was busy (it verifies signatures), so that what has come could not be read yet: that is nobody's silence.
    const nowMs = clock.monotonicMs()
    const overslept = nowMs - sinceMs - TICK_MS
    if (overslept > TICK_MS) for (const transfer of delivery.ledger.running()) forgive(transfer, overslept, nowMs)
    for (const transfer of delivery.ledger.running()) watchOne(delivery, transfer)
    // Time given to something more urgent is no time without success.
    if (roster.traffic.mustYield(delivery.artifact.priority)) delivery.lastProgressMs = nowMs
    // Rests end and estimates change with time alone, so idle lanes, and the loop over peers, look again at each tick.
    delivery.gate.open()
  }
}

function watchOne(delivery: Delivery, transfer: Transfer): void {
  const nowMs = delivery.tools.clock.monotonicMs()
  // Both cost a look at all there is, so only where the answer can hang on them.
  const isJudgedByRate = readingMs(transfer, nowMs) >= delivery.timing.slowAfterMs
  const yardstick = {
    nowMs,
    hedgeMs: hedgeMs(transfer.by.health),
    bestOtherRate: isJudgedByRate ? bestOtherRate(delivery, transfer, nowMs) : 0,
  }
  const judgement = judgeTransfer(asHeard(transfer), yardstick, delivery.timing)
  if (judgement.kind === 'fine') return
  release(delivery, transfer, judgement.phase)
  if (judgement.kind === 'abort') transfer.abort.cut(timeoutOf(transfer, judgement.phase, nowMs))
}

/** A peer answers one request after the other over its one channel: while it sends for an earlier one, a later one is in its queue, not in trouble. */
function asHeard(transfer: Transfer): TransferView {
  const { by, lastByteAtMs, firstByteAtMs } = transfer
  if (by.source.tier !== 'mesh' || firstByteAtMs !== undefined || by.heardAtMs <= lastByteAtMs) return transfer
  return { ...transfer, lastByteAtMs: by.heardAtMs }
}

type Phase = 'headers' | 'stall' | 'slow'

function release(delivery: Delivery, transfer: Transfer, phase: Phase): void {
  if (transfer.isReleased) return
  delivery.ledger.release(transfer)
  noteLate(delivery, transfer, timeoutOf(transfer, phase, delivery.tools.clock.monotonicMs()).failure)
  // One that is slow says so by its rate.
  if (phase !== 'slow') noteSilence(transfer.by.health, delivery.tools.clock.monotonicMs())
  escalate(delivery, transfer.by)
}

function bestOtherRate(delivery: Delivery, transfer: Transfer, nowMs: number): number {
  let best = 0
  for (const other of delivery.ledger.running()) if (other.by !== transfer.by) best = Math.max(best, transferRate(other, nowMs))
  return best
}

/** The failure that a watchdog's cut stands for. */
function timeoutOf(transfer: Transfer, phase: Phase, nowMs: number): DeliveryError {
  return new DeliveryError({
    code: 'source-timeout',
    source: transfer.by.source.id,
    phase,
    elapsedMs: Math.round(nowMs - transfer.startedAtMs),
  })
}
