import { beforeAll, describe, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import type { Records } from '../../src/stores/index-values.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { auditOf, bytesOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, LATEST, never } from './machine.ts'
import { createPublisher, PIECE_BYTES, REPOSITORY_NAME, utf8, type Publisher, type Release } from './publisher.ts'

const DAY_SECONDS = 86_400
/** Where a machine keeps the catalogue of this repository, and what it says of the newest one. */
const KEPT = `catalogue:${REPOSITORY_NAME}`
const FLOOR = `catalogue-floor:${REPOSITORY_NAME}`
const BYTES = seededBytes(1, 2 * PIECE_BYTES + 5)

let publisher: Publisher
let release: Release
let good: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  good = await publisher.catalogue([release])
})

const mirrorOf = (id: string, catalogue: Uint8Array, releases: readonly Release[] = [release]) =>
  createMirror(id, { catalogue, blobs: releases.flatMap((one) => one.blobs) })
const digest = (sha256: Sha256) => ({ kind: 'digest', sha256 }) as const

test('a catalogue and an artifact of the pinned signer are delivered, and the audit says who signed them', async () => {
  const machine = createMachine(publisher)
  const delivered = await deliver(machine.start([mirrorOf('cdn-1', good)]))
  expect(await bytesOf(delivered.blob)).toEqual(BYTES)
  expect(delivered.record).toMatchObject({ outcome: { kind: 'delivered' }, catalogue: { source: 'cdn-1', freshness: 'fresh' } })
  expect(delivered.record.catalogue.verdict.signer).toEqual(publisher.trust.catalogueSigners[0])
  expect(delivered.record.verdicts).toHaveLength(2)
})

describe('a catalogue is refused and nothing of it kept when', () => {
  test.each<readonly [string, string, () => Promise<Uint8Array>]>([
    [
      'another workflow signed it',
      'identity-mismatch',
      () => publisher.catalogue([release], {}, { identity: 'https://evil.test/release.yml' }),
    ],
    [
      'another issuer vouches for the signer',
      'identity-mismatch',
      () => publisher.catalogue([release], {}, { issuer: 'https://issuer.evil.test' }),
    ],
    ['its signer attests something about it instead of signing it', 'bundle-invalid', () => withAttestation(good)],
    ['nobody signed it', 'signature-missing', () => publisher.catalogue([release], {}, 'unsigned')],
    ['its payload was changed after it was signed', 'subject-mismatch', async () => withOtherPayload(good)],
    ['its signature was changed', 'signature-invalid', async () => withOtherSignature(good)],
    ['it is not JSON', 'format-invalid', async () => utf8('<html>gateway login</html>')],
    ['it is cut', 'format-invalid', async () => good.slice(0, -10)],
    ['it is larger than any may be', 'format-oversized', async () => new Uint8Array(2 * 1024 * 1024 + 1)],
    ['it is of another repository', 'catalogue-repository', () => publisher.catalogue([release], { repository: 'other' })],
    [
      'it is from the future',
      'catalogue-future',
      () => publisher.catalogue([release], { version: publisher.nowSeconds + 2 * DAY_SECONDS }),
    ],
  ])('%s: %s', async (_why, code, make) => {
    const machine = createMachine(publisher)
    const engine = machine.start([mirrorOf('cdn-1', await make())])
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code })
    expect(machine.index.keptRecords().filter((key) => key !== 'client-seed' && !key.startsWith('verdict'))).toEqual([])
    expect(await engine.catalogueFile(never)).toBeUndefined()
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
  })

  test('it is below the version that the portal pins', async () => {
    const machine = createMachine(publisher)
    const trust = { ...publisher.trust, minimumVersion: publisher.nowSeconds + 1 }
    const failure = await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', good)], { trust })))
    expect(failure).toEqual({ code: 'catalogue-rollback', floor: publisher.nowSeconds + 1, offered: publisher.nowSeconds })
  })
})

/** A second catalogue of the same publisher, later by `seconds`. */
const later = (seconds: number, over: Partial<Catalogue> = {}, releases: readonly Release[] = [release]): Promise<Uint8Array> =>
  publisher.catalogue(releases, { version: publisher.nowSeconds + seconds, ...over })

