import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64, encodeBase64 } from '../../src/core/base64.ts'

test('agrees with another implementation, and reads back what it wrote', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
    }),
  )
})

test('holds a catalogue of full size', () => {
  const bytes = new Uint8Array(1_500_000).map((_, i) => i)
  expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes)
})

test.each(['A', 'AA', 'AAA', 'A===', 'AB==', 'AAB=', 'AA=A', '====', 'AA==AAAA', 'AA AA', 'AAAA\n', 'AA-_', 'AAAA=', 'Ä==='])(
  'refuses %j, which no encoder writes',
  (text) => {
    expect(decodeBase64(text)).toBeUndefined()
  },
)

test('takes a text only when it is the one encoding of its bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('A', 'B', '/', '+', '=', ' ', '9'), maxLength: 12 }), (text) => {
      const bytes = decodeBase64(text)
      if (bytes !== undefined) expect(encodeBase64(bytes)).toBe(text)
    }),
    { numRuns: 2000 },
  )
})
