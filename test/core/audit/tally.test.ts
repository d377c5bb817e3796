import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SourceTally } from '../../../src/core/audit/record.ts'
import { findTallyFault, isWholeTally, tallySources } from '../../../src/core/audit/tally.ts'
import { toPieceIndex, toSourceId } from '../../../src/core/model/ids.ts'

const LENGTH = 65_536
const tierOf = () => 'cdn' as const

test('every delivered piece is under exactly one source, and the bytes add up to the artifact', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 * LENGTH }), fc.infiniteStream(fc.nat(3)), (sizeBytes, pick) => {
      const count = Math.ceil(sizeBytes / LENGTH)
      const artifact = { sizeBytes, pieces: { lengthBytes: LENGTH, count } }
      const origins = new Map([...Array(count).keys()].reverse().map((i) => [toPieceIndex(i), toSourceId(`s${pick.next().value}`)]))
      const tallies = tallySources(artifact, { origins, traffic: new Map(), tierOf })
      const counted = tallies.flatMap((tally) =>
        tally.pieces.flatMap(({ start, end }) => [...Array(end - start).keys()].map((i) => [start + i, tally.source] as const)),
      )
      expect(new Map(counted)).toEqual(origins)
      expect(counted).toHaveLength(count)
      expect(tallies.reduce((sum, tally) => sum + tally.verifiedBytes, 0)).toBe(sizeBytes)
      expect(findTallyFault(artifact, tallies)).toBeUndefined()
      expect(isWholeTally(artifact, tallies)).toBe(true)
    }),
  )
})

test('runs are as long as they can be, in ascending order', () => {
  const eu = toSourceId('eu')
  const origins = new Map([4, 0, 1, 9, 2].map((i) => [toPieceIndex(i), eu]))
  const [tally] = tallySources(
    { sizeBytes: 10 * LENGTH, pieces: { lengthBytes: LENGTH, count: 10 } },
    { origins, traffic: new Map(), tierOf },
  )
  expect(tally?.pieces).toEqual([
    { start: 0, end: 3 },
    { start: 4, end: 5 },
    { start: 9, end: 10 },
  ])
})

test('a source that delivered nothing is listed with what it failed at, after those that did', () => {
  const [idle, busy] = [toSourceId('a-idle'), toSourceId('z-busy')]
  const failure = { code: 'source-missing', source: idle } as const
  const traffic = new Map([
    [idle, { receivedBytes: 5, failures: [failure] }],
    [busy, { receivedBytes: 70_000, failures: [] }],
  ])
  const artifact = { sizeBytes: 1, pieces: { lengthBytes: LENGTH, count: 1 } }
  expect(
    tallySources(artifact, {
      origins: new Map([[toPieceIndex(0), busy]]),
      traffic,
      tierOf: (source) => (source === idle ? 'gateway' : 'mesh'),
    }),
  ).toEqual([
    { source: busy, tier: 'mesh', pieces: [{ start: 0, end: 1 }], verifiedBytes: 1, receivedBytes: 70_000, failures: [] },
    { source: idle, tier: 'gateway', pieces: [], verifiedBytes: 0, receivedBytes: 5, failures: [failure] },
  ])
})

const cut = { sizeBytes: 3 * LENGTH - 10, pieces: { lengthBytes: LENGTH, count: 3 } }
const tally = (source: string, start: number, end: number, verifiedBytes: number): SourceTally => ({
  source: toSourceId(source),
  tier: 'cdn',
  pieces: [{ start, end }],
  verifiedBytes,
  receivedBytes: 0,
  failures: [],
})

test.each([
  ['a piece counted twice', [tally('a', 0, 2, 2 * LENGTH), tally('b', 1, 3, 2 * LENGTH - 10)], 'piece 1 is counted twice'],
  ['a piece behind the last', [tally('a', 0, 4, 3 * LENGTH - 10)], 'there is no piece 3'],
  ['a piece far behind the last', [tally('a', 5, 6, -2 * LENGTH - 10)], 'there is no piece 5'],
  ['a byte too many', [tally('a', 0, 3, 3 * LENGTH - 9)], 'the bytes of a are not those of its pieces'],
  ['a source named twice', [tally('a', 0, 1, LENGTH), tally('a', 1, 2, LENGTH)], 'a source is named twice'],
])('finds %s', (_what, tallies, fault) => {
  expect(findTallyFault(cut, tallies)).toBe(fault)
})

test('a tally without a fault is whole only when no piece is left out', () => {
  const part = [tally('a', 0, 1, LENGTH), tally('b', 2, 3, LENGTH - 10)]
  expect(findTallyFault(cut, part)).toBeUndefined()
  expect(isWholeTally(cut, part)).toBe(false)
  expect(isWholeTally(cut, [...part, tally('c', 1, 2, LENGTH)])).toBe(true)
})

test('pieces kept from an earlier visit cost no bytes, and their source failed at nothing', () => {
  const origins = new Map([[toPieceIndex(0), toSourceId('earlier')]])
  expect(tallySources(cut, { origins, traffic: new Map(), tierOf })).toEqual([
    { source: 'earlier', tier: 'cdn', pieces: [{ start: 0, end: 1 }], verifiedBytes: LENGTH, receivedBytes: 0, failures: [] },
  ])
})

test('sources that delivered alike stand in order of their names', () => {
  const traffic = new Map(['c', 'a', 'b'].map((id) => [toSourceId(id), { receivedBytes: 0, failures: [] }] as const))
  expect(tallySources(cut, { origins: new Map(), traffic, tierOf }).map(({ source }) => source)).toEqual(['a', 'b', 'c'])
})
