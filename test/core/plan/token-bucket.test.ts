import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTokenBucket } from '../../../src/core/plan/token-bucket.ts'

const RATE = { perSecond: 1000, burst: 250 }

test('after a pause of any length one burst may go at once, and no more', () => {
  const bucket = createTokenBucket(RATE)
  expect([bucket.take(10_000, 0), bucket.take(1, 0), bucket.take(10_000, 3_600_000)]).toEqual([250, 0, 250])
})

test('says how long until so many bytes may go, and they may then', () => {
  const bucket = createTokenBucket(RATE)
  bucket.take(250, 0)
  expect(bucket.waitMs(100, 0)).toBe(100)
  expect([bucket.take(100, 99), bucket.take(1, 100)]).toEqual([99, 1])
  expect(bucket.waitMs(10_000, 100)).toBe(250)
})

test('a clock that goes back gives nothing away', () => {
  const bucket = createTokenBucket(RATE)
  bucket.take(250, 1000)
  expect([bucket.take(250, 0), bucket.take(250, 1000)]).toEqual([0, 0])
})

test('I26: over any stretch of time, however it is asked, no more than the rate and one burst', () => {
  const asks = fc.array(fc.record({ afterMs: fc.nat(700), bytes: fc.nat(600) }), { maxLength: 60 })
  fc.assert(
    fc.property(asks, fc.integer({ min: 100, max: 5000 }), (steps, perSecond) => {
      const burst = Math.floor(perSecond / 4)
      const bucket = createTokenBucket({ perSecond, burst })
      const taken: { readonly atMs: number; readonly bytes: number }[] = []
      let atMs = 0
      for (const { afterMs, bytes } of steps) {
        atMs += afterMs
        taken.push({ atMs, bytes: bucket.take(bytes, atMs) })
      }
      taken.forEach((from, first) => {
        let sum = 0
        for (const { atMs: toMs, bytes } of taken.slice(first)) {
          sum += bytes
          expect(sum).toBeLessThanOrEqual(((toMs - from.atMs) * perSecond) / 1000 + burst)
        }
      })
    }),
  )
})