describe('the newest catalogue ever accepted', () => {
  test('is the floor, also for an engine that starts after it: an older one is refused', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([mirrorOf('cdn-1', await later(60))]))
    await machine.index.records.remove(KEPT, never)
    const engine = machine.start([mirrorOf('cdn-1', good)])
    expect(await failureOfDelivery(deliver(engine))).toEqual({
      code: 'catalogue-rollback',
      floor: publisher.nowSeconds + 60,
      offered: publisher.nowSeconds,
    })
  })

  test('goes on being used while a source offers an older one', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([mirrorOf('cdn-1', await later(60))]))
    machine.clock.nowSeconds += 7200
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', good)]))
    expect(delivered.record.catalogue).toMatchObject({ version: publisher.nowSeconds + 60, source: 'kept', freshness: 'fresh' })
  })

  test('is not lowered by a tab that learned of an older one at the same time', async () => {
    const machine = createMachine(publisher)
    const slow = mirrorOf('cdn-2', good)
    const readSlowly = slow.readCatalogue.bind(slow)
    const newer = await later(60)
    // While this tab's answer is on its way, another tab accepts a newer catalogue.
    slow.readCatalogue = async (limitBytes, signal) => {
      await deliver(machine.start([mirrorOf('cdn-1', newer)]))
      return await readSlowly(limitBytes, signal)
    }
    const delivered = await deliver(machine.start([slow]))
    expect(delivered.record.catalogue.version).toBe(publisher.nowSeconds + 60)
    const third = await deliver(machine.start([]))
    expect(third.record.catalogue.version).toBe(publisher.nowSeconds + 60)
  })

  test('counts for a tab that accepted an older one before: what was withdrawn since is not delivered', async () => {
    const machine = createMachine(publisher)
    const old = machine.start([mirrorOf('cdn-1', good)])
    await deliver(old)
    machine.clock.nowSeconds += 7200
    const denied = await later(60, { denied: [release.entry.artifact.sha256] })
    await machine.start([mirrorOf('cdn-1', denied)]).list(never)
    expect(await failureOfDelivery(deliver(old, digest(release.entry.artifact.sha256)))).toMatchObject({ code: 'artifact-denied' })
  })

  test.each([
    ['no number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['below zero', -1],
    ['a fraction', 1.5],
    ['a time that never comes', Number.MAX_SAFE_INTEGER],
  ])('is not put out of force by a floor that is %s: the pinned minimum holds, and what reaches it is taken', async (_what, version) => {
    const machine = createMachine(publisher)
    await machine.index.records.put(FLOOR, { version, sha256: release.entry.artifact.sha256 }, never)
    const trust = { ...publisher.trust, minimumVersion: publisher.nowSeconds + 1 }
    expect(await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', good)], { trust })))).toMatchObject({
      code: 'catalogue-rollback',
      floor: publisher.nowSeconds + 1,
    })
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', await later(60))], { trust }))
    expect(delivered.record.catalogue.version).toBe(publisher.nowSeconds + 60)
    expect(await machine.index.records.get(FLOOR, never)).toMatchObject({ version: publisher.nowSeconds + 60 })
    await machine.index.records.remove(KEPT, never)
    expect(await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', good)])))).toMatchObject({ code: 'catalogue-rollback' })
  })

  test.each([0, 1, 2, 3])('is kept with its floor or not at all, when the browser dies after %i writes', async (writes) => {
    const machine = createMachine(publisher)
    const revive = dieAfter(machine.index.records, writes)
    await deliver(machine.start([mirrorOf('cdn-1', good)])).catch(() => undefined)
    revive()
    const keys = machine.index.keptRecords()
    expect(keys.includes(FLOOR)).toBe(keys.includes(KEPT))
    expect(keys.includes(`aliases:${REPOSITORY_NAME}`)).toBe(keys.includes(KEPT))
  })

  test('with other bytes under one version is equivocation, whoever serves them', async () => {
    const machine = createMachine(publisher)
    const twin = await publisher.catalogue([release], { graceSeconds: 1 })
    const failure = await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', good), mirrorOf('cdn-2', twin)])))
    expect(failure).toMatchObject({ code: 'catalogue-equivocation', version: publisher.nowSeconds })
  })

  test('with other bytes under the version of the floor is equivocation after a restart too', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([mirrorOf('cdn-1', good)]))
    await machine.index.records.remove(KEPT, never)
    const twin = await publisher.catalogue([release], { graceSeconds: 1 })
    expect(await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', twin)])))).toMatchObject({ code: 'catalogue-equivocation' })
  })

  test('may be signed twice: two signatures over the same bytes are one catalogue', async () => {
    const machine = createMachine(publisher)
    const again = await publisher.catalogue([release])
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', good), mirrorOf('cdn-2', again)]))
    expect(delivered.record.outcome.kind).toBe('delivered')
  })

  test('is found beside a mirror that froze, and beside one that lies', async () => {
    const machine = createMachine(publisher)
    const lie = await publisher.catalogue([release], { version: publisher.nowSeconds + 90 }, { identity: 'https://evil.test/release.yml' })
    const mirrors = [mirrorOf('cdn-1', good), mirrorOf('cdn-2', lie), mirrorOf('cdn-3', await later(60))]
    const delivered = await deliver(machine.start(mirrors))
    expect(delivered.record.catalogue).toMatchObject({ version: publisher.nowSeconds + 60, source: 'cdn-3' })
  })

  test('that was altered where it is kept counts for nothing', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([mirrorOf('cdn-1', good)]))
    await machine.index.records.put(KEPT, withOtherSignature(good), never)
    expect(await failureOfDelivery(deliver(machine.start([])))).toMatchObject({ code: 'catalogue-unavailable' })
    const delivered = await deliver(machine.start([mirrorOf('cdn-2', good)]))
    expect(delivered.record.catalogue.source).toBe('cdn-2')
  })
})

