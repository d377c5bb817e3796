import { beforeAll, describe, expect, test } from 'vitest'
import { type Failure } from '../../src/core/errors.ts'
import type { Catalogue } from '../../src/core/manifest/catalogue.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { ArtifactRequest, DeliveryEvent } from '../../src/core/wire/delivery-event.ts'
import type { Engine } from '../../src/engine/compose.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { newKey, publicPem } from '../trust/offline-sigstore.ts'
import {
  auditOf,
  bytesOf,
  createMachine,
  createMirror,
  deliver,
  failureOfDelivery,
  isForgotten,
  LATEST,
  never,
  type Machine,
} from './machine.ts'
import { createPublisher, PIECE_BYTES, refOf, REPOSITORY_NAME, type Publisher, type Release } from './publisher.ts'

const DAY = 86_400
const BYTES = seededBytes(1, 2 * PIECE_BYTES + 5)
const FLOOR = `catalogue-floor:${REPOSITORY_NAME}`

let publisher: Publisher
let release: Release
/** Signed at the publisher's time; `newer` is a minute later. */
let older: Uint8Array
let newer: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  older = await later(0)
  newer = await later(60)
})

const later = (seconds: number, over: Partial<Catalogue> = {}): Promise<Uint8Array> =>
  publisher.catalogue([release], { version: publisher.nowSeconds + seconds, ...over })
const mirrorOf = (id: string, catalogue: Uint8Array, tier: 'cdn' | 'mesh' = 'cdn') =>
  createMirror(id, { catalogue, tier, blobs: release.blobs })
const pinned = (): ArtifactRequest => ({ kind: 'digest', sha256: release.entry.artifact.sha256 })
const versionOf = (seconds: number): number => publisher.nowSeconds + seconds

/** What a page saw of a download that it got nothing of. */
async function refusalOf(
  engine: Engine,
  request: ArtifactRequest = LATEST,
): Promise<{ failure: Failure; events: readonly DeliveryEvent[] }> {
  const events: DeliveryEvent[] = []
  const failure = await failureOfDelivery(engine.deliver(request, (event) => void events.push(event), never))
  expect(events.filter(({ kind }) => kind === 'progress' || kind === 'resolved')).toEqual([])
  return { failure, events }
}

/** Which source is blamed for what. */
function troublesOf(events: readonly DeliveryEvent[]): readonly (readonly [string, Failure, boolean])[] {
  return events.flatMap((event) => (event.kind === 'trouble' ? [[event.source, event.failure, event.isBanned] as const] : []))
}

/** The browser clears one of the places, or both, while nothing of Sealift runs. */
async function evict(machine: Machine, ...places: readonly ('index' | 'files')[]): Promise<void> {
  if (places.includes('files')) machine.files.texts.clear()
  if (!places.includes('index')) return
  for (const key of await machine.index.records.keys(never)) await machine.index.records.remove(key, never)
  await machine.index.artifacts.remove(release.entry.artifact.sha256, never)
}

describe('tr03.rollback: an older catalogue', () => {
  test('is refused by its source’s name, gives no byte, and lowers nothing', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await machine.index.records.remove(`catalogue:${REPOSITORY_NAME}`, never)
    const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-2', older)]))
    const rollback = { code: 'catalogue-rollback', floor: versionOf(60), offered: versionOf(0) }
    expect(failure).toEqual(rollback)
    expect(troublesOf(events)).toEqual([['cdn-2', rollback, false]])
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
    expect(await machine.index.records.get(FLOOR, never)).toMatchObject({ version: versionOf(60) })
  })

  test('does no harm where an honest source is in reach, and the record names who served it', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await machine.index.records.remove(`catalogue:${REPOSITORY_NAME}`, never)
    const { blob, record } = await deliver(machine.start([mirrorOf('cdn-2', older), mirrorOf('cdn-1', newer)]))
    expect(sha256Of(await bytesOf(blob))).toBe(release.entry.artifact.sha256)
    expect(record.catalogue).toMatchObject({ version: versionOf(60), source: 'cdn-1' })
    expect(record.sources.find(({ source }) => source === 'cdn-2')?.failures).toEqual([
      { code: 'catalogue-rollback', floor: versionOf(60), offered: versionOf(0) },
    ])
  })
})

