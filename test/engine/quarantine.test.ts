import { beforeAll, describe, expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import { toPieceIndex, type Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { Engine } from '../../src/engine/compose.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { auditOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, LATEST, never, type Machine } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release, type ReleaseOptions } from './publisher.ts'

const PIECES = 8
const BYTES = seededBytes(1, (PIECES - 1) * PIECE_BYTES + 5)
const SHA256 = sha256Of(BYTES)
const { lengthBytes, count, hashes } = makeArtifact(BYTES, PIECE_BYTES).pieces
const DENIED = { code: 'artifact-denied', sha256: SHA256 }

let publisher: Publisher
let release: Release
let good: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  good = await publisher.catalogue([release])
})

const mirrorOf = (catalogue: Uint8Array, over: Partial<Parameters<typeof createMirror>[1]> = {}) =>
  createMirror('cdn-1', { catalogue, blobs: release.blobs, ...over })
const later = (over: Partial<Catalogue>, releases: readonly Release[] = [release]): Promise<Uint8Array> =>
  publisher.catalogue(releases, { version: publisher.nowSeconds + 60, ...over })

/** Nobody gets a byte of it: not who asks by its digest, and no peer. */
async function expectQuarantine(machine: Machine, engine: Engine, digests: readonly Sha256[]): Promise<void> {
  expect(await machine.stores.lookups.findVerified(SHA256, never)).toBeUndefined()
  expect(await engine.seedable(never)).toEqual([])
  for (const sha256 of digests) {
    const read = await engine.readSeed(sha256, toPieceIndex(0), never).catch((error: unknown) => error)
    expect(read instanceof Uint8Array).toBe(false)
  }
}

describe('of an artifact that was refused', () => {
  const listed = {
    editManifest: (manifest) => ({
      ...manifest,
      pieces: { kind: 'listed', lengthBytes, count, list: { sha256: sha256Of(hashes), sizeBytes: hashes.length } },
    }),
  } satisfies ReleaseOptions

  test.each<readonly [string, string, ReleaseOptions]>([
    ['for its signature', 'provenance-refused', listed],
    ['for its manifest', 'manifest-mismatch', { editManifest: (manifest) => ({ ...manifest, version: '9.9.9' }) }],
  ])('%s neither a piece nor a document is kept', async (_why, code, options) => {
    const bundles =
      code === 'provenance-refused' ? [await publisher.sign(BYTES)] : [await publisher.sign(BYTES), await publisher.attest(BYTES)]
    const made = await publisher.release(BYTES, { ...options, bundles })
    const machine = createMachine(publisher)
    const blobs = [...made.blobs, hashes]
    const engine = machine.start([createMirror('cdn-1', { catalogue: await publisher.catalogue([made]), blobs })])
    expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code })
    expect(machine.index.keptDocuments()).toBe(0)
    expect(await machine.index.artifacts.list(never)).toEqual([])
    expect(await isForgotten(machine, SHA256)).toBe(true)
    await expectQuarantine(machine, engine, blobs.map(sha256Of))
  })

  test('nothing is served or seeded when all of it has come and the browser dies before it could be deleted', async () => {
    const made = await publisher.release(BYTES, { bundles: [await publisher.sign(BYTES)] })
    const bundle = made.blobs.at(-1) ?? new Uint8Array()
    const machine = createMachine(publisher)
    const mirror = createMirror('cdn-1', { catalogue: await publisher.catalogue([made]), blobs: made.blobs })
    const read = mirror.read.bind(mirror)
    mirror.read = async function* (blob, range, signal) {
      if (blob.sha256 === sha256Of(bundle)) await vi.waitFor(() => expect(machine.index.keptPieces(SHA256)).toBe(PIECES), 10_000)
      yield* read(blob, range, signal)
    }
    const dead = () => Promise.reject(new DeliveryError({ code: 'store-failed', detail: 'the browser was killed' }))
    const { artifacts, documents, audit } = machine.index
    const [removeArtifact, removeDocument, append] = [artifacts.remove, documents.remove, audit.append]
    Object.assign(artifacts, { remove: dead })
    Object.assign(documents, { remove: dead })
    Object.assign(audit, { append: dead })
    expect(await failureOfDelivery(deliver(machine.start([mirror])))).toMatchObject({ code: 'provenance-refused' })
    Object.assign(artifacts, { remove: removeArtifact })
    Object.assign(documents, { remove: removeDocument })
    Object.assign(audit, { append })
    expect([machine.index.keptPieces(SHA256), machine.index.keptDocuments()]).toEqual([PIECES, 2])
    const again = machine.start([mirror])
    await expectQuarantine(machine, again, made.blobs.map(sha256Of))
    expect(await failureOfDelivery(deliver(again))).toMatchObject({ code: 'provenance-refused' })
    expect([machine.index.keptPieces(SHA256), machine.index.keptDocuments()]).toEqual([0, 0])
  })
})