describe('a clock that was set back by 400 days', () => {
  test('refuses a catalogue that was never seen, and takes nothing from what is kept', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    await deliver(machine.start([mirrorOf('cdn-1', good)]))
    machine.clock.nowSeconds -= 400 * DAY_SECONDS
    for (const mirrors of [[], [mirrorOf('cdn-1', good)]]) {
      const delivered = await deliver(machine.start(mirrors), digest(sha256))
      expect(await bytesOf(delivered.blob)).toEqual(BYTES)
      expect(delivered.record.catalogue).toMatchObject({ version: publisher.nowSeconds, source: 'kept' })
    }
    const fresh = createMachine(publisher)
    fresh.clock.nowSeconds -= 400 * DAY_SECONDS
    expect(await failureOfDelivery(deliver(fresh.start([mirrorOf('cdn-1', good)])))).toMatchObject({ code: 'catalogue-future' })
  })

  test('is no way back to an older catalogue', async () => {
    const machine = createMachine(publisher)
    await deliver(machine.start([mirrorOf('cdn-1', await later(60))]))
    machine.clock.nowSeconds -= 400 * DAY_SECONDS
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', good)]))
    expect(delivered.record.catalogue.version).toBe(publisher.nowSeconds + 60)
  })
})

describe('a catalogue that is too old', () => {
  test('resolves no name, but a digest that the page pins, and the record says so', async () => {
    const machine = createMachine(publisher)
    machine.clock.nowSeconds += 15 * DAY_SECONDS
    const engine = machine.start([mirrorOf('cdn-1', good)])
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'catalogue-expired' })
    const delivered = await deliver(engine, digest(release.entry.artifact.sha256))
    expect(await bytesOf(delivered.blob)).toEqual(BYTES)
    expect(delivered.record.catalogue.freshness).toBe('pinned')
  })

  test('goes on for the grace that it signed, and is called stale', async () => {
    const machine = createMachine(publisher)
    const graceful = await publisher.catalogue([release], { graceSeconds: 2 * DAY_SECONDS })
    machine.clock.nowSeconds += 15 * DAY_SECONDS
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', graceful)]))
    expect(delivered.record.catalogue.freshness).toBe('stale')
    expect(delivered.events.find((event) => event.kind === 'resolved')).toMatchObject({ catalogue: { freshness: 'stale' } })
    machine.clock.nowSeconds += 2 * DAY_SECONDS
    expect(await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', graceful)])))).toMatchObject({ code: 'catalogue-expired' })
  })

  test('gets no more grace than the site allows', async () => {
    const machine = createMachine(publisher)
    const graceful = await publisher.catalogue([release], { graceSeconds: 30 * DAY_SECONDS })
    machine.clock.nowSeconds += 15 * DAY_SECONDS
    const engine = machine.start([mirrorOf('cdn-1', graceful)], { maxGraceSeconds: 60 })
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'catalogue-expired' })
  })
})

