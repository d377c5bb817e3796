import { expect, test } from 'vitest'
import { drawNumbers, piecesToDraw } from '../../src/node/probe/draw.ts'

/** Numbers that are the same in every run. */
function createPick(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test.each([
  [0.1, 0.999, 66],
  [0.05, 0.999, 135],
  [0.01, 0.999, 688],
  [0.5, 0.5, 1],
])('to find %d of rot with %d takes %i pieces', (rot, confidence, pieces) => {
  expect(piecesToDraw({ rot, confidence })).toBe(pieces)
})

test.each([
  [0, 0.9],
  [1, 0.9],
  [0.1, 1],
  [0.1, Number.NaN],
])('no number of pieces finds %d of rot with %d', (rot, confidence) => {
  expect(() => piecesToDraw({ rot, confidence })).toThrow(RangeError)
})

test('66 of 1000 pieces miss a tenth that is rotten in less than one of 1000 draws', () => {
  const pick = createPick(7)
  const rotten = new Set(drawNumbers(1000, 100, pick))
  const draws = 20_000
  let missed = 0
  for (let draw = 0; draw < draws; draw++) if (!drawNumbers(1000, 66, pick).some((piece) => rotten.has(piece))) missed++
  expect(missed / draws).toBeLessThan(0.001)
})

test('what is drawn differs, and each is as likely as another', () => {
  const pick = createPick(3)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let draw = 0; draw < 10_000; draw++) {
    const numbers = drawNumbers(10, 4, pick)
    expect(new Set(numbers).size).toBe(4)
    for (const number of numbers) counts[number] = (counts[number] ?? 0) + 1
  }
  for (const count of counts) expect(Math.abs(count - 4000)).toBeLessThan(250)
})

test('where there are few, all are drawn', () => {
  expect(drawNumbers(3, 66, () => 0)).toEqual([0, 1, 2])
  expect(drawNumbers(0, 66, () => 0)).toEqual([])
})