describe('tr04.rollback-after-evict: what a browser clears', () => {
  test.each([['index'], ['files']] as const)('brings no older catalogue back when it is only the %s', async (place) => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await evict(machine, place)
    // The kept catalogue outlives the loss of the files, and is what an outage goes on with.
    await machine.index.records.remove(`catalogue:${REPOSITORY_NAME}`, never)
    const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-2', older)]))
    expect(failure).toEqual({ code: 'catalogue-rollback', floor: versionOf(60), offered: versionOf(0) })
    expect(troublesOf(events).map(([source]) => source)).toEqual(['cdn-2'])
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
    const delivered = await deliver(machine.start([mirrorOf('cdn-2', older), mirrorOf('cdn-1', newer)]))
    expect(await bytesOf(delivered.blob)).toEqual(BYTES)
    expect(delivered.record.catalogue.version).toBe(versionOf(60))
  })

  test('is written again at the next start, so that clearing one place after the other lowers nothing either', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await evict(machine, 'files')
    await machine.start([]).list(never)
    await evict(machine, 'index')
    expect((await refusalOf(machine.start([mirrorOf('cdn-2', older)]))).failure).toMatchObject({ code: 'catalogue-rollback' })
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await evict(machine, 'files')
    expect((await deliver(machine.start([mirrorOf('cdn-2', older)]))).record.catalogue.version).toBe(versionOf(60))
  })

  test('leaves the minimum that the portal pins, when it is everything', async () => {
    const machine = createMachine(publisher)
    const trust = { ...publisher.trust, minimumVersion: versionOf(30) }
    await machine.start([mirrorOf('cdn-1', newer)], { trust }).list(never)
    await evict(machine, 'index', 'files')
    const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-2', older)], { trust }))
    expect(failure).toEqual({ code: 'catalogue-rollback', floor: versionOf(30), offered: versionOf(0) })
    expect(troublesOf(events).map(([source]) => source)).toEqual(['cdn-2'])
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
  })

  test('loses nothing when a peer has what was lost: the newest over all sources is used', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    await evict(machine, 'index', 'files')
    const { blob, record } = await deliver(machine.start([mirrorOf('cdn-2', older), mirrorOf('peer:1', newer, 'mesh')]))
    expect(await bytesOf(blob)).toEqual(BYTES)
    expect(record.catalogue).toMatchObject({ version: versionOf(60), source: 'peer:1' })
  })

  test.each<readonly [string, string]>([
    ['is cut', '{"version":17'],
    ['is no floor', '[]'],
    ['names no version', JSON.stringify({ version: 'high', sha256: sha256Of(BYTES) })],
    ['names a time that never comes', JSON.stringify({ version: Number.MAX_SAFE_INTEGER, sha256: sha256Of(BYTES) })],
  ])('cannot be forged into a floor that blocks, or into none: the second copy %s', async (_what, text) => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    for (const name of machine.files.texts.keys()) machine.files.texts.set(name, text)
    const delivered = await deliver(machine.start([mirrorOf('cdn-2', older)]))
    expect(delivered.record.catalogue.version).toBe(versionOf(60))
    await machine.index.records.remove(`catalogue:${REPOSITORY_NAME}`, never)
    expect((await refusalOf(machine.start([mirrorOf('cdn-2', older)]))).failure).toMatchObject({ floor: versionOf(60) })
  })
})

