import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { grantedRestMs, restAfter, type RestQuestion } from '../../../src/core/plan/breaker.ts'
import { TIMING } from '../../../src/core/plan/timers.ts'

const request: RestQuestion = { failures: 1, hadProgress: false, retryAfterSeconds: undefined, isWrongAnswer: false }
const most = (): number => 1 - Number.EPSILON

describe('how long a source rests', () => {
  test('as long as it asks for, when another one can be asked meanwhile', () => {
    expect(grantedRestMs(restAfter({ ...request, retryAfterSeconds: 20 }, most), 'ready')).toBe(20_000)
  })

  test('at most a second when it is the only one left, whatever it asks for', () => {
    expect(grantedRestMs(restAfter({ ...request, retryAfterSeconds: 60 }, most), 'none')).toBe(1000)
    expect(grantedRestMs(restAfter({ ...request, failures: 9 }, most), 'none')).toBe(1000)
  })

  test('at most a second when all others rest too, unless it asked for more', () => {
    expect(grantedRestMs(restAfter({ ...request, failures: 9 }, most), 'resting')).toBe(1000)
    expect(grantedRestMs(restAfter({ ...request, retryAfterSeconds: 60 }, most), 'resting')).toBe(60_000)
  })

  test('not at all after it brought a verified piece', () => {
    expect(restAfter({ ...request, hadProgress: true }, most).ms).toBe(0)
  })

  test('for some seconds after an answer that was none to what was asked: a portal does not go away by itself', () => {
    expect(restAfter({ ...request, isWrongAnswer: true }, () => 0).ms).toBe(5000)
  })

  test('longer with each failure, and never longer than 30 s of its own accord', () => {
    const rests = Array.from({ length: 12 }, (_, at) => restAfter({ ...request, failures: at + 1 }, most).ms)
    expect(rests).toEqual(rests.toSorted((a, b) => a - b))
    expect(Math.max(...rests)).toBeLessThanOrEqual(30_000)
  })

  test('less than a download waits for a piece, so that a rest alone ends none', () => {
    const any = fc.record({
      failures: fc.nat(50),
      hadProgress: fc.boolean(),
      retryAfterSeconds: fc.option(fc.nat(1_000_000), { nil: undefined }),
      isWrongAnswer: fc.boolean(),
    })
    fc.assert(fc.property(any, (one) => restAfter(one, most).ms + TIMING.abortMs < TIMING.giveUpMs))
  })
})
