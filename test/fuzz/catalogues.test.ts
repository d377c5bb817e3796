import { expect, test, vi } from 'vitest'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { newTally, runCases, type Tally } from './campaign.ts'
import { makeCatalogueCorpus } from './catalogue-corpus.ts'
import { createCatalogueTarget } from './catalogue-target.ts'
import { expectToStand, KNOWN_SEED } from './landing.ts'

// Tens of thousands of documents: a starved machine takes its time over them.
vi.setConfig({ testTimeout: 600_000 })

const corpus = await makeCatalogueCorpus()

test(`a damaged catalogue is refused, or is what its publisher signed, and lowers no floor: seed ${KNOWN_SEED}`, () =>
  expectToStand({ name: 'catalogues', corpus, seed: KNOWN_SEED, code: undefined }, 50_000))

test('a verifier that believes everything is found out', async () => {
  const signer = { kind: 'key', publicKeyPem: '' } as const
  const verdict = { signer, form: 'message', predicateType: undefined, provenance: undefined } as const
  const approval = { verdict: { ...verdict, sourceRepository: undefined, sourceRef: undefined, signedAtSeconds: undefined }, signer: 0 }
  const tally = await judged({ verify: async () => [approval] })
  expect(tally.wrongAccepts).toBeGreaterThan(0)
  expect(tally.findings[0]?.detail).toBe('a payload that nobody signed')
})

test('a verifier that throws what is no refusal is found out', async () => {
  const tally = await judged({ verify: () => Promise.reject(new RangeError('out of bounds')) })
  expect(tally.uncaught).toBeGreaterThan(0)
})

async function judged(verifier: SignatureVerifier): Promise<Tally> {
  const tally = newTally()
  await runCases(
    createCatalogueTarget(corpus, 1, verifier),
    Array.from({ length: 500 }, (_, i) => i),
    tally,
  )
  return tally
}
