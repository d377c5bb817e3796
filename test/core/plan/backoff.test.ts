import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeTransfer, restInDeliveryMs, restMs, TIMING, type RetryQuestion, type TransferView } from '../../../src/core/plan/backoff.ts'

const question: RetryQuestion = { failures: 1, hadProgress: false, retryAfterSeconds: undefined, isLastSource: false }
const most = (): number => 1 - Number.EPSILON

describe('how long a source rests', () => {
  test('as long as it asks for, when another one can be asked meanwhile', () => {
    expect(restMs({ ...question, retryAfterSeconds: 20 }, most)).toBe(20_000)
  })

  test('at most a second when it is the last one left, whatever it asks for', () => {
    expect(restInDeliveryMs({ ...question, retryAfterSeconds: 60, isLastSource: true }, most)).toBe(1000)
    expect(restInDeliveryMs({ ...question, failures: 9, isLastSource: true }, most)).toBe(1000)
  })

  test('as long as it asks for, even the last one, where nothing goes on for it', () => {
    expect(restMs({ ...question, retryAfterSeconds: 60, isLastSource: true }, most)).toBe(60_000)
  })

  test('not at all after it brought a verified piece', () => {
    expect(restMs({ ...question, hadProgress: true }, most)).toBe(0)
  })

  test('less than a download waits for a piece, so that a rest alone ends none', () => {
    const any = fc.record({
      failures: fc.nat(50),
      hadProgress: fc.boolean(),
      retryAfterSeconds: fc.option(fc.nat(1_000_000), { nil: undefined }),
      isLastSource: fc.boolean(),
    })
    fc.assert(fc.property(any, (one) => restMs(one, most) + TIMING.abortMs < TIMING.giveUpMs))
  })
})

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
    expect(judgeTransfer(view, 2000, 0, TIMING)).toEqual({ kind: 'release', phase: 'stall' })
    expect(judgeTransfer(view, 4000, 0, TIMING)).toEqual({ kind: 'abort', phase: 'stall' })
  })

  test('not the time in which nobody read it', () => {
    expect(judgeTransfer({ ...view, pausedSinceMs: 1000 }, 60_000, 1_000_000_000, TIMING)).toEqual({ kind: 'fine' })
    expect(judgeTransfer({ ...view, lastByteAtMs: 9000, pausedMs: 8000 }, 9900, 0, TIMING)).toEqual({ kind: 'fine' })
  })

  test('a trickle, by the time in which it was read', () => {
    const slow = { ...view, receivedBytes: 10_000, lastByteAtMs: 9900 }
    expect(judgeTransfer({ ...slow, pausedMs: 9500 }, 10_000, 0, TIMING)).toEqual({ kind: 'fine' })
    expect(judgeTransfer({ ...slow, pausedMs: 8000 }, 10_000, 0, TIMING)).toEqual({ kind: 'release', phase: 'slow' })
  })
})
