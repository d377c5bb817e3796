import { expect, test } from 'vitest'
import { inParallel } from '../../src/node/in-parallel.ts'

test('so many are at work at a time, and the results come in the order of the items', async () => {
  const open: (() => void)[] = []
  const running = inParallel([1, 2, 3, 4, 5], 2, async (item) => {
    await new Promise<void>((resolve) => open.push(resolve))
    return item * 10
  })
  for (const [turn, at] of [1, 0, 2, 4, 3].entries()) {
    await expect.poll(() => open.length).toBe(Math.min(turn + 2, 5))
    open[at]?.()
  }
  expect(await running).toEqual([10, 20, 30, 40, 50])
})

test('after a failure nothing new is begun, and what had begun has ended when it is told', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const running = inParallel([1, 2, 3, 4, 5, 6], 2, async (item) => {
    begun.push(item)
    if (item === 1) throw new Error('the first')
    await new Promise((resolve) => setImmediate(resolve))
    ended.push(item)
  })
  await expect(running).rejects.toThrow('the first')
  expect([begun, ended]).toEqual([[1, 2], [2]])
})
