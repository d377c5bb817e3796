import fc from 'fast-check'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import { encodeCatalogueEnvelope, parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import type { TrustConfig } from '../../src/core/manifest/site-config.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import type { Clock } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import type { SigningKey } from '../../src/node/signing/signing-key.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock, type VirtualClock } from '../fakes/virtual-clock.ts'
import { newSigningKey, signerOf, trustIn, updateFile, updatesBy } from '../trust/trust-updates.ts'
import { bytesOf, createMachine, createMirror, deliver, failureOfDelivery, isForgotten, never, type Machine } from './machine.ts'
import { createPublisher, PIECE_BYTES, REPOSITORY_NAME, type Publisher, type Release } from './publisher.ts'

const BYTES = seededBytes(1, 2 * PIECE_BYTES + 5)
const OTHER = seededBytes(2, PIECE_BYTES)
const [old, fresh, alice, bob] = [newSigningKey(), newSigningKey(), newSigningKey(), newSigningKey()]
const PINNED = trustIn(old, updatesBy([alice, bob], 2))
const ROTATED = trustIn(fresh, PINNED.updates)

let publisher: Publisher
/** Signed by the old key, and by the new. */
let before: Release
let after: Release
/** Signed by both. */
let shared: Release

const signedBy = async (key: SigningKey, bytes: Uint8Array) =>
  JSON.parse(Buffer.from(await key.signContent(contentOfBytes(bytes), never)).toString())

/** A site's catalogue under a key. Each is newer than the one before it by `age`. */
async function catalogueBy(key: SigningKey, releases: readonly Release[], over: Partial<Catalogue> = {}): Promise<Uint8Array> {
  const unsigned = parseCatalogueEnvelope(await publisher.catalogue(releases, over, 'unsigned'))
  return encodeCatalogueEnvelope({ payload: unsigned.payload, bundles: [await key.signContent(contentOfBytes(unsigned.payload), never)] })
}

const machineOf = (trust: TrustConfig = PINNED, timers?: Clock): Machine =>
  createMachine({ nowSeconds: publisher.nowSeconds, trust }, timers)
const release = async (bytes: Uint8Array, version: string, keys: readonly SigningKey[]): Promise<Release> =>
  await publisher.release(bytes, { version, bundles: await Promise.all(keys.map((key) => signedBy(key, bytes))) })
const mirrorOf = (id: string, catalogue: Uint8Array, updates: readonly Uint8Array[] = [], releases = [before, after, shared]) => {
  const mirror = createMirror(id, { catalogue, blobs: releases.flatMap(({ blobs }) => blobs) })
  updates.forEach((file, at) => mirror.updates.set(at + 1, file))
  return mirror
}
const newer = (hours = 2) => ({
  version: publisher.nowSeconds + hours * 3600,
  refreshAfterSeconds: publisher.nowSeconds + hours * 3600 + 3600,
})
const pinned = ({ entry }: Release) => ({ kind: 'digest', sha256: entry.artifact.sha256 }) as const
/** Time enough for the catalogue that is kept to be asked for again. */
const later = (machine: Machine, hours = 2): void => void (machine.clock.nowSeconds += hours * 3600)
const trustOf = (machine: Machine): number => machine.index.keptRecords().filter((key) => /^trust:acme:\d+$/.test(key)).length

beforeAll(async () => {
  publisher = await createPublisher()
  before = await release(BYTES, '1.0.0', [old])
  after = await release(OTHER, '2.0.0', [fresh])
  shared = await release(seededBytes(3, 100), '1.5.0', [old, fresh])
})

