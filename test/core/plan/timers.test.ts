import { describe, expect, test } from 'vitest'
import { judgeTransfer, TIMING, type TransferView, type Yardstick } from '../../../src/core/plan/timers.ts'

const at = (nowMs: number, bestOtherRate: number): Yardstick => ({ nowMs, hedgeMs: 400, bestOtherRate })

describe('what is held against a transfer', () => {
  const view: TransferView = {
    startedAtMs: 0,
    firstByteAtMs: 0,
    lastByteAtMs: 1000,
    receivedBytes: 1_000_000,
    pausedSinceMs: undefined,
    pausedMs: 0,
  }

  test('its silence while it is read', () => {
    expect(judgeTransfer(view, at(2000, 0), TIMING)).toEqual({ kind: 'release', phase: 'stall' })
    expect(judgeTransfer(view, at(4000, 0), TIMING)).toEqual({ kind: 'abort', phase: 'stall' })
  })

  test('not the time in which nobody read it', () => {
    expect(judgeTransfer({ ...view, pausedSinceMs: 1000 }, at(60_000, 1_000_000_000), TIMING)).toEqual({ kind: 'fine' })
    expect(judgeTransfer({ ...view, lastByteAtMs: 9000, pausedMs: 8000 }, at(9900, 0), TIMING)).toEqual({ kind: 'fine' })
  })

  test('a trickle, by the time in which it was read', () => {
    const slow = { ...view, receivedBytes: 10_000, lastByteAtMs: 9900 }
    expect(judgeTransfer({ ...slow, pausedMs: 9500 }, at(10_000, 0), TIMING)).toEqual({ kind: 'fine' })
    expect(judgeTransfer({ ...slow, pausedMs: 8000 }, at(10_000, 0), TIMING)).toEqual({ kind: 'release', phase: 'slow' })
  })
})
