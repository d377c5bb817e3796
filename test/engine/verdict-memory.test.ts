import { readFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { Approval, SignatureVerifier } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { SignaturePolicy } from '../../src/core/verify/identity-policy.ts'
import { createVerdictMemory } from '../../src/engine/verdict-memory.ts'
import type { Records } from '../../src/stores/index-values.ts'
import { createVolatileMemory } from '../../src/stores/volatile-index.ts'
import { VERIFIER_RULES } from '../../src/trust/sigstore-verifier.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { never } from './machine.ts'
import { utf8 } from './publisher.ts'

const BUNDLE = utf8('a bundle')
const SUBJECT = sha256Of(utf8('an artifact'))
const OTHER_SUBJECT = sha256Of(utf8('another artifact'))
const SIGNER = { kind: 'certificate', identity: 'https://acme.test/release', issuer: 'https://issuer.test' } as const
const ROOT = { tlogs: ['a log'] }
const POLICY: SignaturePolicy = { anyOf: [SIGNER], minSigners: 1, trustedRoot: ROOT, thresholds: { log: 1, sct: 1, timestamp: 1 } }

const APPROVAL: Approval = {
  signer: 0,
  verdict: {
    signer: { kind: 'certificate', identity: SIGNER.identity, issuer: SIGNER.issuer },
    form: 'attestation',
    predicateType: 'https://slsa.dev/provenance/v1',
    provenance: { builderId: 'https://builder.test', buildType: 'https://type.test' },
    sourceRepository: undefined,
    sourceRef: undefined,
    sourceDigest: undefined,
    signedAtSeconds: 1_700_000_000,
  },
}
const FORGED = JSON.stringify([{ ...APPROVAL, verdict: { ...APPROVAL.verdict, predicateType: 'forged' } }])

/** Lets everything pass, and counts. */
function createJudge(): SignatureVerifier & { asked: number } {
  return {
    asked: 0,
    async verify() {
      this.asked++
      return [APPROVAL]
    },
  }
}

/** One browser: what it keeps outlives its tabs. */
function createBrowser(records: Records = createVolatileMemory().records, clock = systemClock) {
  const judge = createJudge()
  const verdicts = async (): Promise<readonly string[]> => (await records.keys(never)).filter((name) => name.startsWith('verdict:'))
  return {
    judge,
    records,
    start: (rules = VERIFIER_RULES) => createVerdictMemory(judge, { records, clock, rules }),
    verdicts,
    /** Waits until so many verdicts are kept: nobody else waits for that. */
    keeps: (count: number) => vi.waitFor(async () => expect(await verdicts()).toHaveLength(count)),
  }
}

async function browserThatKnows() {
  const browser = createBrowser()
  await browser.start().verify(BUNDLE, SUBJECT, POLICY)
  await browser.keeps(1)
  const [name = ''] = await browser.verdicts()
  return { ...browser, name }
}

describe('a bundle that passed', () => {
  test('is not judged again, nor after a restart, and says the same', async () => {
    const { judge, start } = await browserThatKnows()
    expect(await start().verify(BUNDLE.slice(), SUBJECT, structuredClone(POLICY))).toEqual([APPROVAL])
    expect(judge.asked).toBe(1)
  })

  test.each<readonly [string, Partial<{ bundle: Uint8Array; subject: typeof SUBJECT; policy: Partial<SignaturePolicy>; denied: string }>]>([
    ['another subject', { subject: OTHER_SUBJECT }],
    ['a bundle of other bytes', { bundle: utf8('a bundlf') }],
    ['another identity', { policy: { anyOf: [{ ...SIGNER, identity: `${SIGNER.identity}.evil` }] } }],
    ['another issuer', { policy: { anyOf: [{ ...SIGNER, issuer: 'https://evil.test' }] } }],
    ['a condition more', { policy: { anyOf: [{ ...SIGNER, extensions: { sourceRepositoryURI: 'https://acme.test' } }] } }],
    ['a workflow instead of its name', { policy: { anyOf: [{ ...SIGNER, identity: { workflow: SIGNER.identity, refs: 'tags' } }] } }],
    ['a signer more', { policy: { anyOf: [SIGNER, { kind: 'key', publicKeyPem: 'a key' }] } }],
    ['two signers asked for', { policy: { minSigners: 2 } }],
    ['a higher threshold', { policy: { thresholds: { log: 2, sct: 1, timestamp: 1 } } }],
    ['another trusted root', { policy: { trustedRoot: { tlogs: ['another log'] } } }],
    ['the same root in a list', { policy: { trustedRoot: [ROOT] } }],
    ['no root', { policy: { trustedRoot: undefined } }],
    ['something withdrawn since', { denied: OTHER_SUBJECT }],
  ])('is judged again under %s', async (_what, { bundle = BUNDLE, subject = SUBJECT, policy = {}, denied }) => {
    const { judge, start, keeps } = await browserThatKnows()
    const verifier = start().under(denied === undefined ? [] : [OTHER_SUBJECT])
    await verifier.verify(bundle, subject, { ...POLICY, ...policy })
    expect(judge.asked).toBe(2)
    await keeps(2)
    await start().verify(BUNDLE, SUBJECT, POLICY)
    expect(judge.asked).toBe(2)
  })

  test('is judged again by every release of this package, since its rules may have changed', () => {
    const { version }: { version: string } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(VERIFIER_RULES).toBe(version)
  })

  test('is judged again under other rules', async () => {
    const { judge, start } = await browserThatKnows()
    await start('next').verify(BUNDLE, SUBJECT, POLICY)
    expect(judge.asked).toBe(2)
  })

  test('costs no second look at a large root', async () => {
    const { start } = createBrowser()
    let looks = 0
    const trustedRoot = {
      toJSON: () => {
        looks++
        return ROOT
      },
    }
    const verifier = start()
    for (const subject of [SUBJECT, OTHER_SUBJECT, SUBJECT]) await verifier.verify(BUNDLE, subject, { ...POLICY, trustedRoot })
    expect(looks).toBe(1)
  })
})

test('a bundle that was refused is judged each time', async () => {
  const { judge, start, verdicts } = createBrowser()
  const refusal = new DeliveryError({ code: 'signature-invalid', detail: 'no' })
  const tab = start()
  judge.verify = async function (this: { asked: number }) {
    this.asked++
    throw refusal
  }
  for (let i = 0; i < 2; i++) await expect(tab.verify(BUNDLE, SUBJECT, POLICY)).rejects.toBe(refusal)
  expect(judge.asked).toBe(2)
  expect(await verdicts()).toEqual([])
})

describe('a kept verdict counts for nothing when', () => {
  const flipped = (seal: ArrayBuffer, at: number): ArrayBuffer => {
    const bytes = new Uint8Array(seal.slice())
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return bytes.buffer
  }
  // An ArrayBuffer equals any other to a test.
  const readable = (kept: unknown): unknown =>
    Array.isArray(kept) ? kept.map((part) => (part instanceof ArrayBuffer ? Buffer.from(part).toString('hex') : part)) : kept
  const ownSeal = async (id: string, text: string): Promise<ArrayBuffer> => {
    const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    return await crypto.subtle.sign('HMAC', key, utf8(id + text))
  }

  test.each<readonly [string, (text: string, seal: ArrayBuffer, id: string) => unknown]>([
    ['its text was changed under its seal', (_text, seal) => [FORGED, seal]],
    ['it was sealed with a key of somebody else', async (_text, _seal, id) => [FORGED, await ownSeal(id, FORGED)]],
    ['it has no seal', () => [FORGED]],
    ['its seal is empty', () => [FORGED, new ArrayBuffer()]],
    ['the first bit of its seal flipped', (text, seal) => [text, flipped(seal, 0)]],
    ['the last bit of its seal flipped', (text, seal) => [text, flipped(seal, 31)]],
    ['it lost its last letter', (text, seal) => [text.slice(0, -1), seal]],
    ['it is nothing', () => undefined],
    ['it is text', () => FORGED],
    ['it is a number', () => 1],
    ['it is an object', () => ({ 0: FORGED, 1: new ArrayBuffer(32) })],
    ['it is a list of nothing', () => []],
    ['its parts are of other kinds', () => [{ length: 1 }, 'seal']],
  ])('%s', async (_what, change) => {
    const { judge, records, start, name, keeps } = await browserThatKnows()
    const [text, seal] = (await records.get(name, never)) as [string, ArrayBuffer]
    await records.put(name, await change(text, seal, name.slice(-64)), never)
    expect(await start().verify(BUNDLE, SUBJECT, POLICY)).toEqual([APPROVAL])
    expect(judge.asked).toBe(2)
    // And the good one takes its place.
    await keeps(1)
    await vi.waitFor(async () => expect(readable(await records.get(name, never))).toEqual(readable([text, seal])))
    await start().verify(BUNDLE, SUBJECT, POLICY)
    expect(judge.asked).toBe(2)
  })

  test('it is about another file, and was put under this name', async () => {
    const { judge, records, start, name, keeps, verdicts } = await browserThatKnows()
    await start().verify(BUNDLE, OTHER_SUBJECT, POLICY)
    await keeps(2)
    const other = (await verdicts()).find((one) => one !== name) ?? ''
    await records.put(name, await records.get(other, never), never)
    await start().verify(BUNDLE, SUBJECT, POLICY)
    expect(judge.asked).toBe(3)
  })

  test.each<readonly [string, () => unknown]>([
    ['gone', () => undefined],
    ['something else', () => ({ type: 'secret' })],
    ['a key for something else', () => crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt'])],
    ['another', () => crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])],
  ])('the key of its seal is %s', async (_what, makeKey) => {
    const { judge, records, start } = await browserThatKnows()
    await records.put('verdict-key', await makeKey(), never)
    expect(await start().verify(BUNDLE, SUBJECT, POLICY)).toEqual([APPROVAL])
    expect(judge.asked).toBe(2)
  })
})

