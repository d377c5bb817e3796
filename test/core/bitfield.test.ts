import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createBitfield, parseBitfield } from '../../src/core/model/bitfield.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'

test('a set of pieces survives its encoding, at every length up to 5000', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5000 }), fc.infiniteStream(fc.boolean()), (length, coin) => {
      const before = createBitfield(length)
      for (let i = 0; i < length; i++) if (coin.next().value === true) before.add(toPieceIndex(i))
      const after = parseBitfield(length, before.toBytes())
      expect(after?.size).toBe(before.size)
      expect([...(after?.indices() ?? [])]).toEqual([...before.indices()])
    }),
    { numRuns: 50 },
  )
})

test('refuses a set with a spare bit, since two encodings would mean the same', () => {
  expect(parseBitfield(3, Uint8Array.of(0b1110_0000))?.size).toBe(3)
  expect(parseBitfield(3, Uint8Array.of(0b1111_0000))).toBeUndefined()
  expect(parseBitfield(3, new Uint8Array(2))).toBeUndefined()
})
