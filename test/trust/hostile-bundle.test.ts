import { inspect } from 'node:util'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import type { Approval } from '../../src/core/ports.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { ARTIFACT, CERTIFICATE_SIGNER } from './cases.ts'
import { createOfflineSigstore, newKey, provenanceAbout, publicPem, sha256, TIMESTAMP_DELAY_SECONDS } from './offline-sigstore.ts'

// Hundreds of signatures: a starved machine takes its time over them.
vi.setConfig({ testTimeout: 60_000 })

const REFUSALS = ['bundle-invalid', 'signature-invalid', 'identity-mismatch', 'subject-mismatch', 'provenance-refused']
const HOSTILE = [null, true, 0, -1, 1e99, '', 'AAAA', '%', '18446744073709551616', [], [null], {}, { length: 1e9 }, { __proto__: null }]

const sigstore = await createOfflineSigstore()
const pair = newKey()
const WITNESSED = [sigstore.signedAtSeconds, sigstore.signedAtSeconds + TIMESTAMP_DELAY_SECONDS]
const verifier = createSigstoreVerifier()
const subject = toSha256(sha256(ARTIFACT).toString('hex'))
const policy = {
  anyOf: [CERTIFICATE_SIGNER, { kind: 'key', publicKeyPem: publicPem(pair) }],
  minSigners: 1,
  trustedRoot: sigstore.trustedRoot,
  thresholds: { log: 1, sct: 1, timestamp: 1 },
} as const
const bundles = [
  await sigstore.signBlob(ARTIFACT),
  await sigstore.attest(provenanceAbout(ARTIFACT)),
  await sigstore.signBlob(ARTIFACT, { key: pair }),
].map((bundle) => JSON.stringify(bundle))

test('a bundle with any value exchanged is refused, or says what it said before', async () => {
  const truths = await Promise.all(bundles.map(judge))
  const mutated = fc.tuple(fc.nat(bundles.length - 1), fc.nat(), fc.constantFrom<unknown>(...HOSTILE))
  await fc.assert(
    fc.asyncProperty(mutated, async ([index, at, value]) => {
      const verdict = await judge(exchangeValue(bundles[index] ?? '', at, value))
      if (typeof verdict === 'string') return
      // Some values are only hints. Without one witness, the time is the other's.
      const [truth] = truths[index] as readonly Approval[]
      expect(verdict).toEqual([{ ...truth, verdict: { ...truth?.verdict, signedAtSeconds: expect.toBeOneOf(WITNESSED) } }])
    }),
    { numRuns: 300 },
  )
})

test('tr17.bundle-mutation: a bundle with any bit of its bytes flipped is refused, or says what it said before', async () => {
  const truths = await Promise.all(bundles.map(judge))
  const mutated = fc.tuple(fc.nat(bundles.length - 1), fc.nat(), fc.nat())
  await fc.assert(
    fc.asyncProperty(mutated, async ([index, at, bit]) => {
      const verdict = await judge(flipField(bundles[index] ?? '', at, bit))
      // Some bits are signed by nobody: hints, and the outermost tags of a certificate.
      if (typeof verdict === 'object') expect(verdict).toEqual(truths[index])
    }),
    { numRuns: 300 },
  )
})

test('a file that is no bundle is not quoted, since a person may have named the one with the key', async () => {
  const refusal: unknown = await verifier.verify(Buffer.from('s3cret'), subject, policy).catch((error: unknown) => error)
  expect(failureOf(refusal)).toMatchObject({ code: 'bundle-invalid', detail: 'not JSON' })
  expect(inspect(refusal)).not.toContain('s3cret')
})

test('a bundle cut anywhere is refused', async () => {
  const cut = fc.tuple(fc.constantFrom(...bundles), fc.nat()).map(([bundle, at]) => bundle.slice(0, at % bundle.length))
  await fc.assert(
    fc.asyncProperty(cut, async (text) => {
      expect(await judge(text)).toBe('bundle-invalid')
    }),
  )
})

test.each(['certificate', 'signedTimestamp'])(
  'a bundle whose %s is as long as a whole bundle may be is refused before it is decoded',
  async (what) => {
    const padding = Buffer.alloc(90_000).toString('base64').replaceAll('=', '')
    const field = what === 'certificate' ? /("certificate":\{"rawBytes":")/ : /("signedTimestamp":")/
    const text = (bundles[0] ?? '').replace(field, `$1${padding}`)
    expect(text.length).toBeGreaterThan(120_000)
    const refusal: unknown = await verifier.verify(new TextEncoder().encode(text), subject, policy).catch((error: unknown) => error)
    expect(failureOf(refusal)).toMatchObject({ code: 'bundle-invalid', detail: expect.stringContaining('at most 32768') })
  },
)

test('any bytes are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
      expect(await judgeBytes(bytes)).toBe('bundle-invalid')
    }),
  )
})

function judge(text: string): Promise<unknown> {
  return judgeBytes(new TextEncoder().encode(text))
}

/** The verdict, or the code of the refusal. Fails the test for anything else that is thrown. */
async function judgeBytes(file: Uint8Array): Promise<unknown> {
  try {
    return await verifier.verify(file, subject, policy)
  } catch (error) {
    const code = failureOf(error)?.code
    expect(REFUSALS, String(error)).toContain(code)
    return code
  }
}

function exchangeValue(bundle: string, at: number, value: unknown): string {
  const total = countValues(bundle)
  let seen = 0
  return JSON.stringify(JSON.parse(bundle, (_, current: unknown) => (seen++ === at % total ? value : current)))
}

function countValues(bundle: string): number {
  let count = 0
  JSON.parse(bundle, (_, value: unknown) => {
    count++
    return value
  })
  return count
}

/** Flips one bit of one base64 value. */
function flipField(bundle: string, at: number, bit: number): string {
  const fields = [...bundle.matchAll(/":"((?:[A-Za-z0-9+/]{4}){5,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"/g)]
  const field = fields[at % fields.length]?.[1] ?? ''
  const bytes = Buffer.from(field, 'base64')
  const index = bit % (bytes.length * 8)
  bytes.writeUInt8(bytes.readUInt8(index >> 3) ^ (1 << (index & 7)), index >> 3)
  return bundle.replace(field, () => bytes.toString('base64'))
}