test('the key of the seals cannot be read', async () => {
  const { records } = await browserThatKnows()
  const key = await records.get('verdict-key', never)
  await expect(crypto.subtle.exportKey('raw', key as CryptoKey)).rejects.toThrow('not extractable')
})

describe('a disk', () => {
  const full = async (): Promise<never> => {
    throw new DeliveryError({ code: 'quota-exceeded', neededBytes: 1 })
  }

  test.each<readonly [string, Partial<Records>]>([
    ['that is full', { put: full, putAll: full }],
    ['that cannot be read', { get: full, keys: full }],
    ['that does nothing', { get: full, keys: full, put: full, putAll: full, remove: full }],
  ])('%s keeps no bundle from being judged', async (_what, broken) => {
    const { judge, start } = createBrowser({ ...createVolatileMemory().records, ...broken })
    for (let i = 1; i <= 2; i++) {
      expect(await start().verify(BUNDLE, SUBJECT, POLICY)).toEqual([APPROVAL])
      expect(judge.asked).toBe(i)
    }
  })

  test('keeps the newest 256 verdicts and no more', async () => {
    const clock = { ...systemClock, nowMs: () => ++nowMs }
    let nowMs = 1_700_000_000_000
    const { judge, start, keeps, verdicts } = createBrowser(undefined, clock)
    const tab = start()
    const subjects = Array.from({ length: 260 }, (_, at) => sha256Of(utf8(String(at))))
    for (const subject of subjects) {
      await tab.verify(BUNDLE, subject, POLICY)
      await vi.waitFor(async () => expect((await verdicts()).some((name) => name.includes(String(nowMs)))).toBe(true), { interval: 1 })
    }
    await keeps(256)
    judge.asked = 0
    for (const subject of subjects.slice(4)) await tab.verify(BUNDLE, subject, POLICY)
    expect(judge.asked).toBe(0)
    for (const subject of subjects.slice(0, 4)) await tab.verify(BUNDLE, subject, POLICY)
    expect(judge.asked).toBe(4)
  })
})

test('two tabs that begin at once both get their verdict, and leave one that holds', async () => {
  const { judge, records, start, verdicts } = createBrowser()
  const [first, second] = [start(), start()]
  const both = await Promise.all([first.verify(BUNDLE, SUBJECT, POLICY), second.verify(BUNDLE, SUBJECT, POLICY)])
  expect(both).toEqual([[APPROVAL], [APPROVAL]])
  await vi.waitFor(async () => expect(await verdicts()).not.toEqual([]))
  // Each may have sealed with a key of its own: then one verdict is lost, not more, and nothing false is taken.
  await start().verify(BUNDLE, SUBJECT, POLICY)
  await vi.waitFor(async () => {
    const before = judge.asked
    await start().verify(BUNDLE, SUBJECT, POLICY)
    expect(judge.asked).toBe(before)
  })
  expect(await records.get('verdict-key', never)).toBeInstanceOf(CryptoKey)
})
