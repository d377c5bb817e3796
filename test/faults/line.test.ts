import { expect, test } from 'vitest'
import { createLine } from './line.ts'

test('packets of a line with a rate leave one after the other, and arrive after its delay', () => {
  const line = createLine({ bytesPerMs: 100, queueBytes: 1000, delayMs: 20 })
  expect([line.pass(200, 5), line.pass(300, 5), line.pass(100, 50)]).toEqual([27, 30, 71])
})

test('a packet that finds the queue full is dropped, and one that comes later passes', () => {
  const line = createLine({ bytesPerMs: 100, queueBytes: 500, delayMs: 1 })
  expect([line.pass(400, 0), line.pass(200, 0), line.pass(200, 1)]).toEqual([5, undefined, 7])
  expect(line.queuedBytes(1)).toBe(500)
})

test('a line without a rate only delays', () => {
  const line = createLine({ bytesPerMs: undefined, queueBytes: 0, delayMs: 25 })
  expect([line.pass(1_000_000, 1), line.pass(1, 1)]).toEqual([26, 26])
})
