import { expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import { encodeCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import type { SignatureVerifier } from '../../../src/core/ports.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import type { SignaturePolicy, SignatureVerdict } from '../../../src/core/verify/identity-policy.ts'
import { vouchForArtifact, vouchForCatalogue } from '../../../src/core/verify/vouch.ts'
import { verdict as provenance } from '../audit/samples.ts'
import { sampleCatalogue } from '../manifest/samples.ts'

const ARTIFACT = sha256Of(new Uint8Array([1, 2, 3]))
const policy: SignaturePolicy = { anyOf: [provenance.signer], trustedRoot: {}, thresholds: { log: 1, sct: 1, timestamp: 1 } }
const message: SignatureVerdict = { ...provenance, form: 'message', predicateType: undefined, provenance: undefined }
const failedTest: SignatureVerdict = {
  ...provenance,
  predicateType: 'https://in-toto.io/attestation/test-result/v0.1',
  provenance: undefined,
}

/** Finds each signature good, whatever it is over: what it says is all that is left to judge. */
function verifierSaying(...verdicts: readonly SignatureVerdict[]): SignatureVerifier {
  const left = [...verdicts]
  return {
    async verify() {
      const next = left.shift()
      if (next === undefined) throw new TypeError('expected no further bundle')
      return next
    },
  }
}

async function artifactWith(verdicts: readonly SignatureVerdict[], requireProvenance: boolean): Promise<unknown> {
  const trust = { catalogue: policy, artifacts: policy, requireProvenance }
  const bundles = verdicts.map((_, i) => new Uint8Array([i]))
  try {
    const accepted = await vouchForArtifact(bundles, { artifact: ARTIFACT, trust }, verifierSaying(...verdicts))
    return accepted.map(({ verdict }) => verdict.form)
  } catch (error) {
    return failureOf(error)?.code
  }
}

test.each<readonly [string, readonly SignatureVerdict[], boolean, unknown]>([
  ['a signature over the bytes', [message], false, ['message']],
  ['a provenance', [provenance], true, ['attestation']],
  ['a signature where provenance is demanded', [message], true, 'provenance-refused'],
  ['a failed test', [failedTest], false, 'provenance-refused'],
  ['a signature and a failed test where provenance is demanded', [message, failedTest], true, 'provenance-refused'],
  ['a signature and a failed test where it is not', [failedTest, message], false, ['message']],
  ['nothing', [], false, 'signature-missing'],
])('of an artifact, %s', async (_what, verdicts, requireProvenance, expected) => {
  expect(await artifactWith(verdicts, requireProvenance)).toEqual(expected)
})

test('a catalogue is believed under a signature over its bytes, and under no attestation about them', async () => {
  const payload = encodeCatalogue(sampleCatalogue())
  const file = encodeCatalogueEnvelope({ payload, bundles: [new TextEncoder().encode('{}')] })
  expect((await vouchForCatalogue(file, policy, verifierSaying(message))).payloadSha256).toBe(sha256Of(payload))
  await expect(vouchForCatalogue(file, policy, verifierSaying(provenance))).rejects.toMatchObject({ code: 'bundle-invalid' })
})