describe('tr05.equivocation: two catalogues under one version', () => {
  test('are one lie when one of them was accepted before: it is refused with both digests, and the known one holds', async () => {
    const machine = createMachine(publisher)
    const known = await deliver(machine.start([mirrorOf('cdn-1', newer)]))
    await machine.index.records.remove(`catalogue:${REPOSITORY_NAME}`, never)
    const twin = await later(60, { graceSeconds: 1 })
    const lie = {
      code: 'catalogue-equivocation',
      version: versionOf(60),
      known: known.record.catalogue.sha256,
      offered: payloadDigest(twin),
    }
    const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-2', twin)]))
    expect(failure).toEqual(lie)
    expect(troublesOf(events)).toEqual([['cdn-2', lie, false]])
    const { blob, record } = await deliver(machine.start([mirrorOf('cdn-2', twin), mirrorOf('cdn-1', newer)]))
    expect(await bytesOf(blob)).toEqual(BYTES)
    expect(record.catalogue.sha256).toBe(known.record.catalogue.sha256)
    expect(record.sources.find(({ source }) => source === 'cdn-2')?.failures).toEqual([lie])
  })

  test('are two lies to a stranger: nothing is taken of either, and nothing kept', async () => {
    const machine = createMachine(publisher)
    const twin = await later(60, { graceSeconds: 1 })
    const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-1', newer), mirrorOf('cdn-2', twin)]))
    expect(failure).toMatchObject({ code: 'catalogue-equivocation', version: versionOf(60) })
    const digests = failure.code === 'catalogue-equivocation' ? [failure.known, failure.offered] : []
    expect(digests.toSorted()).toEqual([payloadDigest(newer), payloadDigest(twin)].toSorted())
    expect(troublesOf(events)).toHaveLength(1)
    expect([await machine.index.records.get(FLOOR, never), machine.files.texts.size]).toEqual([undefined, 0])
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
  })

  test('do not stop a tab that holds one of them, even when all that was kept is cleared', async () => {
    const machine = createMachine(publisher)
    const mirror = mirrorOf('cdn-1', newer)
    const tab = machine.start([mirror])
    const before = await deliver(tab)
    await evict(machine, 'index', 'files')
    machine.clock.nowSeconds += 7200
    mirror.catalogue = await later(60, { graceSeconds: 1 })
    const { record, events } = await deliver(tab)
    expect(record.catalogue.sha256).toBe(before.record.catalogue.sha256)
    expect(troublesOf(events)).toMatchObject([['cdn-1', { code: 'catalogue-equivocation', known: before.record.catalogue.sha256 }, false]])
  })
})

describe('tr06.freeze: a source that stands still', () => {
  test('gives no name past the end of its catalogue, but a pinned digest, and says both times', async () => {
    const machine = createMachine(publisher)
    const source = mirrorOf('cdn-1', older)
    await deliver(machine.start([source]))
    await evict(machine, 'index')
    machine.clock.nowSeconds += 400 * DAY
    const times = { expiredAtSeconds: versionOf(14 * DAY), nowSeconds: machine.clock.nowSeconds }
    expect((await refusalOf(machine.start([source]))).failure).toEqual({ code: 'catalogue-expired', ...times })
    expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
    const { blob, record, events } = await deliver(machine.start([source]), pinned())
    expect(sha256Of(await bytesOf(blob))).toBe(release.entry.artifact.sha256)
    expect(events.find(({ kind }) => kind === 'resolved')).toMatchObject({
      catalogue: { freshness: 'pinned', expiresAtSeconds: times.expiredAtSeconds, nowSeconds: times.nowSeconds, isClockSuspect: false },
    })
    expect(record).toMatchObject({
      startedAtSeconds: times.nowSeconds,
      catalogue: { freshness: 'pinned', expiresAtSeconds: times.expiredAtSeconds },
    })
    expect((await auditOf(machine.start([]))).at(-1)).toEqual(record)
  })

  test('is bridged by the grace that the publisher signed, to the second, and called stale all the while', async () => {
    const machine = createMachine(publisher)
    const source = mirrorOf('cdn-1', await later(0, { graceSeconds: DAY }))
    machine.clock.nowSeconds = versionOf(14 * DAY) + 1
    for (const nowSeconds of [versionOf(14 * DAY) + 1, versionOf(15 * DAY)]) {
      machine.clock.nowSeconds = nowSeconds
      const { record, events } = await deliver(machine.start([source]))
      expect(record.catalogue.freshness).toBe('stale')
      expect(events.find(({ kind }) => kind === 'resolved')).toMatchObject({ catalogue: { freshness: 'stale', nowSeconds } })
    }
    machine.clock.nowSeconds++
    expect((await refusalOf(machine.start([source]))).failure).toMatchObject({ code: 'catalogue-expired' })
  })

  test('ends with the first source that goes on', async () => {
    const machine = createMachine(publisher)
    const source = mirrorOf('cdn-1', older)
    await deliver(machine.start([source]))
    machine.clock.nowSeconds = versionOf(20 * DAY)
    const next = await later(60, { expiresAtSeconds: versionOf(30 * DAY) })
    const { record } = await deliver(machine.start([source, mirrorOf('gateway-1', next)]))
    expect(record.catalogue).toMatchObject({ freshness: 'fresh', source: 'gateway-1' })
  })
})

