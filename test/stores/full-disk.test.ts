import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import { composeStoreView } from '../../src/stores/store-view.ts'
import { expectFailure } from '../contracts/check.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { createMemoryIndex } from '../fakes/memory-index.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

const never = new AbortController().signal
const BYTES = seededBytes(3, 4500)
const ARTIFACT = makeArtifact(BYTES, 1024)
const ALL = [0, 1, 2, 3, 4]

const refuse = (): Promise<never> => Promise.reject(new DeliveryError({ code: 'quota-exceeded', neededBytes: 0 }))

/** An index that can be read and takes nothing more. */
function fullIndex(over: SealiftIndex): SealiftIndex {
  return {
    ...over,
    artifacts: { ...over.artifacts, begin: refuse, mark: refuse, touch: refuse },
    blobs: { ...over.blobs, add: refuse },
  }
}

const viewOf = (index: SealiftIndex) => composeStoreView({ index, files: undefined, clock: createVirtualClock() })

test('an artifact that was kept is read and handed over although nothing more can be written', async () => {
  const index = createMemoryIndex()
  const before = await viewOf(index).store.open(ARTIFACT, never)
  for (const at of ALL) await before.put(await makePiece(ARTIFACT, BYTES, at), never)
  await before.close()
  const file = await viewOf(fullIndex(index)).store.open(ARTIFACT, never)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
  await file.markVerified(never)
  await index.artifacts.mark(ARTIFACT, 'verified', never)
  expect((await viewOf(fullIndex(index)).lookups.findVerified(ARTIFACT.sha256, never))?.sizeBytes).toBe(4500)
})

test('an artifact that was never begun goes through memory, and pieces of another cut do not count', async () => {
  const index = createMemoryIndex()
  const recut = makeArtifact(BYTES, 512)
  const before = await viewOf(index).store.open(recut, never)
  await before.put(await makePiece(recut, BYTES, 0), never)
  await before.close()
  const file = await viewOf(fullIndex(index)).store.open(ARTIFACT, never)
  expect(file.stored.size).toBe(0)
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  await file.markVerified(never)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
})

test('an index that a newer version of this code owns is still a failure', async () => {
  const index = createMemoryIndex()
  const begin = (): Promise<never> => Promise.reject(new DeliveryError({ code: 'version-skew', expected: 1, actual: 2 }))
  const view = viewOf({ ...index, artifacts: { ...index.artifacts, begin } })
  await expectFailure(view.store.open(ARTIFACT, never), ['version-skew'])
})
