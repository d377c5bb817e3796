import { expect, test } from 'vitest'
import { Bag } from '../../signaling/bag.ts'
import { createSeededRandom } from '../fakes/seeded-random.ts'

interface Item {
  readonly name: number
  place: number | undefined
}

const items = (count: number): readonly Item[] => Array.from({ length: count }, (_, name) => ({ name, place: undefined }))
const namesOf = (drawn: readonly Item[]): readonly number[] => drawn.map(({ name }) => name)

test('a bag holds what a set would, after any order of adding and deleting', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createSeededRandom(seed)
    const bag = new Bag<'place', Item>('place')
    const all = items(20)
    const expected = new Set<number>()
    for (let step = 0; step < 200; step++) {
      const item = all[Math.floor(random() * all.length)]
      if (item === undefined) throw new Error('no such item')
      if (random() < 0.5) {
        bag.add(item)
        expected.add(item.name)
      } else {
        bag.delete(item)
        expected.delete(item.name)
      }
      const sorted = namesOf(bag.draw(20, random)).toSorted((a, b) => a - b)
      expect(sorted).toEqual([...expected].toSorted((a, b) => a - b))
      expect(bag.size).toBe(expected.size)
    }
  }
})

test('each of a bag is drawn as often as any other, and none twice at a time', () => {
  const random = createSeededRandom(7)
  const bag = new Bag<'place', Item>('place')
  for (const item of items(12)) {
    bag.add(item)
    if (item.name === 0 || item.name === 5) bag.delete(item)
  }
  const counts = new Map<number, number>()
  const rounds = 10_000
  for (let round = 0; round < rounds; round++) {
    const drawn = namesOf(bag.draw(3, random))
    expect(new Set(drawn).size).toBe(3)
    for (const item of drawn) counts.set(item, (counts.get(item) ?? 0) + 1)
  }
  expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
  // Binomial, p = 3/10: four standard deviations are 183.
  for (const count of counts.values()) expect(Math.abs(count - (rounds * 3) / 10)).toBeLessThan(183)
})