describe('tr07.one-source-frozen: beside a source that goes on', () => {
  test('the newest is used on a first visit, and the one that lags is named and not banned', async () => {
    const machine = createMachine(publisher)
    const frozen = mirrorOf('cdn-1', older)
    const engine = machine.start([frozen, createMirror('cdn-2', { catalogue: newer })])
    const lags = { code: 'catalogue-rollback', floor: versionOf(60), offered: versionOf(0) }
    const { blob, record, events } = await deliver(engine)
    expect(await bytesOf(blob)).toEqual(BYTES)
    expect(record.catalogue).toMatchObject({ version: versionOf(60), source: 'cdn-2' })
    expect(troublesOf(events).filter(([source]) => source === 'cdn-1')).toEqual([['cdn-1', lags, false]])
    const tally = record.sources.find(({ source }) => source === 'cdn-1')
    expect(tally).toMatchObject({ failures: [lags], pieces: [{ start: 0, end: 3 }] })
  })

  test('it is named on later visits too, as often as it is asked', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-2', newer)]).list(never)
    machine.clock.nowSeconds += 7200
    const frozen = mirrorOf('cdn-1', older)
    const { record } = await deliver(machine.start([frozen]))
    expect(record.catalogue).toMatchObject({ version: versionOf(60), source: 'kept' })
    expect(record.sources.find(({ source }) => source === 'cdn-1')?.failures).toMatchObject([{ code: 'catalogue-rollback' }])
    expect(frozen.catalogueReads).toBe(1)
  })
})

describe('tr08.fast-forward: a version that is no time', () => {
  const HOUR = 3600

  test.each([2 ** 53 - 1, 2 ** 40])('is refused (%i), whatever the clock says, and what follows is accepted', async (version) => {
    for (const nowSeconds of [publisher.nowSeconds, version - 10]) {
      const machine = createMachine(publisher)
      machine.clock.nowSeconds = nowSeconds
      const { failure, events } = await refusalOf(machine.start([mirrorOf('cdn-1', await publisher.catalogue([release], { version }))]))
      expect(failure).toMatchObject({ code: 'catalogue-future', version })
      expect(troublesOf(events)).toEqual([['cdn-1', failure, false]])
      expect([await machine.index.records.get(FLOOR, never), machine.files.texts.size]).toEqual([undefined, 0])
      expect(await isForgotten(machine, release.entry.artifact.sha256)).toBe(true)
      machine.clock.nowSeconds = publisher.nowSeconds + 120
      const delivered = await deliver(machine.start([mirrorOf('cdn-1', newer)]))
      expect(await bytesOf(delivered.blob)).toEqual(BYTES)
    }
  })

  test('may be an hour ahead of the witnesses of its signature, and no second more', async () => {
    const machine = createMachine(publisher)
    machine.clock.nowSeconds = publisher.nowSeconds + 2 * HOUR
    const { record } = await deliver(machine.start([mirrorOf('cdn-1', older)]))
    const witnessed = record.catalogue.verdict.signedAtSeconds ?? 0
    const ahead = (seconds: number) => publisher.catalogue([release], { version: witnessed + HOUR + seconds })
    machine.clock.nowSeconds += 2 * HOUR
    const refused = await deliver(machine.start([mirrorOf('cdn-1', await ahead(1))]))
    expect(refused.record.catalogue.version).toBe(versionOf(0))
    expect(troublesOf(refused.events)).toEqual([
      ['cdn-1', { code: 'catalogue-future', version: witnessed + HOUR + 1, nowSeconds: witnessed }, false],
    ])
    const taken = await deliver(machine.start([mirrorOf('cdn-1', await ahead(0))]))
    expect(taken.record.catalogue.version).toBe(witnessed + HOUR)
  })

  test('without a witness may be a day ahead of the clock, and no second more', async () => {
    const key = newKey()
    const machine = createMachine(publisher)
    const trust = { ...publisher.trust, catalogueSigners: [{ kind: 'key', publicKeyPem: publicPem(key) } as const] }
    const ahead = (seconds: number) =>
      publisher.catalogue([release], { version: machine.clock.nowSeconds + DAY + seconds }, { key, witness: 'none' })
    expect((await refusalOf(machine.start([mirrorOf('cdn-1', await ahead(1))], { trust }))).failure).toMatchObject({
      code: 'catalogue-future',
      nowSeconds: machine.clock.nowSeconds,
    })
    expect((await deliver(machine.start([mirrorOf('cdn-1', await ahead(0))], { trust }))).record.outcome.kind).toBe('delivered')
  })
})

