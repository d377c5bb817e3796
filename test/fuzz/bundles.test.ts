import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { bundleForBrowser } from '../../scripts/bundle-for-browser.mjs'
import { DeliveryError } from '../../src/core/errors.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { SignatureVerifier } from '../../src/core/ports.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { makeBundleCorpus } from './bundle-corpus.ts'
import { createBundleTarget } from './bundle-target.ts'
import { newTally, runCases, settleSuspects, type Tally, type Target } from './campaign.ts'
import { expectToStand, KNOWN_SEED, NEW_SEED } from './landing.ts'
import { policyOf } from './verdicts.ts'

// Hundreds of signatures: a starved machine takes its time over them.
vi.setConfig({ testTimeout: 240_000 })

const CASES = 60
const corpus = await makeBundleCorpus()

describe('a damaged or spliced bundle is refused, or says what the genuine one says', () => {
  test.each([KNOWN_SEED, NEW_SEED])('by the verifier as Node runs it: seed %i', (seed) =>
    expectToStand({ name: 'bundles', corpus, seed, code: undefined }, 500),
  )

  test('by the verifier as browsers get it', async () => {
    const entry = fileURLToPath(new URL('../../src/trust/sigstore-verifier.ts', import.meta.url))
    const code = await bundleForBrowser({ entry, name: 'built' })
    await expectToStand({ name: 'bundles', corpus, seed: NEW_SEED, code }, 100)
  })
})

describe('a verifier is found out', () => {
  const good = createSigstoreVerifier()
  const policy = policyOf(corpus.policy)

  test('that believes everything', async () => {
    const truth = await good.verify(Buffer.from(corpus.genuine[0] ?? ''), toSha256(corpus.subject), policy)
    expect(await judged(async () => truth)).toMatchObject({ refused: 0, uncaught: 0 })
    expect((await judged(async () => truth)).wrongAccepts).toBeGreaterThan(0)
  })

  test('that takes its time from whoever tells one', async () => {
    const tally = await judged(async (...args) =>
      (await good.verify(...args)).map((approval) => ({ ...approval, verdict: { ...approval.verdict, signedAtSeconds: 1 } })),
    )
    expect(tally.accepted).toBe(0)
    expect(tally.wrongAccepts).toBeGreaterThan(0)
  })

  test.each([new TypeError('cannot read'), new DeliveryError({ code: 'insecure-context' })])('that throws %s', async (error) => {
    expect(await judged(() => Promise.reject(error))).toMatchObject({ count: CASES, uncaught: CASES })
  })

  test('that works for too long', async () => {
    const endless: Target = {
      genuine: [],
      input: () => 150,
      async judge(ms) {
        workFor(Number(ms))
        return { kind: 'accepted' }
      },
    }
    const tally = newTally()
    await runCases(endless, [7], tally)
    expect(await settleSuspects(endless, tally)).toEqual({ slow: 1, limitMs: 100 })
    expect(tally.findings).toMatchObject([{ index: 7, kind: 'slow' }])
  })

  async function judged(verify: SignatureVerifier['verify']): Promise<Tally> {
    // What is true it learns from the good one, before it is given the other.
    let now: SignatureVerifier = good
    const target = await createBundleTarget(corpus, 1, { verify: (...args) => now.verify(...args) })
    now = { verify }
    const tally = newTally()
    await runCases(
      target,
      Array.from({ length: CASES }, (_, i) => i),
      tally,
    )
    return tally
  }
})

/** Works, and does not wait: a wait is no fault of the verifier. */
function workFor(ms: number): void {
  const before = process.cpuUsage()
  while (process.cpuUsage(before).user < ms * 1000);
}
