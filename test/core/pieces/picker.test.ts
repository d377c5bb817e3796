import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toPieceIndex, toSourceId, type PieceIndex, type SourceId } from '../../../src/core/model/ids.ts'
import { pickDuplicate, pickLast, pickSteal, type HeldRun, type PieceView } from '../../../src/core/pieces/picker.ts'
import { createRarity, type PieceOrder, type Rarity } from '../../../src/core/pieces/rarity.ts'
import { createSeededRandom } from '../../fakes/seeded-random.ts'

const CDN = toSourceId('cdn-1')
const [A, B, C] = ['peer:a', 'peer:b', 'peer:c'].map((id) => toSourceId(id)) as [SourceId, SourceId, SourceId]

function bitsOf(pieceCount: number, pieces: readonly number[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(pieceCount / 8))
  for (const piece of pieces) bits[piece >> 3]! |= 0x80 >> (piece & 7)
  return bits
}

const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, at) => at)

function pick(
  rarity: Rarity,
  by: SourceId,
  over: { free: Uint8Array; order?: PieceOrder; firstMissing?: number; random?: () => number; isBarred?: (piece: PieceIndex) => boolean },
): PieceIndex | undefined {
  return rarity.pick(by, { order: 'rarest', firstMissing: 0, random: () => 0.5, isBarred: () => false, ...over })
}

test('the piece that fewest peers offer is taken first', () => {
  const rarity = createRarity(4)
  rarity.note(A, bitsOf(4, [0, 1, 2, 3]))
  rarity.note(B, bitsOf(4, [0, 1, 3]))
  rarity.note(C, bitsOf(4, [0, 3]))
  expect(pick(rarity, A, { free: bitsOf(4, upTo(4)) })).toBe(2)
  expect(pick(rarity, A, { free: bitsOf(4, [0, 1, 3]) })).toBe(1)
  expect(pick(rarity, B, { free: bitsOf(4, upTo(4)) })).toBe(1)
})

test('a peer that leaves, and one that has all, make no piece rarer than another', () => {
  const rarity = createRarity(3)
  rarity.note(A, 'all')
  rarity.note(B, bitsOf(3, [0]))
  rarity.note(C, bitsOf(3, [1, 2]))
  rarity.note(C, undefined)
  expect(pick(rarity, A, { free: bitsOf(3, [0, 2]) })).toBe(2)
  rarity.note(B, 'all')
  expect(new Set(upTo(20).map((seed) => pick(rarity, A, { free: bitsOf(3, [0, 2]), random: createSeededRandom(seed) })))).toEqual(
    new Set([0, 2]),
  )
})

test('among equally rare pieces each is as likely: a room that took the first would fetch the same pieces in the same order', () => {
  const rarity = createRarity(16)
  rarity.note(A, bitsOf(16, upTo(16)))
  const random = createSeededRandom(1)
  const counts = Array.from({ length: 16 }, () => 0)
  for (let draw = 0; draw < 3200; draw++) counts[pick(rarity, A, { free: bitsOf(16, upTo(16)), random }) ?? 0]!++
  expect(Math.min(...counts)).toBeGreaterThan(140)
  expect(Math.max(...counts)).toBeLessThan(260)
})

test('in order, the rarest of the next sixteen comes first, the lowest of equals, and then what comes next', () => {
  const rarity = createRarity(64)
  rarity.note(A, 'all')
  expect(pick(rarity, A, { free: bitsOf(64, upTo(64)), order: 'in-order', firstMissing: 3 })).toBe(3)
  rarity.note(B, bitsOf(64, [3, 4, 5, 40]))
  expect(pick(rarity, A, { free: bitsOf(64, [3, 6, 50]), order: 'in-order', firstMissing: 3 })).toBe(6)
  expect(pick(rarity, A, { free: bitsOf(64, [40, 50]), order: 'in-order', firstMissing: 3 })).toBe(40)
})

test('a piece that the peer holds already, and does not get on with, is not asked of it twice', () => {
  const rarity = createRarity(2)
  rarity.note(A, 'all')
  const isBarred = (piece: PieceIndex): boolean => piece === 0
  expect(pick(rarity, A, { free: bitsOf(2, [0, 1]), isBarred })).toBe(1)
  expect(pick(rarity, A, { free: bitsOf(2, [0]), isBarred })).toBe(undefined)
})

