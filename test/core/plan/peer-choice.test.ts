import { expect, test } from 'vitest'
import { choosePeer, leavingRoom, mostOfOne, type PeerFacts } from '../../../src/core/plan/peer-choice.ts'
import { createSeededRandom } from '../../fakes/seeded-random.ts'

interface Named extends PeerFacts {
  readonly name: string
}

function peer(name: string, over: Partial<PeerFacts> = {}): Named {
  return { name, bytesPerSecond: 1000, isLan: false, strikes: 0, underWay: 0, ...over }
}

/** How often each is chosen, of 10,000 times. */
function shares(peers: readonly Named[]): Readonly<Record<string, number>> {
  const random = createSeededRandom(1)
  const counts: Record<string, number> = {}
  for (let draw = 0; draw < 10_000; draw++) {
    const { name } = choosePeer(peers, random)!
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

test('peers are asked in proportion to what they sent lately', () => {
  const { fast = 0, slow = 0 } = shares([peer('fast', { bytesPerSecond: 9000 }), peer('slow')])
  expect(fast / slow).toBeGreaterThan(8)
  expect(fast / slow).toBeLessThan(10)
})

test('one that nobody knows is tried as if it were a tenth as fast as the best', () => {
  const { best = 0, stranger = 0 } = shares([peer('best'), peer('stranger', { bytesPerSecond: 0 })])
  expect(best / stranger).toBeGreaterThan(8.5)
  expect(best / stranger).toBeLessThan(11.5)
})

test('one in our own network counts three times', () => {
  const { near = 0, far = 0 } = shares([peer('near', { isLan: true }), peer('far')])
  expect(near / far).toBeGreaterThan(2.7)
  expect(near / far).toBeLessThan(3.3)
})

test('one with two strikes is asked only when nobody else is there', () => {
  const struck = peer('struck', { strikes: 2, bytesPerSecond: 1e9 })
  expect(shares([struck, peer('well', { strikes: 1 })])['struck']).toBe(undefined)
  expect(choosePeer([struck], () => 0.5)).toBe(struck)
})

test('one that has requests already is asked less', () => {
  const { busy = 0, free = 0 } = shares([peer('busy', { underWay: 1 }), peer('free')])
  expect(free / busy).toBeGreaterThan(1.8)
  expect(free / busy).toBeLessThan(2.2)
})

test('nobody is chosen of none', () => {
  expect(choosePeer([], () => 0)).toBe(undefined)
})

/** 1 MiB pieces; a peer that sends one in a second. */
const depth = (over: Partial<Parameters<typeof mostOfOne>[0]> = {}): number =>
  mostOfOne({ window: 16, hasOthers: true, bytesPerSecond: 2 ** 20, pieceBytes: 2 ** 20, ...over })

test('one of several is asked for a piece ahead when it sends one within 150 ms, and for no more than three at once', () => {
  expect(depth()).toBe(1)
  expect(depth({ bytesPerSecond: 6 * 2 ** 20 })).toBe(1)
  expect(depth({ bytesPerSecond: 7 * 2 ** 20 })).toBe(2)
  expect(depth({ bytesPerSecond: 100 * 2 ** 20 })).toBe(3)
  expect(depth({ bytesPerSecond: 0 })).toBe(1)
})

test('one of several holds half of what may be under way at most, and the only one as much as the protocol lets it', () => {
  expect(depth({ bytesPerSecond: 100 * 2 ** 20, window: 4 })).toBe(2)
  expect(depth({ bytesPerSecond: 100 * 2 ** 20, window: 1 })).toBe(1)
  expect(depth({ hasOthers: false })).toBe(3)
  expect(depth({ hasOthers: false, window: 2 })).toBe(2)
})

test('while there is room for all, nobody is kept from it; when the best peer could use what is left, it is left to those who are half as fast', () => {
  const peers = [peer('best', { bytesPerSecond: 1000 }), peer('good', { bytesPerSecond: 500 }), peer('slow', { bytesPerSecond: 499 })]
  const names = (spare: number, forBest: number): readonly string[] =>
    leavingRoom(peers, { spare, best: 1000, forBest }).map(({ name }) => name)
  expect(names(3, 2)).toEqual(['best', 'good', 'slow'])
  expect(names(2, 2)).toEqual(['best', 'good'])
  expect(names(1, 0)).toEqual(['best', 'good', 'slow'])
})