test('tr19.revocation: after an update the old key signs neither catalogue nor artifact any more, and nothing it signed stays', async () => {
  const machine = machineOf()
  const byOld = await catalogueBy(old, [before])
  await deliver(machine.start([mirrorOf('cdn-1', byOld)]))
  const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
  later(machine)

  const engine = machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before], newer()), [update])])
  expect(await failureOfDelivery(deliver(engine))).toMatchObject({ code: 'signature-invalid' })
  expect(await failureOfDelivery(deliver(engine, pinned(before)))).toMatchObject({ code: 'signature-invalid' })
  // Kept and once verified: not even a new catalogue that lists it makes it good.
  const listing = machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [before], newer()))])
  expect(await failureOfDelivery(deliver(listing))).toMatchObject({ code: 'signature-invalid' })
  expect(await isForgotten(machine, before.entry.artifact.sha256)).toBe(true)
  later(machine)
  const renewed = machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after], newer(4)))])
  expect(await bytesOf((await deliver(renewed)).blob)).toEqual(OTHER)
})

test('an update that comes together with the first catalogue of the new key lets that very catalogue in', async () => {
  const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
  const delivered = await deliver(machineOf().start([mirrorOf('cdn-1', await catalogueBy(fresh, [after]), [update])]))
  expect(await bytesOf(delivered.blob)).toEqual(OTHER)
  expect(delivered.record.policySha256).not.toBe(sha256Of(new TextEncoder().encode(JSON.stringify(PINNED))))
})

/** Answers about trust once it is let. */
function holdUpdates<T extends ReturnType<typeof mirrorOf>>(mirror: T): T & { letTell(): void } {
  const read = mirror.readTrustUpdate.bind(mirror)
  let letTell = (): void => undefined
  const told = new Promise<void>((resolve) => {
    letTell = resolve
  })
  mirror.readTrustUpdate = async (version, signal) => {
    await told
    return await read(version, signal)
  }
  return Object.assign(mirror, { letTell })
}

/** Its catalogue is read, and what it says of trust is waited for. */
const isAsked = (mirror: ReturnType<typeof mirrorOf>) => vi.waitFor(() => expect(mirror.catalogueReads).toBe(1))

/** Longer than a catalogue waits for what its source says of trust. */
const TOO_LONG_MS = 500

test.each<readonly [string, (timers: VirtualClock) => Promise<void>]>([
  ['a moment after', async (timers) => await timers.advance(150)],
  [
    'long after',
    async (timers) => {
      await timers.advance(TOO_LONG_MS)
      // Beside the beat of the hunt for catalogues: the patience with a source whose catalogue was refused.
      await vi.waitFor(() => expect(timers.sleeping).toBe(2))
    },
  ],
])('an update that comes %s the first catalogue of the new key lets that very catalogue in', async (_when, wait) => {
  const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
  const mirror = holdUpdates(mirrorOf('cdn-1', await catalogueBy(fresh, [after]), [update]))
  const timers = createVirtualClock()
  const delivering = deliver(machineOf(PINNED, timers).start([mirror]))
  await isAsked(mirror)
  await wait(timers)
  mirror.letTell()
  expect(await bytesOf((await delivering).blob)).toEqual(OTHER)
})

test('an update of one source speaks against the catalogue of another, whichever is faster', async () => {
  const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
  const fast = mirrorOf('cdn-1', await catalogueBy(old, [before], newer()))
  const slow = holdUpdates(mirrorOf('cdn-2', await catalogueBy(fresh, [after]), [update]))
  const machine = machineOf(PINNED, createVirtualClock())
  const delivering = deliver(machine.start([fast, slow]))
  await vi.waitFor(() => expect(machine.index.keptRecords().filter((key) => key.startsWith('verdict:'))).toHaveLength(1))
  slow.letTell()
  expect(await bytesOf((await delivering).blob)).toEqual(OTHER)
})

test('a source that never answers about trust holds up nothing that another catalogue would not', async () => {
  const silent = mirrorOf('cdn-1', await catalogueBy(old, [before]))
  silent.readTrustUpdate = async (_version, signal) =>
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  const timers = createVirtualClock()
  const delivering = deliver(machineOf(PINNED, timers).start([silent]))
  await isAsked(silent)
  await timers.advance(TOO_LONG_MS)
  expect(await bytesOf((await delivering).blob)).toEqual(BYTES)
})

test('nobody is asked for updates where nobody may change trust', async () => {
  const mirror = mirrorOf('cdn-1', await catalogueBy(old, [before]))
  await deliver(machineOf({ ...PINNED, updates: undefined }).start([mirror]))
  expect(mirror.askedUpdates).toEqual([])
})

