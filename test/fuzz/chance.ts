import { createSeededRandom } from '../fakes/seeded-random.ts'

/** Chance that repeats itself, in the forms that mutations need. */
export interface Chance {
  /** A whole number from 0 up to, and without, `end`. */
  below(end: number): number
  oneIn(many: number): boolean
  pick<T>(from: readonly T[]): T
}

/** Each case has its own, so that any of them can be run alone. */
export function chanceOf(seed: number, index: number): Chance {
  const random = createSeededRandom((seed ^ Math.imul(index + 1, 0x9e37_79b1)) >>> 0)
  const below = (end: number): number => Math.floor(random() * end)
  return {
    below,
    oneIn: (many) => below(many) === 0,
    pick(from) {
      const [first] = from
      if (first === undefined) throw new RangeError('nothing to pick from')
      return from[below(from.length)] ?? first
    },
  }
}