test('whatever peers say, and unsay, the choice is among the rarest free pieces that the peer offers', () => {
  const offers = fc.array(fc.tuple(fc.constantFrom(A, B, C), fc.option(fc.array(fc.nat(19)), { nil: undefined })), { maxLength: 12 })
  fc.assert(
    fc.property(offers, fc.array(fc.nat(19)), fc.nat(), (said, free, seed) => {
      const rarity = createRarity(20)
      const known = new Map<SourceId, readonly number[]>()
      for (const [by, pieces] of said) {
        rarity.note(by, pieces === undefined ? undefined : bitsOf(20, pieces))
        if (pieces === undefined) known.delete(by)
        else known.set(by, pieces)
      }
      const replicas = (piece: number): number => [...known.values()].filter((pieces) => pieces.includes(piece)).length
      const wanted = [...new Set(free)].filter((piece) => known.get(A)?.includes(piece) === true)
      const least = Math.min(...wanted.map(replicas))
      const picked = pick(rarity, A, { free: bitsOf(20, free), random: createSeededRandom(seed) })
      expect(picked === undefined).toBe(wanted.length === 0)
      expect(rarity.offersAny(A, bitsOf(20, free))).toBe(wanted.length > 0)
      if (picked !== undefined) expect(wanted.filter((piece) => replicas(piece) === least)).toContain(picked)
    }),
  )
})

/** Pieces on their way, each with when it will be there. */
function view(runs: readonly HeldRun[], over: Partial<PieceView> = {}): PieceView {
  const holdersOf = (piece: PieceIndex): readonly HeldRun[] => runs.filter(({ start, end }) => start <= piece && piece < end)
  return {
    pieceCount: 256,
    firstMissing: 0,
    missing: () => 3,
    freeCount: 0,
    isStored: () => false,
    isInFlight: (piece) => holdersOf(piece).length > 0,
    isOffered: () => true,
    runs: () => runs,
    holders: (piece) => holdersOf(piece).length,
    isHeldBy: (piece, by) => holdersOf(piece).some((run) => run.by === by),
    etaMs: (piece) => 1000 * (1 + piece),
    ...over,
  }
}

const run = (by: SourceId, start: number, end = start + 1): HeldRun => ({ by, start: toPieceIndex(start), end })

test('the last pieces are fetched beside others, the one that was asked for first, by two more peers at most', () => {
  expect(pickLast(view([run(A, 7), run(A, 3)]), B)).toBe(7)
  expect(pickLast(view([run(A, 7), run(C, 7), run(A, 3)]), B)).toBe(7)
  expect(pickLast(view([run(A, 7), run(C, 7), run(CDN, 7), run(A, 3)]), B)).toBe(3)
  expect(pickLast(view([run(B, 7)]), B)).toBe(undefined)
})

test('and only the last: while anything is free, or more than four and two in a hundred are missing, each is sent once', () => {
  expect(pickLast(view([run(A, 7)], { freeCount: 1 }), B)).toBe(undefined)
  expect(pickLast(view([run(A, 7)], { missing: () => 6 }), B)).toBe(undefined)
  expect(pickLast(view([run(A, 7)], { missing: () => 4, pieceCount: 10 }), B)).toBe(7)
  expect(pickLast(view([run(A, 7)], { missing: () => 20, pieceCount: 1000 }), B)).toBe(7)
})

test('a piece is taken from the tail of a slow run, but never by a peer from a peer', () => {
  expect(pickSteal(view([run(CDN, 10, 20), run(A, 100)]), B, 500)).toBe(19)
  expect(pickSteal(view([run(A, 100)]), B, 500)).toBe(undefined)
  expect(pickSteal(view([run(A, 100)]), CDN, 500)).toBe(100)
  expect(pickSteal(view([run(CDN, 10, 20)]), B, 18_000)).toBe(undefined)
})

test('a race, and a proof, begin with the first piece on its way', () => {
  expect(pickDuplicate(view([run(A, 30, 40), run(C, 12)]), B)).toBe(12)
})

test('choosing among 65,536 pieces looks at no more of a run than its ends', () => {
  const whole = run(CDN, 0, 65_536)
  let asked = 0
  const isOffered = (): boolean => {
    asked++
    return false
  }
  pickSteal(view([whole], { isOffered }), B, 1)
  pickDuplicate(view([whole], { isOffered }), B)
  expect(asked).toBeLessThanOrEqual(128)
})