describe('an update is as if it were not there when', () => {
  test.each<readonly [string, () => Promise<readonly Uint8Array[]>]>([
    ['it is signed by too few', async () => [await updateFile({ version: 1, trust: ROTATED }, [alice])]],
    ['one signer signed it twice', async () => [await updateFile({ version: 1, trust: ROTATED }, [alice, alice])]],
    ['it leaves one out', async () => [await updateFile({ version: 2, trust: ROTATED }, [alice, bob])]],
    ['it is of another site', async () => [await updateFile({ version: 1, trust: ROTATED, repository: 'other' }, [alice, bob])]],
    ['it is a catalogue', async () => [await catalogueBy(old, [before])]],
    ['it is longer than any may be', async () => [new Uint8Array(LIMITS.trustUpdateBytes + 1)]],
  ])('%s', async (_why, updates) => {
    const machine = machineOf()
    const delivered = await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before]), await updates())]))
    expect(await bytesOf(delivered.blob)).toEqual(BYTES)
    expect(trustOf(machine)).toBe(0)
  })
})

test('an update that was planted where updates are kept counts for nothing, and the true one takes its place', async () => {
  const machine = machineOf()
  const eve = newSigningKey()
  const planted = await updateFile({ version: 1, trust: trustIn(eve, updatesBy([eve])) }, [eve])
  await machine.index.records.put(`trust:${REPOSITORY_NAME}:1`, planted, never)
  const forged = mirrorOf('cdn-1', await catalogueBy(eve, [before]), [planted])
  expect(await failureOfDelivery(deliver(machine.start([forged])))).toMatchObject({ code: 'signature-invalid' })
  const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
  await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after]), [update])]))
  expect(await machine.index.records.get(`trust:${REPOSITORY_NAME}:1`, never)).toEqual(update)
})

test('of many updates 32 are taken at once, and the rest at the next look', async () => {
  const trust = trustIn(old, updatesBy([alice]))
  const machine = machineOf(trust)
  const updates: Uint8Array[] = []
  for (let version = 1; version <= 33; version++) {
    const { catalogueSigners, artifactSigners } = version === 33 ? ROTATED : trust
    updates.push(await updateFile({ version, trust: { ...trust, catalogueSigners, artifactSigners } }, [alice]))
  }
  const byOld = await catalogueBy(old, [before])
  await deliver(machine.start([mirrorOf('cdn-1', byOld, updates), mirrorOf('cdn-2', byOld, updates)]))
  expect(trustOf(machine)).toBe(32)
  later(machine)
  await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after], newer()), updates)]))
  expect(trustOf(machine)).toBe(33)
})

describe('offline, after a restart,', () => {
  test('what an update denied is refused and gone from the disk, though the kept catalogue still lists it', async () => {
    const machine = machineOf()
    const catalogue = await catalogueBy(old, [before])
    await deliver(machine.start([mirrorOf('cdn-1', catalogue)]))
    const { sha256 } = before.entry.artifact
    const update = await updateFile({ version: 1, trust: PINNED, denied: [sha256] }, [alice, bob])
    later(machine)
    const told = machine.start([mirrorOf('cdn-1', catalogue, [update])])
    expect((await told.list(never)).artifacts).toMatchObject([{ isDenied: true }])
    await expect.poll(() => isForgotten(machine, sha256), { timeout: 1000 }).toBe(true)
    expect(await failureOfDelivery(deliver(machine.start([]), pinned(before)))).toEqual({ code: 'artifact-denied', sha256 })
  })

  test('the rotation holds: what the old key signed is not used, what the new one signed is', async () => {
    const machine = machineOf()
    const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
    await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after]), [update])]))
    expect(await bytesOf((await deliver(machine.start([]))).blob)).toEqual(OTHER)
    const mirror = mirrorOf('cdn-1', await catalogueBy(old, [before], newer()))
    later(machine)
    expect(await bytesOf((await deliver(machine.start([mirror]))).blob)).toEqual(OTHER)
  })

  test.each([
    ['though no catalogue counts that is kept', () => ROTATED],
    ['while a kept one does', () => PINNED],
  ])('a purge that was cut short is made up for, %s', async (_when, trust) => {
    const machine = machineOf()
    const { sha256 } = before.entry.artifact
    await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before]))]))
    const update = await updateFile({ version: 1, trust: trust(), denied: [sha256] }, [alice, bob])
    await machine.index.records.put(`trust:${REPOSITORY_NAME}:1`, update, never)
    await machine.start([]).seedable(never)
    await expect.poll(() => isForgotten(machine, sha256), { timeout: 1000 }).toBe(true)
  })
})

