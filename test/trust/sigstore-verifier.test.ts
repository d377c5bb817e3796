import nodeCrypto from 'node:crypto'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { toSha256 } from '../../src/core/model/ids.ts'
import { requirePolicy, type SignaturePolicy, type SignatureVerdict } from '../../src/core/verify/identity-policy.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { ARTIFACT, CERTIFICATE_SIGNER, makeTrustCases } from './cases.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  newKey,
  provenanceAbout,
  publicPem,
  REF,
  REPOSITORY,
  sha256,
  TIMESTAMP_DELAY_SECONDS,
  type OfflineSigstore,
} from './offline-sigstore.ts'
import { verdictOn } from './verdict.ts'

const cases = await makeTrustCases()
const verifier = createSigstoreVerifier()
const subject = toSha256(sha256(ARTIFACT).toString('hex'))
const thresholds = { log: 1, sct: 1, timestamp: 1 }

describe('accepts', () => {
  test.each(cases.filter(({ expected }) => expected === 'accepted'))('$name', async (trustCase) => {
    expect(await verdictOn(verifier, trustCase)).toBe('accepted')
  })
})

describe.each([
  ['refuses', undefined],
  ['tr13.identity-table: refuses whoever is not the named signer to the letter', 'look-alike'],
  ['tr15.dsse-subject: refuses an attestation that is not about the file, or not of where it came from', 'other-subject'],
  ['tr22.trusted-root: refuses witnesses that the portal did not pin, and a root that does not say since when', 'other-root'],
] as const)('%s', (_what, attack) => {
  test.each(cases.filter((one) => one.expected !== 'accepted' && one.attack === attack))('$name: $expected', async (trustCase) => {
    expect(await verdictOn(verifier, trustCase)).toBe(trustCase.expected)
  })
})

describe('reads no clock, so that a verdict may be remembered:', () => {
  afterEach(() => void vi.useRealTimers())

  test.each([-400, 400])('%i days from now every case is judged as today', async (days) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + days * 86_400_000 })
    for (const trustCase of cases)
      expect([trustCase.name, await verdictOn(verifier, trustCase)]).toEqual([trustCase.name, trustCase.expected])
  })
})

describe('the verdict', () => {
  let sigstore: OfflineSigstore
  beforeAll(async () => {
    sigstore = await createOfflineSigstore()
  })

  test('names the signer of a file, where it was built, and when it was signed', async () => {
    const policy = { anyOf: [CERTIFICATE_SIGNER], minSigners: 1, trustedRoot: sigstore.trustedRoot, thresholds } as const
    expect(await verdictOf(encode(await sigstore.signBlob(ARTIFACT)), policy)).toEqual({
      signer: CERTIFICATE_SIGNER,
      form: 'message',
      predicateType: undefined,
      provenance: undefined,
      sourceRepository: REPOSITORY,
      sourceRef: REF,
      sourceDigest: undefined,
      signedAtSeconds: sigstore.signedAtSeconds,
    })
  })

  test('takes no time from a log entry that carries no signature over it', async () => {
    const text = JSON.stringify(await sigstore.signBlob(ARTIFACT))
      .replace(/"inclusionPromise":{[^}]*},/, '')
      .replace(/"integratedTime":"\d+"/, '"integratedTime":"1"')
    const policy = { anyOf: [CERTIFICATE_SIGNER], minSigners: 1, trustedRoot: sigstore.trustedRoot, thresholds } as const
    const verdict = await verdictOf(new TextEncoder().encode(text), policy)
    expect(verdict.signedAtSeconds).toBe(sigstore.signedAtSeconds + TIMESTAMP_DELAY_SECONDS)
  })

  test('tells what kind of attestation it is, and which builder it names', async () => {
    const policy = { anyOf: [CERTIFICATE_SIGNER], minSigners: 1, trustedRoot: sigstore.trustedRoot, thresholds } as const
    const verdict = await verdictOf(encode(await sigstore.attest(provenanceAbout(ARTIFACT))), policy)
    expect(verdict).toMatchObject({
      form: 'attestation',
      predicateType: 'https://slsa.dev/provenance/v1',
      provenance: { builderId: IDENTITY, buildType: 'https://actions.github.io/buildtypes/workflow/v1' },
    })
  })

  test('has no time for a key signature whose witnesses could not be checked', async () => {
    const pair = newKey()
    const signer = { kind: 'key', publicKeyPem: publicPem(pair) } as const
    const bundle = encode(await sigstore.signBlob(ARTIFACT, { key: pair }))
    const unchecked = await verdictOf(bundle, { anyOf: [signer], minSigners: 1, trustedRoot: undefined, thresholds })
    const checked = await verdictOf(bundle, { anyOf: [signer], minSigners: 1, trustedRoot: sigstore.trustedRoot, thresholds })
    expect(unchecked).toMatchObject({ signer, signedAtSeconds: undefined, sourceRepository: undefined })
    expect(checked.signedAtSeconds).toBe(sigstore.signedAtSeconds)
  })
})

describe('the trusted root', () => {
  test('is read once, however many bundles are verified under it', async () => {
    const sigstore = await createOfflineSigstore()
    let reads = 0
    const trustedRoot = {
      ...sigstore.trustedRoot,
      get tlogs() {
        reads++
        return sigstore.trustedRoot['tlogs']
      },
    }
    const policy = { anyOf: [CERTIFICATE_SIGNER], minSigners: 1, trustedRoot, thresholds } as const
    const bundle = encode(await sigstore.signBlob(ARTIFACT))
    await verifier.verify(bundle, subject, policy)
    const readsAtFirst = reads
    await verifier.verify(bundle, subject, policy)
    expect(readsAtFirst).toBeGreaterThan(0)
    expect(reads).toBe(readsAtFirst)
  })
})

test('a signature of none of several keys costs no check of its witnesses, however many its sender put there', async () => {
  const sigstore = await createOfflineSigstore()
  const keys = [newKey(), newKey(), newKey()].map((pair) => ({ kind: 'key' as const, publicKeyPem: publicPem(pair) }))
  const bundle = encode(await sigstore.signBlob(ARTIFACT, { key: newKey() }))
  const trustedRoot = [sigstore.trustedRoot, (await createOfflineSigstore()).trustedRoot]
  // A file's own signature is checked by its digest, which Node cannot do: what it is asked for is the witnesses'.
  const checks = vi.spyOn(nodeCrypto, 'verify')
  const refusal = verifier.verify(bundle, subject, requirePolicy(keys, { trustedRoot }))
  await expect(refusal).rejects.toMatchObject({ code: 'signature-invalid' })
  expect(checks).not.toHaveBeenCalled()
  checks.mockRestore()
})

test('a refusal tells the reason behind the reason', async () => {
  const [sigstore, other] = [await createOfflineSigstore(), await createOfflineSigstore()]
  const trustedRoot = { ...sigstore.trustedRoot, certificateAuthorities: other.trustedRoot['certificateAuthorities'] }
  const policy = { anyOf: [CERTIFICATE_SIGNER], minSigners: 1, trustedRoot, thresholds } as const
  await expect(verifier.verify(encode(await sigstore.signBlob(ARTIFACT)), subject, policy)).rejects.toThrow(
    'no valid certificate path found',
  )
})

async function verdictOf(file: Uint8Array, policy: SignaturePolicy): Promise<SignatureVerdict> {
  const [first, second] = await verifier.verify(file, subject, policy)
  if (first === undefined || second !== undefined) throw new TypeError('expected one approval')
  return first.verdict
}

function encode(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json))
}
