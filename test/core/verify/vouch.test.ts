import { describe, expect, test } from 'vitest'
import { failureOf } from '../../../src/core/errors.ts'
import { encodeCatalogue } from '../../../src/core/manifest/parse-catalogue.ts'
import { encodeCatalogueEnvelope } from '../../../src/core/manifest/parse-envelope.ts'
import type { Approval, SignatureVerifier } from '../../../src/core/ports.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import type { Identity, SignaturePolicy, SignatureVerdict } from '../../../src/core/verify/identity-policy.ts'
import { ANY_PROVENANCE } from '../../../src/core/verify/provenance-policy.ts'
import { trustOfPolicy, type SiteTrust } from '../../../src/core/verify/site-trust.ts'
import { vouchForArtifact, vouchForCatalogue } from '../../../src/core/verify/vouch.ts'
import { verdict as provenance } from '../audit/samples.ts'
import { sampleCatalogue } from '../manifest/samples.ts'

const ARTIFACT = sha256Of(new Uint8Array([1, 2, 3]))
const second = { kind: 'key', publicKeyPem: 'PEM' } as const
const policy: SignaturePolicy = {
  anyOf: [provenance.signer, second],
  minSigners: 1,
  trustedRoot: {},
  thresholds: { log: 1, sct: 1, timestamp: 1 },
}
const message: SignatureVerdict = { ...provenance, form: 'message', predicateType: undefined, provenance: undefined }
const failedTest: SignatureVerdict = {
  ...provenance,
  predicateType: 'https://in-toto.io/attestation/test-result/v0.1',
  provenance: undefined,
}

/** Finds each signature good, whatever it is over: what it says is all that is left to judge. */
function verifierSaying(...files: readonly (readonly Approval[])[]): SignatureVerifier {
  const left = [...files]
  return {
    async verify() {
      const next = left.shift()
      if (next === undefined) throw new TypeError('expected no further bundle')
      return next
    },
  }
}

const by = (signer: number, ...verdicts: readonly SignatureVerdict[]): readonly Approval[] =>
  verdicts.map((verdict) => ({ verdict, signer }))

async function artifactWith(files: readonly (readonly Approval[])[], trust: SiteTrust): Promise<unknown> {
  const bundles = files.map((_, i) => new Uint8Array([i]))
  try {
    const accepted = await vouchForArtifact(bundles, { artifact: ARTIFACT, trust }, verifierSaying(...files))
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
])('of an artifact, %s', async (_what, verdicts, required, expected) => {
  const trust = { ...trustOfPolicy(policy), provenance: { ...ANY_PROVENANCE, required } }
  expect(
    await artifactWith(
      verdicts.map((verdict) => by(0, verdict)),
      trust,
    ),
  ).toEqual(expected)
})

describe('where two have to sign', () => {
  const trust = trustOfPolicy({ ...policy, minSigners: 2 })
  test.each<readonly [string, readonly (readonly Approval[])[], unknown]>([
    ['both is enough', [by(0, message), by(1, message)], ['message', 'message']],
    ['both in one file is enough', [[...by(0, message), ...by(1, message)]], ['message', 'message']],
    ['one of them is too few', [by(0, message)], 'signers-too-few'],
    ['one of them twice is one', [by(0, message), by(0, provenance), by(0, message)], 'signers-too-few'],
    ['what the second says is looked at too', [by(0, message), by(1, failedTest)], 'signers-too-few'],
    ['nobody is missing, not too few', [], 'signature-missing'],
  ])('%s', async (_what, files, expected) => {
    expect(await artifactWith(files, trust)).toEqual(expected)
  })

  test('a workflow that signs at two refs is one signer', async () => {
    const at = (identity: Identity) => ({ kind: 'certificate', identity, issuer: 'https://issuer.example' }) as const
    const workflow = 'https://ci.example/release.yml'
    const anyOf = [at({ workflow, refs: 'tags' }), at(`${workflow}@refs/tags/v1`), second] as const
    const files = [by(0, message), by(1, message)]
    expect(await artifactWith(files, trustOfPolicy({ ...policy, anyOf, minSigners: 2 }))).toBe('signers-too-few')
    expect(await artifactWith([...files, by(2, message)], trustOfPolicy({ ...policy, anyOf, minSigners: 2 }))).toHaveLength(3)
  })

  test('a catalogue with one of the two signatures is not believed', async () => {
    const file = encodeCatalogueEnvelope({ payload: encodeCatalogue(sampleCatalogue()), bundles: [new TextEncoder().encode('{}')] })
    await expect(vouchForCatalogue(file, trust.catalogue, verifierSaying(by(0, message)))).rejects.toMatchObject({
      code: 'signers-too-few',
    })
  })
})

test('a catalogue whose version is ahead of any witness is refused, in whatever order its bundles stand', async () => {
  const { version } = sampleCatalogue()
  const unwitnessed = { ...message, signer: second, signedAtSeconds: undefined }
  const witnessed = { ...message, signedAtSeconds: version - 2 * 3600 }
  const bundles = ['{}', '{"mediaType":"m"}'].map((text) => new TextEncoder().encode(text))
  const file = encodeCatalogueEnvelope({ payload: encodeCatalogue(sampleCatalogue()), bundles })
  const both = { ...policy, minSigners: 2 }
  const [key, certificate] = [by(1, unwitnessed), by(0, witnessed)]
  for (const files of [
    [certificate, key],
    [key, certificate],
    [[...key, ...certificate], []],
  ]) {
    await expect(vouchForCatalogue(file, both, verifierSaying(...files))).rejects.toMatchObject({
      failure: { code: 'catalogue-future', version },
    })
  }
})

test('a catalogue is believed under a signature over its bytes, and under no attestation about them', async () => {
  const payload = encodeCatalogue(sampleCatalogue())
  const file = encodeCatalogueEnvelope({ payload, bundles: [new TextEncoder().encode('{}')] })
  expect((await vouchForCatalogue(file, policy, verifierSaying(by(0, message)))).payloadSha256).toBe(sha256Of(payload))
  await expect(vouchForCatalogue(file, policy, verifierSaying(by(0, provenance)))).rejects.toMatchObject({ code: 'bundle-invalid' })
})
