import { expect, test } from 'vitest'
import { Bag } from '../../signaling/bag.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'

test('a bag holds what a set would, after any order of adding and deleting', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createSeededRandom(seed)
    const bag = new Bag<number>()
    const expected = new Set<number>()
    for (let step = 0; step < 200; step++) {
      const item = Math.floor(random() * 20)
      if (random() < 0.5) {
        bag.add(item)
        expected.add(item)
      } else {
        bag.delete(item)
        expected.delete(item)
      }
      const sorted = bag.draw(20, random).toSorted((a, b) => a - b)
      expect(sorted).toEqual([...expected].toSorted((a, b) => a - b))
      expect(bag.size).toBe(expected.size)
    }
  }
})

test('each of a bag is drawn as often as any other, and none twice at a time', () => {
  const random = createSeededRandom(7)
  const bag = new Bag<number>()
  for (let item = 0; item < 12; item++) bag.add(item)
  bag.delete(0)
  bag.delete(5)
  const counts = new Map<number, number>()
  const rounds = 10_000
  for (let round = 0; round < rounds; round++) {
    const drawn = bag.draw(3, random)
    expect(new Set(drawn).size).toBe(3)
    for (const item of drawn) counts.set(item, (counts.get(item) ?? 0) + 1)
  }
  expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
  // Binomial, p = 3/10: four standard deviations are 183.
  for (const count of counts.values()) expect(Math.abs(count - (rounds * 3) / 10)).toBeLessThan(183)
})
