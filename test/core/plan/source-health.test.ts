import { describe, expect, test } from 'vitest'
import { toSourceId } from '../../../src/core/model/ids.ts'
import {
  createSourceHealth,
  firstByteMs,
  hedgeMs,
  isSuspect,
  isWorthProbing,
  noteDelivered,
  noteFailure,
  noteFirstByte,
  noteOnline,
  noteRate,
  noteSilence,
  restsUntilMs,
} from '../../../src/core/plan/source-health.ts'

describe('how long a first byte is waited for', () => {
  test.each([
    ['400 ms for a stranger', [], 400],
    ['400 ms while it has answered three times only', [900, 900, 900], 400],
    ['never less than 250 ms', [5, 5, 5, 5], 250],
    ['half as long again as its slow answers', [200, 300, 400, 600], 900],
    ['never longer than a second', [900, 900, 900, 900], 1000],
  ])('%s', (_what, answers, expected) => {
    const health = createSourceHealth()
    for (const answer of answers) noteFirstByte(health, answer, 0)
    expect(hedgeMs(health)).toBe(expected)
  })

  test('old answers are forgotten', () => {
    const health = createSourceHealth()
    for (let i = 0; i < 20; i++) noteFirstByte(health, 1000, 0)
    for (let i = 0; i < 16; i++) noteFirstByte(health, 10, 0)
    expect(hedgeMs(health)).toBe(250)
    expect(firstByteMs(health)).toBe(10)
  })
})

describe('a source that kept somebody waiting', () => {
  test('comes after the others for a minute', () => {
    const health = createSourceHealth()
    noteSilence(health, 1000)
    expect(isSuspect(health, 60_999)).toBe(true)
    expect(isSuspect(health, 61_000)).toBe(false)
  })

  test('is as good as any once it delivers', () => {
    const health = createSourceHealth()
    noteSilence(health, 1000)
    noteDelivered(health)
    expect(isSuspect(health, 1001)).toBe(false)
  })

  test('and one that trickles, as long as its rate is that of a trickle', () => {
    const health = createSourceHealth()
    noteRate(health, 10_000, 1000, 0)
    expect(isSuspect(health, 0)).toBe(true)
    noteRate(health, 10_000_000, 1000, 0)
    expect(isSuspect(health, 0)).toBe(false)
  })
})

describe('a suspect is worth a probe', () => {
  test('at once after a silence, which a delivery ends', () => {
    const health = createSourceHealth()
    noteSilence(health, 1000)
    expect(isWorthProbing(health, 1000)).toBe(true)
  })

  test('a minute after its trickle was measured, whenever that began', () => {
    const health = createSourceHealth()
    noteFirstByte(health, 10, 1000)
    noteRate(health, 10_000, 1000, 90_000)
    expect(isWorthProbing(health, 149_999)).toBe(false)
    expect(isWorthProbing(health, 150_000)).toBe(true)
  })
})

test('failures in a row lengthen the rest, whoever asked; a delivery ends the row', () => {
  const health = createSourceHealth()
  const request = { failure: { code: 'peer-closed', detail: 'left' }, hadProgress: false } as const
  for (let i = 0; i < 6; i++) noteFailure(health, request, () => 0.999, 0)
  expect(restsUntilMs(health, 'ready')).toBeGreaterThan(4000)
  noteDelivered(health)
  noteFailure(health, request, () => 0.999, 0)
  expect(restsUntilMs(health, 'ready')).toBeLessThan(500)
})

describe('when the network is there again', () => {
  const failed = (retryAfterSeconds: number | undefined) => {
    const health = createSourceHealth()
    const failure = { code: 'source-status', source: toSourceId('cdn-1'), status: 503, retryAfterSeconds } as const
    for (let i = 0; i < 6; i++) noteFailure(health, { failure, hadProgress: false }, () => 0.9, 1000)
    noteSilence(health, 1000)
    return health
  }

  test('a source that rests may be tried at once, and proves itself with one request', () => {
    const health = failed(undefined)
    expect(restsUntilMs(health, 'ready')).toBeGreaterThan(5000)
    noteOnline(health)
    expect([restsUntilMs(health, 'ready'), isSuspect(health, 1001), health.failuresInRow]).toEqual([1000, false, 6])
  })

  test('a rest that the source asked for stays', () => {
    const health = failed(20)
    noteOnline(health)
    expect(restsUntilMs(health, 'ready')).toBe(21_000)
  })
})
