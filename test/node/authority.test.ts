import { X509Certificate } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import type { Clock } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { requirePolicy } from '../../src/core/verify/identity-policy.ts'
import { openAuthority, type Authority } from '../../src/node/authority/authority.ts'
import { provenanceStatement } from '../../src/node/signing/statement.ts'
import { buildOfWorkflow } from '../../src/node/authority/workflow.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { createSigstoreVerifier } from '../../src/trust/sigstore-verifier.ts'
import { CLAIMS, OTHER_CLAIMS, RUN } from './claims.ts'
import { temporaryFolder } from './temporary-folder.ts'

// A starved machine takes seconds to load the authority; no outcome here depends on time.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const BYTES = Buffer.from('an agent')
const SUBJECT = sha256Of(BYTES)
const verifier = createSigstoreVerifier()
const never = new AbortController().signal

const policyOf = (authority: Authority, claims = CLAIMS) =>
  requirePolicy([{ kind: 'certificate', ...claims }], { trustedRoot: authority.trustedRoot })
const start = (dir: string, clock: Clock = systemClock) => openAuthority(dir, { clock })
const clockAhead = (seconds: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + seconds * 1000 })

test('a signature passes every threshold: log, certificate log and timestamp', async () => {
  const authority = await start(await temporaryFolder())
  const [approval] = await verifier.verify(await authority.signBlob(BYTES, CLAIMS, never), SUBJECT, policyOf(authority))
  expect(approval?.verdict).toMatchObject({
    signer: { kind: 'certificate', ...CLAIMS },
    form: 'message',
    sourceRepository: 'https://github.com/acme/agent',
    sourceRef: 'refs/tags/v1.2.3',
  })
  expect(Math.abs((approval?.verdict.signedAtSeconds ?? 0) - Date.now() / 1000)).toBeLessThan(60)
})

test('an attestation names the build and the digest it is about', async () => {
  const authority = await start(await temporaryFolder())
  const build = buildOfWorkflow(CLAIMS.identity, { ...RUN, finishedAtSeconds: 1_800_000_000 })
  if (build === undefined) throw new Error('expected a workflow')
  const bundle = await authority.attest(provenanceStatement({ name: 'agent', sha256: SUBJECT }, build), CLAIMS, never)
  const [approval] = await verifier.verify(bundle, SUBJECT, policyOf(authority))
  expect(approval?.verdict).toMatchObject({ form: 'attestation', predicateType: 'https://slsa.dev/provenance/v1' })
  await expect(verifier.verify(bundle, sha256Of(Buffer.from('another')), policyOf(authority))).rejects.toMatchObject({
    code: 'subject-mismatch',
  })
})

