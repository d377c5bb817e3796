import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { verifyBundle, type Question } from '../../src/conformance/verify-bundle.ts'
import { failureOf } from '../../src/core/errors.ts'
import {
  createOfflineSigstore,
  IDENTITY,
  ISSUER,
  newKey,
  publicPem,
  type BundleJson,
  type OfflineSigstore,
} from '../trust/offline-sigstore.ts'

const artifact = Buffer.from('an artifact')
const digest = createHash('sha256').update(artifact).digest('hex')
const policy = { identity: IDENTITY, issuer: ISSUER }
const pair = newKey()

let ours: OfflineSigstore
let theirs: OfflineSigstore
let bundle: BundleJson
let keyed: BundleJson
beforeAll(async () => {
  ours = await createOfflineSigstore()
  theirs = await createOfflineSigstore()
  bundle = await ours.signBlob(artifact)
  keyed = await ours.signBlob(artifact, { key: pair })
})

const ask = (changed: Partial<Question>) => verifyBundle({ bundle, trustedRoot: ours.trustedRoot, policy, digest, ...changed })
const overJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

async function verdictOn(changed: Partial<Question>): Promise<string> {
  try {
    await ask(changed)
    return 'accepted'
  } catch (error) {
    return failureOf(error)?.code ?? `no verdict: ${String(error)}`
  }
}

describe('a question is understood in every form that a driver can send', () => {
  test('the bundle as parsed JSON, as text and as bytes', async () => {
    const text = JSON.stringify(bundle)
    for (const form of [bundle, text, Buffer.from(text), new TextEncoder().encode(text).buffer])
      expect(await verdictOn({ bundle: form })).toBe('accepted')
    expect(await verdictOn({ bundle: `${JSON.stringify(keyed)}\n${text}\n` })).toBe('accepted')
  })

  test('the trusted root as parsed JSON, as text, as bytes, and as one JSON text a line', async () => {
    const text = JSON.stringify(ours.trustedRoot, undefined, 2)
    const lines = [theirs, ours].map(({ trustedRoot }) => `${JSON.stringify(trustedRoot)}\n`).join('')
    for (const form of [text, Buffer.from(text), [theirs.trustedRoot, ours.trustedRoot], lines])
      expect(await verdictOn({ trustedRoot: form })).toBe('accepted')
  })

  test('the artifact as bytes, as text, as a list of numbers, and as what JSON leaves of bytes', async () => {
    const plain = Uint8Array.from(artifact)
    for (const form of [plain, plain.buffer, artifact, 'an artifact', [...artifact], overJson(plain), overJson(artifact)])
      expect(await verdictOn({ artifact: form, digest: undefined })).toBe('accepted')
    for (const form of [Buffer.from('another'), 'another', [1, 2, 3], overJson(Uint8Array.from([1]))])
      expect(await verdictOn({ artifact: form, digest: undefined })).toBe('subject-mismatch')
  })

  test('the digest in either case, with its algorithm before it or not', async () => {
    for (const form of [digest, digest.toUpperCase(), `sha256:${digest}`]) expect(await verdictOn({ digest: form })).toBe('accepted')
  })
})

test('an accept resolves with plain data that says who signed', async () => {
  const answer = await ask({})
  expect(answer).toMatchObject({ verified: true, sha256: digest, verdicts: [{ signer: { identity: IDENTITY, issuer: ISSUER } }] })
  expect(overJson(answer)).toMatchObject({ verified: true, verdicts: [{ form: 'message' }] })
})

test('a refusal rejects with an Error that has the code, and whose message begins with it', async () => {
  const refused = ask({ policy: { ...policy, identity: 'https://github.com/other' } })
  await expect(refused).rejects.toMatchObject({ name: 'DeliveryError', code: 'identity-mismatch' })
  await expect(refused).rejects.toThrow(/^identity-mismatch: /)
})

describe('a policy is taken as it stands', () => {
  test('a key needs no trusted root, and an identity does', async () => {
    const keyPolicy = { publicKey: publicPem(pair) }
    expect(await verdictOn({ bundle: keyed, policy: keyPolicy, trustedRoot: undefined })).toBe('accepted')
    expect(await verdictOn({ bundle: keyed, policy: { publicKey: publicPem(newKey()) } })).toBe('signature-invalid')
    expect(await verdictOn({ trustedRoot: undefined })).toBe('policy-missing')
  })

  test('nobody, half a signer, and both kinds of signer are refused', async () => {
    expect(await verdictOn({ policy: {} })).toBe('policy-missing')
    expect(await verdictOn({ policy: { identity: IDENTITY } })).toBe('policy-missing')
    expect(await verdictOn({ policy: { issuer: ISSUER } })).toBe('policy-missing')
    expect(await verdictOn({ bundle: keyed, policy: { ...policy, publicKey: publicPem(pair) } })).toBe('config-invalid')
  })

  test('a trusted root that is not JSON is refused', async () => {
    expect(await verdictOn({ trustedRoot: '{' })).toBe('format-invalid')
    expect(await verdictOn({ trustedRoot: `${JSON.stringify(ours.trustedRoot)}\n{"\n` })).toBe('format-invalid')
  })
})

test.each<[string, Partial<Question>]>([
  ['neither artifact nor digest', { digest: undefined }],
  ['both artifact and digest', { artifact }],
  ['a digest of another length', { digest: digest.slice(2) }],
  ['an artifact that is no bytes', { digest: undefined, artifact: [256] }],
  ['no bundle', { bundle: undefined }],
  ['a policy that is no object', { policy: JSON.parse('null') }],
])('a question with %s gets no verdict, which nobody can take for a refusal', async (_, changed) => {
  expect(await verdictOn(changed)).toMatch(/^no verdict: TypeError/)
})