describe('a denied digest', () => {
  /** A machine that keeps the release, verified. */
  async function keeping(): Promise<{ readonly machine: Machine; readonly engine: Engine }> {
    const machine = createMachine(publisher)
    const engine = machine.start([mirrorOf(good)])
    await deliver(engine)
    expect(await isForgotten(machine, SHA256)).toBe(false)
    machine.clock.nowSeconds += 7200
    return { machine, engine }
  }
  const gone = (machine: Machine) => vi.waitFor(async () => expect(await isForgotten(machine, SHA256)).toBe(true))
  const manifest = () => release.entry.manifest.sha256

  test('of a manifest deletes the copy of its artifact, also when the catalogue lists neither any more', async () => {
    for (const releases of [[release], []]) {
      const { machine, engine } = await keeping()
      const denying = machine.start([mirrorOf(await later({ denied: [manifest()] }, releases))])
      await denying.list(never)
      await gone(machine)
      await expectQuarantine(machine, engine, release.blobs.map(sha256Of))
      expect(await failureOfDelivery(deliver(denying, { kind: 'digest', sha256: SHA256 }))).toMatchObject({
        code: releases.length === 0 ? 'artifact-unknown' : 'artifact-denied',
      })
    }
  })

  test('of a manifest leaves the same bytes alone where another manifest lists them', async () => {
    const { machine } = await keeping()
    const again = await publisher.release(BYTES, { version: '1.2.4' })
    const engine = machine.start([mirrorOf(await later({ denied: [manifest()] }, [release, again]), { blobs: again.blobs.slice(1) })])
    await engine.list(never)
    await vi.waitFor(async () => expect(await machine.index.documents.get(manifest(), never)).toBeUndefined())
    // No source has the bytes any more.
    expect((await deliver(engine)).artifact.version).toBe('1.2.4')
    expect(await isForgotten(machine, SHA256)).toBe(false)
    expect(await engine.readSeed(manifest(), toPieceIndex(0), never)).toBeUndefined()
  })

  test.each([
    ['of the artifact', () => SHA256],
    ['of its manifest', manifest],
  ])('%s ends a download that runs in another tab at once, and nothing of it is left', async (_of, denied) => {
    const machine = createMachine(publisher)
    const slow = machine.start([mirrorOf(good, { bytesPerSecond: 256 * 1024 })])
    let started: () => void = () => undefined
    const underWay = new Promise<void>((resolve) => (started = resolve))
    const running = failureOfDelivery(
      slow.deliver(LATEST, (event) => event.kind === 'progress' && event.verifiedBytes > 0 && started(), never),
    )
    await underWay
    machine.clock.nowSeconds += 7200
    await machine.start([mirrorOf(await later({ denied: [denied()] }))]).list(never)
    expect(await running).toEqual(DENIED)
    expect(await isForgotten(machine, SHA256)).toBe(true)
    expect((await auditOf(slow)).map(({ outcome }) => outcome)).toEqual([{ kind: 'refused', failure: DENIED }])
  })

  test('that another tab learns of while this one has chosen, and not yet begun, counts', async () => {
    const machine = createMachine(publisher)
    const rollingOut = { ...release, entry: { ...release.entry, version: '9.9.9', rollout: 0 } }
    const engine = machine.start([mirrorOf(await publisher.catalogue([release, rollingOut]))])
    const denying = machine.start([mirrorOf(await later({ denied: [SHA256] }))])
    const { get } = machine.index.records
    // Read between the catalogue and the download: whose turn is it in a roll-out?
    machine.index.records.get = async (key, signal) => {
      if (key !== 'client-seed') return await get(key, signal)
      machine.index.records.get = get
      machine.clock.nowSeconds += 7200
      await denying.list(never)
      await vi.waitFor(async () => expect((await engine.list(never)).artifacts).toMatchObject([{ isDenied: true }]))
      return await get(key, signal)
    }
    expect(await failureOfDelivery(deliver(engine))).toEqual(DENIED)
    expect(await isForgotten(machine, SHA256)).toBe(true)
  })

  test('of a manifest deletes at the next start what could not be deleted, though nothing lists it any more', async () => {
    const { machine } = await keeping()
    const { remove } = machine.index.artifacts
    const tried = new Promise<void>((resolve) => {
      machine.index.artifacts.remove = async () => {
        resolve()
        return await Promise.reject(new DeliveryError({ code: 'store-failed', detail: 'the disk is busy' }))
      }
    })
    await machine.start([mirrorOf(await later({ denied: [manifest()] }, []))]).list(never)
    await tried
    // Whatever that purge does after its failure, the next one would have to wait for.
    await machine.withLock(`sealift-artifact:${SHA256}`, async () => undefined, never)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await isForgotten(machine, SHA256)).toBe(false)
    Object.assign(machine.index.artifacts, { remove })
    await machine.start([]).seedable(never)
    await gone(machine)
  })

  test('deletes at the next start, with every source dead, what a browser that died had not deleted', async () => {
    const { machine } = await keeping()
    const { remove } = machine.index.artifacts
    machine.index.artifacts.remove = () => Promise.reject(new DeliveryError({ code: 'store-failed', detail: 'the browser was killed' }))
    const dying = machine.start([mirrorOf(await later({ denied: [SHA256] }))])
    await dying.list(never)
    await vi.waitFor(async () => expect(await dying.seedable(never)).toEqual([]))
    expect(await isForgotten(machine, SHA256)).toBe(false)
    Object.assign(machine.index.artifacts, { remove })
    const engine = machine.start([])
    // All that a page does when it opens.
    expect(await engine.seedable(never)).toEqual([])
    await gone(machine)
    expect(await failureOfDelivery(deliver(engine, { kind: 'digest', sha256: SHA256 }))).toEqual(DENIED)
  })

  test('does not wait for a tab that hangs on another one', async () => {
    const { machine } = await keeping()
    const other = await publisher.release(seededBytes(2, 100), { version: '2.0.0' })
    const both = [release, other]
    const version = publisher.nowSeconds + 30
    const engine = machine.start([mirrorOf(await publisher.catalogue(both, { version }), { blobs: both.flatMap(({ blobs }) => blobs) })])
    await deliver(engine)
    machine.clock.nowSeconds += 7200
    let letGo: () => void = () => undefined
    const hangs = new Promise<void>((resolve) => (letGo = resolve))
    const held = machine.withLock(`sealift-artifact:${SHA256}`, () => hangs, never)
    await machine.start([mirrorOf(await later({ denied: [SHA256, other.entry.artifact.sha256] }, both))]).list(never)
    await vi.waitFor(async () => expect(await isForgotten(machine, other.entry.artifact.sha256)).toBe(true))
    expect(await isForgotten(machine, SHA256)).toBe(false)
    letGo()
    await held
    await gone(machine)
  })
})
