import { expect, test } from 'vitest'
import { createRetryBudget } from '../../../src/core/plan/retry-budget.ts'

function spend(first: number): number {
  const budget = createRetryBudget()
  for (let i = 0; i < first; i++) budget.noteFirst()
  let extra = 0
  for (; budget.hasExtra(); extra++) budget.noteExtra()
  return extra
}

test('a fifth of the first requests may be asked again, and ten in any case', () => {
  expect(spend(0)).toBe(10)
  expect(spend(20)).toBe(10)
  expect(spend(1000)).toBe(200)
})
