import { expect, test } from 'vitest'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { spreadOf } from './spread.ts'

test('of nine values the lowest and the highest are left out', () => {
  expect(spreadOf([9, 1, 8, 2, 7, 3, 6, 4, 5])).toEqual({ median: 5, low: 2, high: 8, isInterval: true })
})

test('of fewer than five values it is the whole range, and says that this is no interval of 90 %', () => {
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4, isInterval: false })
  expect(spreadOf([5, 1, 2, 3, 4])).toMatchObject({ low: 1, high: 5, isInterval: true })
})

test.each([5, 9, 15, 40])('of %i values it holds the true median at least nine times of ten', (count) => {
  const random = createSeededRandom(count)
  // A long tail on one side, as times have it; its true median is ln 2.
  const draw = (): number => -Math.log(1 - random())
  let held = 0
  for (let trial = 0; trial < 2000; trial++) {
    const { low, high } = spreadOf(Array.from({ length: count }, draw))
    if (low <= Math.LN2 && Math.LN2 <= high) held++
  }
  expect(held / 2000).toBeGreaterThanOrEqual(0.89)
})

test('refuses to say anything of nothing', () => {
  expect(() => spreadOf([])).toThrow(RangeError)
})
