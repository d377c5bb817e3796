import { Verifier } from '@sigstore/verify'
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import type { ArtifactRequest } from '../../src/core/wire/delivery-event.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createOfflineSigstore, IDENTITY } from '../trust/offline-sigstore.ts'
import { bytesOf, createMachine, createMirror, deliver, failureOfDelivery, never, type Machine } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

const BYTES = seededBytes(7, 2 * PIECE_BYTES + 5)
const DAY_SECONDS = 86_400

/** What Sigstore's own verifier is asked, wherever from: each is one bundle checked in full, under one root. */
const checks = vi.fn()
const { verify } = Verifier.prototype
Verifier.prototype.verify = function (this: Verifier, ...given: Parameters<typeof verify>) {
  checks()
  return verify.apply(this, given)
}

let publisher: Publisher
let release: Release
let other: Release
let good: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  other = await publisher.release(seededBytes(8, PIECE_BYTES), { version: '1.0.0' })
  good = await publisher.catalogue([release, other])
})

const mirror = (catalogue: Uint8Array = good) => createMirror('cdn-1', { catalogue, blobs: [...release.blobs, ...other.blobs] })
const pinned = (): ArtifactRequest => ({ kind: 'digest', sha256: release.entry.artifact.sha256 })

/** A visit before: catalogue and artifact are kept, and so is what was found of their three bundles. */
async function visited(): Promise<Machine> {
  const machine = createMachine(publisher)
  await deliver(machine.start([mirror()]))
  await vi.waitFor(async () => expect(await verdictsOf(machine)).toHaveLength(3))
  checks.mockClear()
  return machine
}

async function verdictsOf(machine: Machine): Promise<readonly string[]> {
  return (await machine.index.records.keys(never)).filter((name) => name.startsWith('verdict:'))
}

beforeEach(() => checks.mockClear())

describe('a second visit', () => {
  test('checks no bundle again, and delivers the same with the same verdicts', async () => {
    const machine = createMachine(publisher)
    const first = await deliver(machine.start([mirror()]))
    expect(checks).toHaveBeenCalledTimes(3)
    await vi.waitFor(async () => expect(await verdictsOf(machine)).toHaveLength(3))
    const second = await deliver(machine.start([mirror()]))
    expect(checks).toHaveBeenCalledTimes(3)
    expect(await bytesOf(second.blob)).toEqual(BYTES)
    expect(second.record.verdicts).toEqual(first.record.verdicts)
    expect(second.record.catalogue.verdict).toEqual(first.record.catalogue.verdict)
  })

  test('without any network checks none either', async () => {
    const machine = await visited()
    expect(await bytesOf((await deliver(machine.start([]))).blob)).toEqual(BYTES)
    expect(checks).not.toHaveBeenCalled()
  })

  test.each<readonly [string, () => Promise<Partial<TrustConfig>>]>([
    ['a signer more', async () => ({ catalogueSigners: twoSigners(), artifactSigners: twoSigners() })],
    ['a root more', async () => ({ trustedRoot: [publisher.trust.trustedRoot, (await createOfflineSigstore()).trustedRoot] })],
    ['other thresholds', async () => ({ thresholds: { log: 1, sct: 0, timestamp: 1 } })],
  ])('under a policy with %s checks all of them again', async (_what, change) => {
    const machine = await visited()
    const trust = { ...publisher.trust, ...(await change()) }
    await deliver(machine.start([mirror()], { trust }))
    expect(checks).toHaveBeenCalledTimes(3)
  })

  test('delivers nothing for a signer who is not trusted any more', async () => {
    const machine = await visited()
    const stranger = [{ kind: 'certificate', identity: `${IDENTITY}.other`, issuer: 'https://issuer.test' }] as const
    const trust = { ...publisher.trust, artifactSigners: stranger }
    expect(await failureOfDelivery(deliver(machine.start([mirror()], { trust })))).toMatchObject({ code: 'identity-mismatch' })
  })

  test('delivers nothing under a root that knows neither log nor authority', async () => {
    const machine = await visited()
    const trust = { ...publisher.trust, trustedRoot: (await createOfflineSigstore()).trustedRoot }
    expect(await failureOfDelivery(deliver(machine.start([mirror()], { trust })))).toMatchObject({ code: 'signature-invalid' })
  })

  test('asks anew what provenance has to say, of what it remembers', async () => {
    const machine = await visited()
    const provenance = { ...publisher.trust.provenance, builderId: 'https://another-builder.test' }
    const trust = { ...publisher.trust, provenance }
    expect(await failureOfDelivery(deliver(machine.start([mirror()], { trust })))).toMatchObject({ code: 'provenance-refused' })
    expect(checks).not.toHaveBeenCalled()
  })

  test('takes no catalogue for fresh because its signature is remembered', async () => {
    const machine = await visited()
    machine.clock.nowSeconds += 30 * DAY_SECONDS
    expect(await failureOfDelivery(deliver(machine.start([mirror()])))).toMatchObject({ code: 'catalogue-expired' })
    expect(checks).not.toHaveBeenCalled()
  })

  test('checks again what was altered where it is kept', async () => {
    const machine = await visited()
    for (const name of await verdictsOf(machine)) await machine.index.records.put(name, ['[]', new ArrayBuffer(32)], never)
    expect(await bytesOf((await deliver(machine.start([mirror()]))).blob)).toEqual(BYTES)
    expect(checks).toHaveBeenCalledTimes(3)
  })
})

