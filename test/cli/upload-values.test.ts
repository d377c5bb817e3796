import { expect, test } from 'vitest'
import { parseUploadRate, parseUploadSlots } from '../../src/cli/upload-values.ts'

test.each([
  ['0', 0],
  ['131072', 131_072],
  ['20M', 20 * 2 ** 20],
])('a rate of %s', (text, rate) => expect(parseUploadRate(text)).toBe(rate))

test.each(['1', '131071', '1025M', '-1', 'fast'])('refuses a rate of %s: too slow for one peer, too fast, or none', (text) => {
  expect(() => parseUploadRate(text)).toThrow(/Expected/)
})

test.each(['0', '17', 'many'])('refuses %s slots', (text) => expect(() => parseUploadSlots(text)).toThrow(/Expected/))

test('takes up to sixteen slots', () => expect([parseUploadSlots('1'), parseUploadSlots('16')]).toEqual([1, 16]))