describe('between starts', () => {
  test('a bundle of the first start passes under the root of the second, and the other way about', async () => {
    const dir = await temporaryFolder()
    const first = await start(dir)
    const early = await first.signBlob(BYTES, CLAIMS, never)
    const second = await start(dir)
    const late = await second.signBlob(BYTES, CLAIMS, never)
    for (const authority of [first, second]) {
      for (const bundle of [early, late]) await verifier.verify(bundle, SUBJECT, policyOf(authority))
    }
    expect(second.trustedRoot).toEqual(first.trustedRoot)
  })

  test('timestamps name the certificate in the trusted root, not one made at this start', async () => {
    const dir = await temporaryFolder()
    await start(dir)
    const authority = await start(dir)
    const bundle: unknown = JSON.parse(Buffer.from(await authority.signBlob(BYTES, CLAIMS, never)).toString())
    const token = Buffer.from(
      String(at(bundle, 'verificationMaterial', 'timestampVerificationData', 'rfc3161Timestamps', '0', 'signedTimestamp')),
      'base64',
    )
    const leaf = Buffer.from(
      String(at(authority.trustedRoot, 'timestampAuthorities', '0', 'certChain', 'certificates', '0', 'rawBytes')),
      'base64',
    )
    expect(new X509Certificate(leaf).issuer).toContain('sigstore.mock')
    expect(token.includes(Buffer.from(sha256Of(leaf), 'hex'))).toBe(true)
  })

  test('near the end of its certificates a new generation signs, and bundles of the old one still pass', async () => {
    const dir = await temporaryFolder()
    const first = await start(dir)
    const early = await first.signBlob(BYTES, CLAIMS, never)
    const renewed = await start(dir, clockAhead(340 * 86_400))
    await verifier.verify(early, SUBJECT, policyOf(renewed))
    const late = await renewed.signBlob(BYTES, CLAIMS, never)
    await verifier.verify(late, SUBJECT, policyOf(renewed))
    await expect(verifier.verify(late, SUBJECT, policyOf(first))).rejects.toMatchObject({ code: 'signature-invalid' })
  })

  test('two that start at once in one folder agree on its keys', async () => {
    const dir = await temporaryFolder()
    const [one, other] = await Promise.all([start(dir), start(dir)])
    expect(one.trustedRoot).toEqual(other.trustedRoot)
  })

  test('keys are for this user alone', async () => {
    const dir = await temporaryFolder()
    await start(dir)
    expect((await stat(join(dir, 'authority.json'))).mode & 0o777).toBe(0o600)
    const root: unknown = JSON.parse(await readFile(join(dir, 'trusted_root.json'), 'utf8'))
    expect(JSON.stringify(root)).not.toContain('PRIVATE')
  })

  test('a folder that holds something else is refused, not overwritten', async () => {
    const dir = await temporaryFolder()
    await writeFile(join(dir, 'authority.json'), '{"schema":2}')
    await expect(start(dir)).rejects.toMatchObject({ code: 'input-invalid' })
    expect(await readFile(join(dir, 'authority.json'), 'utf8')).toBe('{"schema":2}')
  })

  test('a file of keys that is damaged is refused without a word of the keys', async () => {
    const dir = await temporaryFolder()
    await writeFile(join(dir, 'authority.json'), '{"keys":s3cret}')
    const refusal: unknown = await start(dir).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'input-invalid' })
    expect(inspect(refusal)).not.toContain('s3cret')
  })
})

test('signatures asked for while others are made all pass, though the clock moves on meanwhile', async () => {
  let second = 0
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + ++second * 1000 }
  const authority = await start(await temporaryFolder(), clock)
  const asked: Promise<Uint8Array>[] = []
  for (let i = 0; i < 20; i++) {
    asked.push(authority.signBlob(BYTES, CLAIMS, never))
    // A few steps of the one before, so that this one begins at another of them each time.
    for (let step = 0; step < 5; step++) await Promise.resolve()
  }
  for (const bundle of await Promise.all(asked)) await verifier.verify(bundle, SUBJECT, policyOf(authority))
})

test('a signature passes whatever the fraction of the second is', async () => {
  const clock: Clock = { ...systemClock, nowMs: () => Math.ceil(systemClock.nowMs() / 1000) * 1000 + 120 }
  const authority = await start(await temporaryFolder(), clock)
  await verifier.verify(await authority.signBlob(BYTES, CLAIMS, never), SUBJECT, policyOf(authority))
})

test('a signature of one identity is no signature of another', async () => {
  const authority = await start(await temporaryFolder())
  const bundle = await authority.signBlob(BYTES, OTHER_CLAIMS, never)
  await expect(verifier.verify(bundle, SUBJECT, policyOf(authority))).rejects.toMatchObject({ code: 'identity-mismatch' })
})

test('a signature of one authority means nothing to another', async () => {
  const [one, other] = [await start(await temporaryFolder()), await start(await temporaryFolder())]
  const bundle = await one.signBlob(BYTES, CLAIMS, never)
  await expect(verifier.verify(bundle, SUBJECT, policyOf(other))).rejects.toMatchObject({ code: 'signature-invalid' })
})

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (found instanceof Object ? Reflect.get(found, name) : undefined), value)
}
