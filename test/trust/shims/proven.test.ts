import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createProven, type ProvenQuestion } from '../../../src/trust/shims/proven.ts'

const QUESTION: ProvenQuestion = {
  key: new Uint8Array([4, 1, 2]),
  manner: 'P-256/sha256',
  digest: new Uint8Array([5, 6]),
  signature: new Uint8Array([7, 8, 9]),
}

function counting(answer: boolean): { readonly verify: () => boolean; readonly asked: () => number } {
  let asked = 0
  return {
    verify: () => {
      asked++
      return answer
    },
    asked: () => asked,
  }
}

test('what was right once is not verified again', () => {
  const proven = createProven(8)
  const right = counting(true)
  expect([proven.once(QUESTION, right.verify), proven.once({ ...QUESTION }, right.verify), right.asked()]).toEqual([true, true, 1])
})

test('what was wrong is verified again each time', () => {
  const proven = createProven(8)
  const wrong = counting(false)
  expect([proven.once(QUESTION, wrong.verify), proven.once(QUESTION, wrong.verify), wrong.asked()]).toEqual([false, false, 2])
})

test('an exception passes through, and proves nothing', () => {
  const proven = createProven(8)
  const fail = (): boolean => {
    throw new TypeError('malformed')
  }
  expect(() => proven.once(QUESTION, fail)).toThrow('malformed')
  expect(proven.once(QUESTION, () => false)).toBe(false)
})

test('a question that differs in anything is one of its own', () => {
  const bytes = fc.uint8Array({ maxLength: 3 })
  const questions = fc.record({
    key: bytes,
    manner: fc.constantFrom('P-256/sha256', 'P-384/sha256', 'P-256/sha384'),
    digest: bytes,
    signature: bytes,
  })
  fc.assert(
    fc.property(questions, questions, (known, other) => {
      const proven = createProven(8)
      proven.once(known, () => true)
      const isSame =
        (['key', 'digest', 'signature'] as const).every((part) => known[part].join() === other[part].join()) &&
        known.manner === other.manner
      expect(proven.once(other, () => false)).toBe(isSame)
    }),
  )
})

test('the oldest are forgotten', () => {
  const proven = createProven(2)
  const of = (byte: number): ProvenQuestion => ({ ...QUESTION, signature: new Uint8Array([byte]) })
  for (const byte of [1, 2, 3]) proven.once(of(byte), () => true)
  expect([1, 2, 3].map((byte) => proven.once(of(byte), () => false))).toEqual([false, true, true])
})
