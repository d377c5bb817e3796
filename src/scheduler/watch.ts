import { DeliveryError } from '../core/errors.ts'
import { judgeTransfer } from '../core/plan/backoff.ts'
import { escalate, type Delivery } from './delivery-state.ts'
import { transferRate, type Transfer } from './transfer.ts'

/** How often running transfers are looked at. A tenth of the shortest deadline. */
const TICK_MS = 40

/** Takes pieces from silent and slow transfers, and cuts the dead ones. Never resolves; rejects with `signal.reason`. */
export async function watchTransfers(delivery: Delivery, signal: AbortSignal): Promise<never> {
  for (;;) {
    await delivery.tools.clock.sleep(TICK_MS, signal)
    for (const transfer of delivery.ledger.running()) watchOne(delivery, transfer)
    // Rests end and estimates change with time alone, so idle lanes look again at each tick.
    delivery.gate.open()
  }
}

function watchOne(delivery: Delivery, transfer: Transfer): void {
  const nowMs = delivery.tools.clock.monotonicMs()
  const judgement = judgeTransfer(transfer, nowMs, bestOtherRate(delivery, transfer, nowMs), delivery.timing)
  switch (judgement.kind) {
    case 'fine':
      return
    case 'release':
      release(delivery, transfer)
      return
    case 'abort':
      release(delivery, transfer)
      transfer.abort.cut(timeoutOf(transfer, judgement.phase, nowMs))
  }
}

function release(delivery: Delivery, transfer: Transfer): void {
  if (transfer.isReleased) return
  transfer.isReleased = true
  escalate(delivery, transfer.by)
}

function bestOtherRate(delivery: Delivery, transfer: Transfer, nowMs: number): number {
  const rates = delivery.ledger
    .running()
    .filter((other) => other.by !== transfer.by)
    .map((other) => transferRate(other, nowMs))
  return Math.max(0, ...rates)
}

/** The failure that a watchdog's cut stands for. */
function timeoutOf(transfer: Transfer, phase: 'headers' | 'stall' | 'slow', nowMs: number): DeliveryError {
  return new DeliveryError({
    code: 'source-timeout',
    source: transfer.by.source.id,
    phase,
    elapsedMs: Math.round(nowMs - transfer.startedAtMs),
  })
}
