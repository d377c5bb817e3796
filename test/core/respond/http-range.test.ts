import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatContentRange, formatUnsatisfiedRange, parseRange } from '../../../src/core/respond/http-range.ts'

const whole = { kind: 'whole' }
const unsatisfiable = { kind: 'unsatisfiable' }
const part = (start: number, end: number) => ({ kind: 'part', range: { start, end } })

test.each([
  [undefined, whole],
  [null, whole],
  ['', whole],
  ['bytes=0-0', part(0, 1)],
  ['bytes=0-99', part(0, 100)],
  ['bytes=99-99', part(99, 100)],
  ['bytes=10-', part(10, 100)],
  ['bytes=10-1000', part(10, 100)],
  ['bytes=0-99999999999999999999999999', part(0, 100)],
  ['bytes=-1', part(99, 100)],
  ['bytes=-100', part(0, 100)],
  ['bytes=-1000', part(0, 100)],
  ['Bytes=1-2', part(1, 3)],
  ['bytes=0000000000000000000001-2', part(1, 3)],
  ['bytes=100-', unsatisfiable],
  ['bytes=100-200', unsatisfiable],
  ['bytes=99999999999999999999999999-', unsatisfiable],
  ['bytes=-0', unsatisfiable],
  ['bytes=5-4', whole],
  ['bytes=200-100', whole],
  ['bytes=0-1,3-4', whole],
  ['bytes=0-1, 3-4', whole],
  ['bytes=-', whole],
  ['bytes=', whole],
  ['bytes=a-b', whole],
  ['bytes=+1-2', whole],
  ['bytes=1 -2', whole],
  ['bytes=0x1-2', whole],
  ['bytes=1.0-2', whole],
  ['bytes=١-٢', whole],
  ['items=0-1', whole],
  ['bytes 0-1', whole],
  ['bytes=0-1\n', whole],
])('of 100 bytes, %s asks for %o', (header, answer) => {
  expect(parseRange(header, 100)).toEqual(answer)
})

test('of nothing there is no part', () => {
  expect(parseRange('bytes=0-', 0)).toEqual(unsatisfiable)
  expect(parseRange('bytes=0-0', 0)).toEqual(unsatisfiable)
  expect(parseRange('bytes=-5', 0)).toEqual(whole)
  expect(parseRange(undefined, 0)).toEqual(whole)
})

test('any header asks for something that is there, or nothing', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.bigInt({ min: 0n, max: 10n ** 30n })).map(([a, b]) => `bytes=${a}-${b}`),
    fc.tuple(fc.nat(300), fc.nat(300)).map(([a, b]) => `bytes=${a}-${b}`),
    fc.nat(300).map((n) => `bytes=-${n}`),
  )
  fc.assert(
    fc.property(header, fc.nat(200), (text, sizeBytes) => {
      const answer = parseRange(text, sizeBytes)
      if (answer.kind !== 'part') return
      expect(answer.range.start).toBeGreaterThanOrEqual(0)
      expect(answer.range.end).toBeGreaterThan(answer.range.start)
      expect(answer.range.end).toBeLessThanOrEqual(sizeBytes)
    }),
    { numRuns: 3000 },
  )
})

test('speaks of ends as HTTP does, with the last byte included', () => {
  expect(formatContentRange({ start: 0, end: 10 }, 100)).toBe('bytes 0-9/100')
  expect(formatUnsatisfiedRange(100)).toBe('bytes */100')
})
