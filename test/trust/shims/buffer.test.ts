import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Buffer as Shim } from '../../../src/trust/shims/buffer.ts'
import { isDeepStrictEqual } from '../../../src/trust/shims/util.ts'

describe('bytes as text', () => {
  test.each(['hex', 'base64', 'utf8', 'utf-8', undefined] as const)('read and written as Node does in %s', (encoding) => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString(encoding)
        expect(Shim.from(bytes).toString(encoding)).toBe(text)
        expect(Array.from(Shim.from(text, encoding))).toEqual(Array.from(Buffer.from(text, encoding)))
      }),
    )
  })

  test('of URLs, in base64', () => {
    expect(Array.from(Shim.from('-_-_', 'base64'))).toEqual(Array.from(Buffer.from('-_-_', 'base64url')))
  })

  test.each([
    ['hex', 'abc'],
    ['hex', 'zz'],
    ['base64', 'A'],
    ['base64', 'AA!A'],
    ['ascii', 'é'],
    ['latin1', 'a'],
    ['constructor', 'a'],
  ])('refused where Node would drop or mask: %s %j', (encoding, text) => {
    expect(() => Shim.from(text, encoding)).toThrow(TypeError)
  })

  test('refused as ASCII when a top bit is set', () => {
    expect(() => Shim.from([0xe1]).toString('ascii')).toThrow(TypeError)
  })
})

test('parts are views of the same bytes with the same methods', () => {
  const bytes = Shim.from('00112233', 'hex')
  const part = bytes.subarray(1, 3)
  bytes[1] = 0xff
  expect(part).toBeInstanceOf(bytes.constructor)
  expect(Array.from(part)).toEqual([0xff, 0x22])
})

test('a copy shares no byte with what it was made of', () => {
  const source = Uint8Array.of(1, 2)
  const copy = Shim.from(source)
  source[0] = 9
  expect(copy[0]).toBe(1)
})

test('joins, copies, compares and reads integers as Node does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8 }), fc.uint8Array(), (a, b) => {
      const joined = Shim.concat([a, b])
      const theirs = Buffer.concat([a, b])
      const target = Shim.alloc(joined.length + 1)
      expect(joined.copy(target, 1)).toBe(joined.length)
      expect(Array.from(target)).toEqual([0, ...theirs])
      expect(joined.equals(theirs)).toBe(true)
      expect(joined.equals(theirs.subarray(1))).toBe(false)
      expect(joined.readBigInt64BE()).toBe(theirs.readBigInt64BE())
    }),
  )
})

test.each([
  [{ a: 1, b: Uint8Array.of(1) }, { b: Uint8Array.of(1), a: 1 }, true],
  [{ a: Uint8Array.of(1) }, { a: Uint8Array.of(2) }, false],
  [{ a: Uint8Array.of(1) }, { a: [1] }, false],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [new Date(5), new Date(5), true],
  [new Date(5), new Date(6), false],
  [null, {}, false],
  [Number.NaN, Number.NaN, true],
])('%j and %j are deeply equal: %j', (a, b, expected) => {
  expect(isDeepStrictEqual(a, b)).toBe(expected)
  expect(isDeepStrictEqual(b, a)).toBe(expected)
})
