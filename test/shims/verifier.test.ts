import { createPublicKey as createNativeKey, generateKeyPairSync } from 'node:crypto'
import { crypto } from '@sigstore/core'
import fc from 'fast-check'
import { describe, expect, inject, test } from 'vitest'
import { KeyObject } from '../../src/trust/shims/crypto.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { verdictOn } from '../trust/verdict.ts'

const verifier = createSigstoreVerifier()

test('the Sigstore packages run on the stand-ins, not on the cryptography of Node', () => {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
  expect(crypto.createPublicKey(pem).constructor.name).toBe(KeyObject.name)
  expect(crypto.createPublicKey(pem)).not.toBeInstanceOf(createNativeKey(pem).constructor)
  expect(globalThis.Buffer.isBuffer(crypto.digest('sha256', new Uint8Array(3)))).toBe(false)
})

describe('gives the verdict that Node gives', () => {
  test.each(inject('trustCases'))('$name: $expected', async (trustCase) => {
    expect(await verdictOn(verifier, trustCase)).toBe(trustCase.expected)
  })
})

test('gives the same verdicts in whatever order it is asked, and however often', async () => {
  const cases = inject('trustCases')
  const inAnyOrder = fc.array(fc.constantFrom(...cases), { minLength: 20, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(inAnyOrder, async (asked) => {
      for (const trustCase of asked)
        expect([trustCase.name, await verdictOn(verifier, trustCase)]).toEqual([trustCase.name, trustCase.expected])
    }),
    { numRuns: 5 },
  )
}, 120_000)
