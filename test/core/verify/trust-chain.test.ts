import { describe, expect, test } from 'vitest'
import { failureOf, type Failure } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { encodeCatalogueEnvelope, parseEnvelope, TRUST_UPDATE } from '../../../src/core/manifest/parse-envelope.ts'
import { encodeTrustUpdate, parseTrustUpdate } from '../../../src/core/manifest/trust-update.ts'
import { toSha256 } from '../../../src/core/model/ids.ts'
import { advanceTrust, beginTrust, type TrustState } from '../../../src/core/verify/trust-chain.ts'
import type { SigningKey } from '../../../src/node/signing/signing-key.ts'
import { createSigstoreVerifier } from '../../../src/trust/sigstore-verifier.ts'
import {
  newSigningKey,
  payloadOf,
  signedFile,
  signerOf,
  trustIn,
  updateFile,
  updatesBy,
  type UpdateDraft,
} from '../../trust/trust-updates.ts'

const verifier = createSigstoreVerifier()
const [old, fresh, alice, bob, carol, dave, erin] = Array.from({ length: 7 }, newSigningKey) as [SigningKey, ...SigningKey[]] as Seven
type Seven = [SigningKey, SigningKey, SigningKey, SigningKey, SigningKey, SigningKey, SigningKey]

/** Two of Alice, Bob and Carol may change trust; `old` signs what is published. */
const PINNED = trustIn(old, updatesBy([alice, bob, carol], 2))
/** `fresh` signs instead, and two of Carol, Dave and Erin change trust from then on. */
const NEXT: UpdateDraft = { version: 1, trust: trustIn(fresh, updatesBy([carol, dave, erin], 2)) }
const DIGESTS = ['a', 'b', 'c'].map((digit) => toSha256(digit.repeat(64)))

const advance = (file: Uint8Array, from: TrustState = beginTrust(PINNED)): Promise<TrustState> =>
  advanceTrust(from, { file, repository: 'acme' }, verifier)

async function refusalOf(work: Promise<unknown>): Promise<Failure | undefined> {
  return await work.then(
    () => undefined,
    (error: unknown) => failureOf(error),
  )
}

test('tr19.revocation: after an update the new signers count, and the old ones count no more', async () => {
  const state = await advance(await updateFile(NEXT, [alice, bob, carol, dave]))
  expect(state.config.version).toBe(1)
  expect(state.site.catalogue.anyOf).toEqual([signerOf(fresh)])
  expect(state.site.artifacts.anyOf).toEqual([signerOf(fresh)])
  expect(state.site.updates?.anyOf).toEqual([carol, dave, erin].map(signerOf))
})

describe('tr19.threshold: an update is refused when', () => {
  test.each<readonly [string, readonly SigningKey[], string]>([
    ['nobody signed it', [], 'signature-missing'],
    ['one of the old signers did', [alice], 'signers-too-few'],
    ['one of the old signers did twice', [alice, alice], 'signers-too-few'],
    ['enough old ones did, and no new one', [alice, bob], 'signature-invalid'],
    ['enough old ones did, and one new one', [alice, bob, dave], 'signers-too-few'],
    ['enough old ones did, and one new one twice', [alice, bob, dave, dave], 'signers-too-few'],
    ['enough new ones did, and none of the old', [dave, erin], 'signature-invalid'],
    ['enough new ones did, and one of the old', [carol, dave, erin], 'signers-too-few'],
    ['those did who sign what is published', [old, fresh], 'signature-invalid'],
  ])('%s', async (_why, keys, code) => {
    expect(await refusalOf(advance(await updateFile(NEXT, keys)))).toMatchObject({ code })
  })

  test('one bundle stands in it twice', async () => {
    const { payload, bundles } = parseEnvelope(await updateFile(NEXT, [alice, carol]), TRUST_UPDATE)
    const [first, second] = bundles.map((bundle) => ({ bundle: JSON.parse(Buffer.from(bundle).toString()) as unknown }))
    const signatures = [first, first, second, second]
    const file = Buffer.from(
      JSON.stringify({ mediaType: TRUST_UPDATE.mediaType, payload: Buffer.from(payload).toString('base64'), signatures }),
    )
    // Carol is of both: Alice and Carol are two old ones, and Carol alone is one new one.
    expect(await refusalOf(advance(file))).toEqual({ code: 'signers-too-few', needed: 2, found: 1 })
  })

  test('its bytes were changed after they were signed', async () => {
    const good = await updateFile(NEXT, [alice, bob, carol, dave])
    const { bundles } = parseEnvelope(good, TRUST_UPDATE)
    const signatures = bundles.map((bundle) => ({ bundle: JSON.parse(Buffer.from(bundle).toString()) as unknown }))
    const payload = Buffer.from(payloadOf({ ...NEXT, resetFloor: 1 })).toString('base64')
    const file = Buffer.from(JSON.stringify({ mediaType: TRUST_UPDATE.mediaType, payload, signatures }))
    expect(await refusalOf(advance(file))).toMatchObject({ code: 'subject-mismatch' })
  })
})

test('signers may stay, and one may speak for the old and the new alike', async () => {
  const same = trustIn(fresh, PINNED.updates)
  expect((await advance(await updateFile({ version: 1, trust: same }, [bob, carol]))).config.version).toBe(1)
})