test('a download that waits for its last byte ends at once when another tab hears that it is denied', async () => {
  const machine = machineOf()
  const { sha256 } = before.entry.artifact
  const catalogue = await catalogueBy(old, [before])
  const silent = mirrorOf('cdn-1', catalogue)
  const read = silent.read.bind(silent)
  silent.read = async function* (blob, range, signal) {
    if (blob.sha256 === sha256)
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    yield* read(blob, range, signal)
  }
  const ending = failureOfDelivery(deliver(machine.start([silent])))
  await expect.poll(() => machine.index.keptRecords().includes(`catalogue:${REPOSITORY_NAME}`)).toBe(true)
  const update = await updateFile({ version: 1, trust: PINNED, denied: [sha256] }, [alice, bob])
  later(machine)
  await machine.start([mirrorOf('cdn-1', catalogue, [update])]).list(never)
  expect(await ending).toEqual({ code: 'artifact-denied', sha256 })
})

test('another tab that applied an update while this one fetched makes it judge again', async () => {
  const machine = machineOf()
  const { sha256 } = before.entry.artifact
  const slow = mirrorOf('cdn-1', await catalogueBy(old, [before]))
  const read = slow.read.bind(slow)
  const update = await updateFile({ version: 1, trust: PINNED, denied: [sha256] }, [alice, bob])
  slow.read = async function* (blob, range, signal) {
    await machine.index.records.put(`trust:${REPOSITORY_NAME}:1`, update, never)
    yield* read(blob, range, signal)
  }
  expect(await failureOfDelivery(deliver(machine.start([slow])))).toEqual({ code: 'artifact-denied', sha256 })
  expect(await isForgotten(machine, sha256)).toBe(true)
})

test('an artifact whose signer another tab put out after it was judged, and before its last piece, is judged again', async () => {
  const machine = machineOf()
  const { sha256 } = before.entry.artifact
  const slow = mirrorOf('cdn-1', await catalogueBy(old, [before]))
  const update = await updateFile({ version: 1, trust: { ...PINNED, artifactSigners: ROTATED.artifactSigners } }, [alice, bob])
  const read = slow.read.bind(slow)
  let resolve = (): void => undefined
  const signed = new Promise<void>((done) => (resolve = done))
  slow.read = async function* (blob, range, signal) {
    if (blob.sha256 === sha256) {
      await signed
      await machine.index.records.put(`trust:${REPOSITORY_NAME}:1`, update, never)
    }
    yield* read(blob, range, signal)
  }
  const delivery = machine.start([slow]).deliver(pinned(before), (event) => void (event.kind === 'signed' && resolve()), never)
  expect(await failureOfDelivery(delivery)).toMatchObject({ code: 'signature-invalid' })
  expect(await isForgotten(machine, sha256)).toBe(true)
})