describe('a denial', () => {
  const later = (denied: readonly Release[]) =>
    publisher.catalogue([release, other], {
      version: publisher.nowSeconds + 60,
      denied: denied.map((one) => one.entry.artifact.sha256),
    })

  test('of a file is stronger than its remembered verdict, offline and after a restart too', async () => {
    const machine = await visited()
    const denying = await later([release])
    machine.clock.nowSeconds += 7200
    expect(await failureOfDelivery(deliver(machine.start([mirror(denying)]), pinned()))).toMatchObject({ code: 'artifact-denied' })
    await vi.waitFor(async () => expect((await verdictsOf(machine)).length).toBeGreaterThanOrEqual(4))
    expect(await failureOfDelivery(deliver(machine.start([]), pinned()))).toMatchObject({ code: 'artifact-denied' })
    // Of the new catalogue alone: here, and in the tab of the visit before, which hears of it at once.
    expect(checks.mock.calls.length).toBeLessThanOrEqual(2)
  })

  test('of one file has every other checked again, once', async () => {
    const machine = await visited()
    const denying = await later([other])
    machine.clock.nowSeconds += 7200
    await deliver(machine.start([mirror(denying)]), pinned())
    // Catalogue and two bundles; the tab of the visit before, which hears of it at once, may check the catalogue too.
    const { length } = checks.mock.calls
    expect([3, 4]).toContain(length)
    await vi.waitFor(async () => expect((await verdictsOf(machine)).length).toBeGreaterThanOrEqual(6))
    await deliver(machine.start([mirror(denying)]), pinned())
    expect(checks).toHaveBeenCalledTimes(length)
  })
})

test('a bundle is checked each time while it is refused', async () => {
  const bundles = [await publisher.sign(BYTES, { identity: `${IDENTITY}.evil` })]
  const made = await publisher.release(BYTES, { bundles })
  const catalogue = await publisher.catalogue([made])
  const machine = createMachine(publisher)
  const visit = () => failureOfDelivery(deliver(machine.start([createMirror('cdn-1', { catalogue, blobs: made.blobs })])))
  expect(await visit()).toMatchObject({ code: 'identity-mismatch' })
  await vi.waitFor(async () => expect(await verdictsOf(machine)).toHaveLength(1))
  checks.mockClear()
  expect(await visit()).toMatchObject({ code: 'identity-mismatch' })
  expect(checks).toHaveBeenCalledTimes(1)
})

function twoSigners(): TrustConfig['artifactSigners'] {
  return [...publisher.trust.artifactSigners, { kind: 'certificate', identity: 'https://deputy.test', issuer: 'https://issuer.test' }]
}