describe('an artifact that a new catalogue denies', () => {
  test('is gone from the store, and is not delivered any more', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    await deliver(machine.start([mirrorOf('cdn-1', good)]))
    expect(await isForgotten(machine, sha256)).toBe(false)
    const denying = machine.start([mirrorOf('cdn-1', await later(60, { denied: [sha256] }))])
    machine.clock.nowSeconds += 7200
    expect(await failureOfDelivery(deliver(denying, digest(sha256)))).toEqual({ code: 'artifact-denied', sha256 })
    // Nobody waits for the deletion.
    await machine.idle()
    expect(await isForgotten(machine, sha256)).toBe(true)
    expect(await failureOfDelivery(deliver(denying, LATEST))).toMatchObject({ code: 'artifact-denied' })
    // Off line, and after a restart.
    expect(await failureOfDelivery(deliver(machine.start([]), digest(sha256)))).toEqual({ code: 'artifact-denied', sha256 })
  })

  test('does not come back with an older catalogue', async () => {
    const machine = createMachine(publisher)
    const { sha256 } = release.entry.artifact
    await machine.start([mirrorOf('cdn-1', await later(60, { denied: [sha256] }))]).list(never)
    machine.clock.nowSeconds += 7200
    expect(await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', good)]), digest(sha256)))).toMatchObject({
      code: 'artifact-denied',
    })
    expect(await auditOf(machine.start([]))).toEqual([])
  })
})

/** The browser is killed: after so many writes none takes effect. @returns what ends that */
function dieAfter(records: Records, writes: number): () => void {
  const { put, putAll } = records
  let left = writes
  const requireAlive = (): void => {
    if (left-- <= 0) throw new DeliveryError({ code: 'store-failed', detail: 'the browser was killed' })
  }
  Object.assign(records, {
    put: async (...given: Parameters<Records['put']>) => {
      requireAlive()
      await put(...given)
    },
    putAll: async (...given: Parameters<Records['putAll']>) => {
      requireAlive()
      await putAll(...given)
    },
  })
  return () => void Object.assign(records, { put, putAll })
}

interface Envelope {
  payload: string
  signatures: { bundle: { messageSignature: { signature: string } } }[]
}

function edit(file: Uint8Array, change: (envelope: Envelope) => void): Uint8Array {
  const envelope: Envelope = JSON.parse(new TextDecoder().decode(file))
  change(envelope)
  return utf8(JSON.stringify(envelope))
}

function withOtherPayload(file: Uint8Array): Uint8Array {
  return edit(file, (envelope) => {
    envelope.payload = Buffer.from(Buffer.from(envelope.payload, 'base64').toString().replace('"denied":[]', '"denied": []')).toString(
      'base64',
    )
  })
}

async function withAttestation(file: Uint8Array): Promise<Uint8Array> {
  const envelope: Envelope = JSON.parse(new TextDecoder().decode(file))
  const bundle = await publisher.attest(Buffer.from(envelope.payload, 'base64'))
  return utf8(JSON.stringify({ ...envelope, signatures: [{ bundle }] }))
}

function withOtherSignature(file: Uint8Array): Uint8Array {
  return edit(file, (envelope) => {
    for (const { bundle } of envelope.signatures) {
      const bytes = Buffer.from(bundle.messageSignature.signature, 'base64')
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      bundle.messageSignature.signature = bytes.toString('base64')
    }
  })
}