describe('peers are given', () => {
  test('accepted updates as served, and none that was not accepted', async () => {
    const machine = machineOf()
    const update = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
    const engine = machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after]), [update])])
    await engine.list(never)
    expect(await engine.trustFile(1, never)).toEqual(update)
    expect(await engine.trustFile(2, never)).toBeUndefined()
  })

  test('nothing that only a signer signed who was put out since', async () => {
    const machine = machineOf()
    const releases = [before, shared]
    const engine = machine.start([mirrorOf('cdn-1', await catalogueBy(old, releases))])
    await deliver(engine, pinned(before))
    await deliver(engine, pinned(shared))
    const digests = async (): Promise<readonly string[]> =>
      (await engine.seedable(never)).filter(({ role }) => role === 'artifact').map(({ sha256 }) => sha256)
    expect((await digests()).toSorted()).toEqual(releases.map(({ entry }) => entry.artifact.sha256).toSorted())
    const update = await updateFile({ version: 1, trust: { ...PINNED, artifactSigners: ROTATED.artifactSigners } }, [alice, bob])
    await machine.index.records.put(`trust:${REPOSITORY_NAME}:1`, update, never)
    expect(await digests()).toEqual([shared.entry.artifact.sha256])
    expect(await engine.readSeed(before.entry.artifact.sha256, toPieceIndex(0), never)).toBeUndefined()
    expect(await engine.readSeed(shared.entry.artifact.sha256, toPieceIndex(0), never)).toBeDefined()
  })
})

describe('a portal that pins a later section', () => {
  test('has the last word over updates that came before, and what they denied stays denied', async () => {
    const machine = machineOf()
    const eve = newSigningKey()
    const stolen = { version: 1, trust: trustIn(eve, updatesBy([eve])), denied: [after.entry.artifact.sha256] }
    const update = await updateFile(stolen, [alice, bob, eve])
    const byEve = [await release(BYTES, '1.0.0', [eve])]
    await deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(eve, byEve), [update], byEve)]))
    later(machine)
    const repaired = { ...ROTATED, version: 2 }
    const evil = mirrorOf('cdn-1', await catalogueBy(eve, [before], newer()))
    expect(await failureOfDelivery(deliver(machine.start([evil], { trust: repaired })))).toMatchObject({ code: 'signature-invalid' })
    const good = mirrorOf('cdn-1', await catalogueBy(fresh, [after, shared], newer()))
    const engine = machine.start([good], { trust: repaired })
    expect(await failureOfDelivery(deliver(engine, pinned(after)))).toMatchObject({ code: 'artifact-denied' })
    await deliver(engine, pinned(shared))
    expect(good.askedUpdates).toEqual([3])
  })
})

describe('a reset of the floor', () => {
  /** Somebody with the old key published a version from half a day ahead. */
  const raised = { version: 0, refreshAfterSeconds: 0 }
  const raise = () => ({ ...raised, version: publisher.nowSeconds + 12 * 3600 })

  test('lets in what is below a floor that somebody raised, once', async () => {
    const machine = machineOf()
    await machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before], raise()))]).list(never)
    const next = await catalogueBy(fresh, [after])
    const rotation = await updateFile({ version: 1, trust: ROTATED }, [alice, bob])
    const refusal = machine.start([mirrorOf('cdn-1', next, [rotation])])
    expect(await failureOfDelivery(deliver(refusal))).toMatchObject({ code: 'catalogue-rollback' })

    const reset = await updateFile({ version: 2, trust: ROTATED, resetFloor: publisher.nowSeconds }, [alice, bob])
    const updates = [rotation, reset]
    expect(await bytesOf((await deliver(machine.start([mirrorOf('cdn-1', next, updates)]))).blob)).toEqual(OTHER)
    later(machine)
    await machine.start([mirrorOf('cdn-1', await catalogueBy(fresh, [after, shared], newer()), updates)]).list(never)
    // From here on the floor rises as ever, restarts and the same updates again included.
    later(machine, 4)
    const { catalogue } = await machine.start([mirrorOf('cdn-1', next, updates)]).list(never)
    expect(catalogue.version).toBe(newer().version)
  })

  test('holds where the second copy of the floor could not be written, and the portal has pinned that update since', async () => {
    const machine = machineOf()
    await machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before], raise()))]).list(never)
    const raisedCopy = [...machine.files.texts]
    const next = await catalogueBy(fresh, [after])
    const reset = await updateFile({ version: 1, trust: ROTATED, resetFloor: publisher.nowSeconds }, [alice, bob])
    await machine.start([mirrorOf('cdn-1', next, [reset])]).list(never)

    const visited = machineOf({ ...ROTATED, version: 1 })
    for (const key of await machine.index.records.keys(never))
      await visited.index.records.put(key, await machine.index.records.get(key, never), never)
    for (const [name, text] of raisedCopy) visited.files.texts.set(name, text)
    const { catalogue } = await visited.start([mirrorOf('cdn-1', next)]).list(never)
    expect(catalogue.version).toBe(publisher.nowSeconds)
  })

  test('puts out the raised catalogue that is kept, though its signer still counts', async () => {
    const machine = machineOf()
    const high = await catalogueBy(old, [before], raise())
    await machine.start([mirrorOf('cdn-1', high)]).list(never)
    const { payload } = parseCatalogueEnvelope(high)
    const reset = await updateFile({ version: 1, trust: PINNED, resetFloor: publisher.nowSeconds, denied: [sha256Of(payload)] }, [
      alice,
      bob,
    ])
    const next = mirrorOf('cdn-1', await catalogueBy(old, [before, shared]), [reset])
    const { catalogue } = await machine.start([next, mirrorOf('frozen', high)]).list(never)
    expect(catalogue.version).toBe(publisher.nowSeconds)
  })

  test('is itself a floor: what is older is refused', async () => {
    const machine = machineOf()
    const reset = await updateFile({ version: 1, trust: PINNED, resetFloor: publisher.nowSeconds + 1 }, [alice, bob])
    const failure = await failureOfDelivery(deliver(machine.start([mirrorOf('cdn-1', await catalogueBy(old, [before]), [reset])])))
    expect(failure).toEqual({ code: 'catalogue-rollback', floor: publisher.nowSeconds + 1, offered: publisher.nowSeconds })
  })
})

