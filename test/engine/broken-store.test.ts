import { beforeAll, expect, test, vi } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createEngine, type Engine } from '../../src/engine/compose.ts'
import { createScriptHasher } from '../../src/engine/script-hasher.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import type { CatalogueSource } from '../../src/core/ports.ts'
import { composeStoreView, type StoreView } from '../../src/stores/store-view.ts'
import { Disk, EMPTY_DISK } from '../failpoints/disk.ts'
import { createFailingFiles } from '../failpoints/failing-files.ts'
import { createFailingIndex } from '../failpoints/failing-index.ts'
import { createFailpoints } from '../failpoints/failpoint.ts'
import { createMemoryIndex } from '../fakes/memory-index.ts'
import { createProcessLocks } from '../fakes/process-lock.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { auditOf, bytesOf, configOf, createMachine, createMirror, deliver, never, type Mirror } from './machine.ts'
import { PIECE_BYTES, publishOne, type Publisher, type Release } from './publisher.ts'

const BYTES = seededBytes(1, 5 * PIECE_BYTES + 5)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array

beforeAll(async () => {
  ;({ publisher, release, catalogue } = await publishOne(BYTES))
})

test('an artifact of which every kept byte is gone is fetched again and delivered, in one download', async () => {
  const machine = createMachine(publisher)
  await deliver(machine.start([createMirror('cdn-1', { catalogue, blobs: release.blobs })]))
  for (let piece = 0; piece < 6; piece++) machine.index.lose(sha256Of(BYTES), piece)
  const { blob, record } = await deliver(machine.start([createMirror('cdn-2', { catalogue, blobs: release.blobs })]))
  expect(await bytesOf(blob)).toEqual(BYTES)
  expect(record.sources.map(({ source, pieces }) => [source, pieces.length])).toEqual([[toSourceId('cdn-2'), 1]])
  expect((await machine.stores.lookups.findVerified(sha256Of(BYTES), never))?.sizeBytes).toBe(BYTES.length)
})

const refuse = (): Promise<never> => Promise.reject(new DeliveryError({ code: 'quota-exceeded', neededBytes: 0 }))

test('on a disk that takes nothing at all an artifact is delivered, and its record is there for this visit', async () => {
  const index = createMemoryIndex()
  const full: SealiftIndex = {
    ...index,
    artifacts: { ...index.artifacts, begin: refuse, mark: refuse, touch: refuse },
    blobs: { ...index.blobs, add: refuse },
    documents: { ...index.documents, put: refuse, remove: refuse },
    records: { ...index.records, put: refuse, putAll: refuse, remove: refuse },
    audit: { ...index.audit, append: refuse },
  }
  const clock = createMachine(publisher).clock
  const stores = composeStoreView({ index: full, files: undefined, clock })
  const mirror = createMirror('cdn-1', { catalogue, blobs: release.blobs })
  const engine = engineOn(stores, mirror)
  for (let visit = 1; visit <= 2; visit++) {
    expect(await bytesOf((await deliver(engine)).blob)).toEqual(BYTES)
    expect(await auditOf(engine)).toHaveLength(visit)
  }
  expect([index.keptPieces(sha256Of(BYTES)), index.keptDocuments(), index.keptRecords()]).toEqual([0, 0, []])
})

function engineOn(stores: StoreView, mirror: Mirror & CatalogueSource): Engine {
  return createEngine({
    config: configOf(publisher),
    stores,
    memory: stores.memory,
    clock: createMachine(publisher).clock,
    withLock: createProcessLocks(),
    otherTabs: { postMessage: () => undefined, addEventListener: () => undefined },
    isSecurePage: true,
    hasher: createScriptHasher(),
    windowSources: {
      current: () => [mirror],
      catalogues: () => [mirror],
      onChange: () => () => undefined,
      setNeeds: () => undefined,
      ban: () => undefined,
      isGrowing: () => false,
    },
  })
}

test('a file that is cleared in the middle of a download is noticed before its end, and the download ends well', async () => {
  const disk = new Disk(EMPTY_DISK)
  const points = createFailpoints()
  const parts = { index: createFailingIndex(disk, points), files: createFailingFiles(disk, points) }
  const stores = composeStoreView({ ...parts, clock: createMachine(publisher).clock })
  const large = await publisher.release(seededBytes(2, 12 * PIECE_BYTES))
  const mirror = createMirror('cdn-1', {
    catalogue: await publisher.catalogue([large]),
    blobs: large.blobs,
    bytesPerSecond: 4 * PIECE_BYTES,
  })
  const life = deliver(engineOn(stores, mirror))
  const sha256 = large.entry.artifact.sha256
  await vi.waitFor(() => expect(disk.table('pieces').size).toBeGreaterThanOrEqual(2), { timeout: 10_000 })
  disk.remove(`${sha256}.part`)
  const { blob, events } = await life
  expect(await bytesOf(blob)).toEqual(large.bytes)
  const pieces = events
    .flatMap((event) => (event.kind === 'progress' ? event.pieces : []))
    .reduce((sum, { start, end }) => sum + end - start, 0)
  // Those that were kept by then, and what a second brings: not all of it twice.
  expect(pieces).toBeLessThan(20)
  expect((await stores.lookups.findVerified(sha256, never))?.sizeBytes).toBe(large.bytes.length)
})
