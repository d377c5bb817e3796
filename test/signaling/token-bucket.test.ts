import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeToken } from '../../signaling/token-bucket.ts'

/** The textbook's: counts tokens. */
function countingBucket(burst: number, perSecond: number): (nowMs: number) => boolean {
  let [tokens, filledAtMs] = [burst, 0]
  return (nowMs) => {
    tokens = Math.min(burst, tokens + ((nowMs - filledAtMs) / 1000) * perSecond)
    filledAtMs = nowMs
    if (tokens < 1 - 1e-9) return false
    tokens--
    return true
  }
}

test('a bucket that is one number lets through exactly what one that counts tokens does', () => {
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2000 })), { minLength: 1, maxLength: 80 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.constantFrom(0.1, 1, 3, 7, 50), gaps, (burst, perSecond, waits) => {
      const expected = countingBucket(burst, perSecond)
      let [nowMs, fullAtMs] = [0, 0]
      for (const wait of waits) {
        nowMs += wait
        const next = takeToken({ burst, perSecond }, fullAtMs, nowMs)
        expect(next !== undefined).toBe(expected(nowMs))
        fullAtMs = next ?? fullAtMs
      }
    }),
  )
})