describe('only the very next update of this site is taken:', () => {
  const signed = (over: Partial<UpdateDraft>): Promise<Uint8Array> => updateFile({ ...NEXT, ...over }, [alice, bob, carol, dave])
  test.each<readonly [string, Partial<UpdateDraft>, Failure]>([
    ['none is left out', { version: 2 }, invalid('version', 'expected 1, got 2')],
    ['none of another repository', { repository: 'other' }, invalid('repository', 'expected acme, got other')],
  ])('%s', async (_rule, over, failure) => {
    expect(await refusalOf(advance(await signed(over)))).toEqual(failure)
  })

  test('none comes again', async () => {
    const file = await signed({ trust: trustIn(fresh, PINNED.updates) })
    const once = await advance(file)
    expect(await refusalOf(advance(file, once))).toEqual(invalid('version', 'expected 2, got 1'))
  })

  test('none at all where nobody is named to change trust', async () => {
    const failure = await refusalOf(advance(await signed({}), beginTrust({ ...PINNED, updates: undefined })))
    expect(failure).toMatchObject({ code: 'policy-missing' })
  })
})

test('a section that is pinned at a number is followed by the update after it', async () => {
  const from = beginTrust({ ...PINNED, version: 7 })
  const keys = [alice, bob, carol, dave]
  expect((await advance(await updateFile({ ...NEXT, version: 8 }, keys), from)).config.version).toBe(8)
  expect(await refusalOf(advance(await updateFile(NEXT, keys), from))).toEqual(invalid('version', 'expected 8, got 1'))
})

test('what updates deny adds up, and the last reset of the floor is the one that counts', async () => {
  const trust = trustIn(fresh, PINNED.updates)
  const keys = [alice, bob]
  const [a, b, c] = DIGESTS
  let state = await advance(await updateFile({ version: 1, trust, denied: [a, b].flatMap((one) => one ?? []), resetFloor: 70 }, keys))
  expect([state.denied, state.reset]).toEqual([[a, b], { version: 1, floor: 70 }])
  state = await advance(await updateFile({ version: 2, trust, denied: [b, c].flatMap((one) => one ?? []) }, keys), state)
  expect([state.denied, state.reset]).toEqual([[a, b, c], { version: 1, floor: 70 }])
  state = await advance(await updateFile({ version: 3, trust, resetFloor: 5 }, keys), state)
  expect([state.denied, state.reset]).toEqual([[a, b, c], { version: 3, floor: 5 }])
})

describe('a payload is refused, whoever signed it, when', () => {
  const altered = (change: (payload: Record<string, unknown> & { trust: Record<string, unknown> }) => void): Uint8Array => {
    const payload = JSON.parse(Buffer.from(payloadOf(NEXT)).toString()) as Parameters<typeof change>[0]
    change(payload)
    return Buffer.from(JSON.stringify(payload))
  }
  test.each<readonly [string, Parameters<typeof altered>[0], object]>([
    ['it is of another schema', (payload) => (payload['schema'] = 2), { code: 'format-unsupported' }],
    ['it has no number', (payload) => delete payload['version'], { code: 'format-invalid', path: 'version' }],
    ['it is number 0', (payload) => (payload['version'] = 0), { code: 'format-invalid', path: 'version' }],
    ['its section stands for another number', (payload) => (payload.trust['version'] = 3), { code: 'format-invalid', path: 'trust' }],
    ['its section names nobody for the next one', (payload) => delete payload.trust['updates'], { code: 'format-invalid', path: 'trust' }],
    [
      'its section asks for more signers than there are',
      (payload) => (payload.trust['updates'] = { signers: [], minSigners: 1 }),
      { code: 'policy-missing' },
    ],
    [
      'one key stands for two signers',
      (payload) => (payload.trust['updates'] = twice()),
      { code: 'config-invalid', path: 'trust.updates.signers' },
    ],
    ['it has no trust section', (payload) => delete (payload as { trust?: unknown }).trust, { code: 'policy-missing' }],
    ['it denies what is no digest', (payload) => (payload['denied'] = ['abc']), { code: 'format-invalid', path: 'denied[0]' }],
    ['it needs what this version does not know', (payload) => (payload['critical'] = ['quorum']), { code: 'format-unsupported' }],
  ])('%s', async (_why, change, failure) => {
    const payload = altered(change)
    expect(await refusalOf(advance(await signedFile(payload, [alice, bob, carol, dave])))).toMatchObject(failure)
  })

  const twice = (): object => ({
    signers: [{ publicKey: dave.publicKeyPem }, { publicKey: dave.publicKeyPem.replaceAll('\n', '\r\n') }],
    minSigners: 2,
  })
})

test('a payload reads as it was written', () => {
  const written = parseTrustUpdate(payloadOf({ ...NEXT, denied: DIGESTS, resetFloor: 9 }))
  expect(parseTrustUpdate(encodeTrustUpdate(written))).toEqual(written)
  expect(written).toMatchObject({ version: 1, repository: 'acme', denied: DIGESTS, resetFloor: 9 })
})

test('a catalogue is no trust update, whoever signed it, and a file beyond the limit is not opened', async () => {
  const { payload, bundles } = parseEnvelope(await updateFile(NEXT, [alice, bob, carol, dave]), TRUST_UPDATE)
  expect(await refusalOf(advance(encodeCatalogueEnvelope({ payload, bundles })))).toMatchObject({
    code: 'format-unsupported',
    document: 'trust-update',
  })
  const endless = new Uint8Array(LIMITS.trustUpdateBytes + 1)
  expect(await refusalOf(advance(endless))).toEqual({
    code: 'format-oversized',
    document: 'trust-update',
    limitBytes: LIMITS.trustUpdateBytes,
  })
})

function invalid(path: string, detail: string): Failure {
  return { code: 'format-invalid', document: 'trust-update', path, detail }
}