describe('tr09.mix: parts of two catalogues', () => {
  const [before, after] = [seededBytes(5, 3 * PIECE_BYTES), seededBytes(6, 3 * PIECE_BYTES)]
  const listOf = (bytes: Uint8Array): Uint8Array => makeArtifact(bytes, PIECE_BYTES).pieces.hashes
  const listed = async (bytes: Uint8Array, version: string): Promise<Release> => {
    const list = listOf(bytes)
    const made = await publisher.release(bytes, {
      version,
      editManifest: (manifest) => ({ ...manifest, pieces: { kind: 'listed', lengthBytes: PIECE_BYTES, count: 3, list: refOf(list) } }),
    })
    return { ...made, blobs: [...made.blobs, list] }
  }
  /** Serves everything of both, but for the newer piece list the older one, which is as long. */
  const mixing = (id: string, releases: readonly Release[], catalogue: Uint8Array) => {
    const mirror = createMirror(id, { catalogue, blobs: releases.flatMap((one) => one.blobs) })
    const read = mirror.read.bind(mirror)
    mirror.read = (blob, ...rest) => read(blob.sha256 === sha256Of(listOf(after)) ? refOf(listOf(before)) : blob, ...rest)
    return mirror
  }

  test('the piece list of the catalogue before is refused, its source named and asked no more, and the right one found', async () => {
    const releases = [await listed(before, '1.0.0'), await listed(after, '2.0.0')]
    const catalogue = await publisher.catalogue(releases)
    const machine = createMachine(publisher)
    const lie = { code: 'blob-mismatch', expected: sha256Of(listOf(after)), actual: sha256Of(listOf(before)) }
    const alone = mixing('cdn-1', releases, catalogue)
    const { failure } = await refusalOf(machine.start([alone]))
    expect(failure).toMatchObject({ code: 'blob-unavailable', sha256: sha256Of(listOf(after)), reasons: [{ ...lie, source: 'cdn-1' }] })
    expect(await isForgotten(machine, sha256Of(after))).toBe(true)
    expect(await machine.index.documents.get(sha256Of(listOf(after)), never)).toBeUndefined()
    const honest = createMirror('cdn-2', { catalogue, latencyMs: 50, blobs: releases.flatMap((one) => one.blobs) })
    const { blob, record } = await deliver(machine.start([mixing('cdn-1', releases, catalogue), honest]))
    expect(sha256Of(await bytesOf(blob))).toBe(sha256Of(after))
    expect(record.sources.find(({ source }) => source === 'cdn-1')).toMatchObject({ failures: [lie], pieces: [] })
  })

  test('the manifest of the version before, under an entry of the newer one, is refused', async () => {
    const [one, two] = [await publisher.release(before, { version: '1.0.0' }), await publisher.release(after, { version: '2.0.0' })]
    const mixed: Release = { ...two, entry: { ...two.entry, manifest: one.entry.manifest } }
    const machine = createMachine(publisher)
    const mirror = createMirror('cdn-1', { catalogue: await publisher.catalogue([mixed]), blobs: [...one.blobs, ...two.blobs] })
    expect((await refusalOf(machine.start([mirror]))).failure).toMatchObject({ code: 'manifest-mismatch' })
    expect([await isForgotten(machine, sha256Of(before)), await isForgotten(machine, sha256Of(after))]).toEqual([true, true])
  })
})

