import { expect, test } from 'vitest'
import { slopeOf } from './slope.ts'

test('is what the figure grows by in a minute, whatever wavers about it', () => {
  const samples = Array.from({ length: 60 }, (_, i) => ({ minutes: i / 6, value: 100 + i / 3 + (i % 2) }))
  expect(slopeOf(samples)).toBeCloseTo(2, 1)
  expect(slopeOf(samples.map(({ minutes, value }) => ({ minutes, value: -value })))).toBeCloseTo(-2, 1)
})

test('is nothing where nothing grows, and of fewer than two samples', () => {
  expect(slopeOf([])).toBe(0)
  expect(slopeOf([{ minutes: 1, value: 5 }])).toBe(0)
  expect(slopeOf([1, 2, 3].map((minutes) => ({ minutes, value: 7 })))).toBe(0)
})
