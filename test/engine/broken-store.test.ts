import { beforeAll, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createEngine, memoryOf } from '../../src/engine/compose.ts'
import { createScriptHasher } from '../../src/engine/script-hasher.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import { composeStoreView } from '../../src/stores/store-view.ts'
import { createMemoryIndex } from '../fakes/memory-index.ts'
import { createProcessLocks } from '../fakes/process-lock.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { auditOf, bytesOf, configOf, createMachine, createMirror, deliver, never } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

const BYTES = seededBytes(1, 5 * PIECE_BYTES + 5)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  catalogue = await publisher.catalogue([release])
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
  const engine = createEngine({
    config: configOf(publisher),
    stores,
    memory: memoryOf(stores),
    clock,
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
  for (let visit = 1; visit <= 2; visit++) {
    expect(await bytesOf((await deliver(engine)).blob)).toEqual(BYTES)
    expect(await auditOf(engine)).toHaveLength(visit)
  }
  expect([index.keptPieces(sha256Of(BYTES)), index.keptDocuments(), index.keptRecords()]).toEqual([0, 0, []])
})