describe('tr21.skew: a clock that is wrong by 400 days', () => {
  test('ahead: names are refused with both times, on a first visit and with what is kept; a pinned digest is delivered', async () => {
    for (const isKnown of [true, false]) {
      const machine = createMachine(publisher)
      if (isKnown) await machine.start([mirrorOf('cdn-1', newer)]).list(never)
      machine.clock.nowSeconds += 400 * DAY
      const expired = { code: 'catalogue-expired', expiredAtSeconds: versionOf(14 * DAY), nowSeconds: machine.clock.nowSeconds }
      expect((await refusalOf(machine.start([mirrorOf('cdn-1', newer)]))).failure).toEqual(expired)
      const { blob, record } = await deliver(machine.start([mirrorOf('cdn-1', newer)]), pinned())
      expect(await bytesOf(blob)).toEqual(BYTES)
      expect(record.catalogue.freshness).toBe('pinned')
      machine.clock.nowSeconds -= 400 * DAY
      expect((await deliver(machine.start([mirrorOf('cdn-1', newer)]))).record.catalogue.freshness).toBe('fresh')
    }
  })

  test('behind: what is kept goes on and is never called fresh, and the page hears that the clock is wrong', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    machine.clock.nowSeconds -= 400 * DAY
    for (const mirrors of [[mirrorOf('cdn-1', newer)], [mirrorOf('cdn-1', older)], [mirrorOf('cdn-1', await later(120))]]) {
      const { blob, record, events } = await deliver(machine.start(mirrors))
      expect(await bytesOf(blob)).toEqual(BYTES)
      expect(record.catalogue).toMatchObject({ version: versionOf(60), freshness: 'stale', source: 'kept' })
      expect(events.find(({ kind }) => kind === 'resolved')).toMatchObject({
        catalogue: { isClockSuspect: true, nowSeconds: machine.clock.nowSeconds, version: versionOf(60) },
      })
    }
    expect((await machine.start([]).list(never)).catalogue).toMatchObject({ freshness: 'stale', isClockSuspect: true })
  })

  test('behind, with an expired catalogue at hand: it stays expired however far the clock goes back', async () => {
    const machine = createMachine(publisher)
    const born = await later(0, { refreshAfterSeconds: versionOf(-20), expiresAtSeconds: versionOf(-10), createdAtSeconds: versionOf(-30) })
    machine.clock.nowSeconds -= 400 * DAY
    const source = mirrorOf('cdn-1', born)
    machine.clock.nowSeconds += 400 * DAY
    expect((await refusalOf(machine.start([source]))).failure).toMatchObject({ code: 'catalogue-expired' })
    for (const days of [1, 400, 4000]) {
      machine.clock.nowSeconds = publisher.nowSeconds - days * DAY
      expect((await refusalOf(machine.start([source]))).failure).toMatchObject({ code: 'catalogue-expired' })
      expect((await deliver(machine.start([source]), pinned())).record.catalogue.freshness).toBe('pinned')
    }
  })

  test('behind, on a first visit: names are refused, a pinned digest is delivered, and nothing of the catalogue is accepted', async () => {
    const machine = createMachine(publisher)
    machine.clock.nowSeconds -= 400 * DAY
    const source = mirrorOf('cdn-1', newer)
    const { failure, events } = await refusalOf(machine.start([source]))
    expect(failure).toEqual({ code: 'catalogue-future', version: versionOf(60), nowSeconds: machine.clock.nowSeconds })
    expect(troublesOf(events)).toEqual([['cdn-1', failure, false]])
    const delivered = await deliver(machine.start([source]), pinned())
    expect(sha256Of(await bytesOf(delivered.blob))).toBe(release.entry.artifact.sha256)
    expect(delivered.record.catalogue).toMatchObject({ version: versionOf(60), freshness: 'pinned', source: 'cdn-1' })
    expect(delivered.events.find(({ kind }) => kind === 'resolved')).toMatchObject({
      catalogue: { freshness: 'pinned', isClockSuspect: true, nowSeconds: machine.clock.nowSeconds },
    })
    const kept = (await machine.index.records.keys(never)).filter(
      (key) => key !== 'client-seed' && key !== 'source-history' && !key.startsWith('verdict'),
    )
    expect([kept, machine.files.texts.size, await machine.start([]).catalogueFile(never)]).toEqual([[], 0, undefined])
    expect((await refusalOf(machine.start([source]))).failure).toMatchObject({ code: 'catalogue-future' })
  })

  test('behind: a digest that only a newer catalogue lists is found there, and one that it denies is not delivered', async () => {
    const machine = createMachine(publisher)
    await machine.start([mirrorOf('cdn-1', newer)]).list(never)
    machine.clock.nowSeconds -= 400 * DAY
    const update = await publisher.release(seededBytes(9, PIECE_BYTES), { version: '9.0.0' })
    const next = await publisher.catalogue([update], { version: versionOf(120), denied: [release.entry.artifact.sha256] })
    const source = createMirror('cdn-1', { catalogue: next, blobs: [...release.blobs, ...update.blobs] })
    const { blob, record } = await deliver(machine.start([source]), { kind: 'digest', sha256: update.entry.artifact.sha256 })
    expect(await bytesOf(blob)).toEqual(update.bytes)
    expect(record.catalogue).toMatchObject({ version: versionOf(120), freshness: 'pinned' })
    expect((await refusalOf(machine.start([source]), pinned())).failure).toMatchObject({ code: 'artifact-denied' })
    expect((await machine.start([source]).list(never)).catalogue.version).toBe(versionOf(60))
  })
})

function payloadDigest(file: Uint8Array): Sha256 {
  const envelope: { readonly payload: string } = JSON.parse(new TextDecoder().decode(file))
  return sha256Of(new Uint8Array(Buffer.from(envelope.payload, 'base64')))
}
