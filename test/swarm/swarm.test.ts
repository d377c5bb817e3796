import { expect, test } from 'vitest'
import { fluidBoundMs, simulate } from './simulate.ts'

const SMALL = { peers: 60, pieces: 64, seed: 1 }

test('a crowd of sixty gets a file from one seed in at most two and a half times what no scheme could do without', async () => {
  const { toBound, completed } = await simulate({ scenario: 'flash', ...SMALL })
  expect(completed).toBe(1)
  expect(toBound).toBeLessThan(2.5)
})

test('the same seed tells the same story', async () => {
  const plan = { scenario: 'churn', peers: 20, pieces: 16, seed: 3 } as const
  expect(await simulate(plan)).toEqual(await simulate(plan))
})

test('no scheme is faster than one copy through the line of the seed, or than all lines together for all who take', () => {
  const copyMs = fluidBoundMs({ scenario: 'flash', ...SMALL })
  expect(copyMs).toBeCloseTo((64 * 2 ** 20 * 1000) / 12_500_000)
  expect(fluidBoundMs({ scenario: 'free-riders', ...SMALL, peers: 101 }) / copyMs).toBeCloseTo(100 / 81)
  expect(fluidBoundMs({ scenario: 'polluters', ...SMALL, peers: 101 })).toBeCloseTo(copyMs)
})