test('i21: whatever comes in whatever order, trust never goes back, and what was denied is never delivered', async () => {
  const keys = [old, fresh, newSigningKey(), newSigningKey()]
  const releases = await Promise.all([1, 2, 3].map((seed) => release(seededBytes(seed, 100), `${seed}.0.0`, keys)))
  const digests = releases.map(({ entry }) => entry.artifact.sha256)
  const updates = await Promise.all(
    [1, 2, 3].map(async (version) => {
      const trust = trustIn(keys[version] ?? old, updatesBy([alice]))
      return await updateFile({ version, trust, denied: digests.slice(version - 1, version) }, [alice])
    }),
  )
  const catalogues = await Promise.all(keys.map(async (key, at) => await catalogueBy(key, releases, newer(at + 1))))
  const blobs = releases.flatMap((one) => one.blobs)
  const source = fc.record({ catalogue: fc.nat(3), updates: fc.subarray([1, 2, 3]) })
  const steps = fc.array(
    fc.record({ sources: fc.array(source, { minLength: 1, maxLength: 2 }), wanted: fc.nat(2), isRestart: fc.boolean() }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (sequence) => {
      const machine = machineOf(trustIn(old, updatesBy([alice])))
      let engine = machine.start([])
      let version = 0
      later(machine, 5)
      for (const { sources, wanted, isRestart } of sequence) {
        later(machine)
        const mirrors = sources.map((one, at) => {
          const mirror = createMirror(`cdn-${at}`, { catalogue: catalogues[one.catalogue], blobs })
          for (const n of one.updates) mirror.updates.set(n, updates[n - 1] ?? new Uint8Array())
          return mirror
        })
        engine = isRestart ? machine.start([]) : machine.start(mirrors)
        const delivered = await deliver(engine, { kind: 'digest', sha256: digests[wanted] ?? digestOfNothing }).catch(() => undefined)
        expect(trustOf(machine)).toBeGreaterThanOrEqual(version)
        version = trustOf(machine)
        if (delivered === undefined) continue
        expect(digests.slice(0, version)).not.toContain(delivered.artifact.sha256)
        expect(delivered.record.catalogue.verdict.signer).toEqual(signerOf(keys[version] ?? old))
      }
    }),
    { numRuns: 12 },
  )
})

const digestOfNothing = sha256Of(new Uint8Array())
