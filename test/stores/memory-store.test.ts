import { expect, test } from 'vitest'
import type { ArtifactFile } from '../../src/stores/artifact-file.ts'
import { createMemoryStore } from '../../src/stores/memory-store.ts'
import { expectFailure } from '../contracts/check.ts'
import { storeContract } from '../contracts/store-contract.ts'
import { makeArtifact, makePiece } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'

const never = new AbortController().signal

storeContract('memory store', async () => ({ store: createMemoryStore(), reopen: undefined }))

test('an artifact that cannot fit into memory is refused before it is fetched', async () => {
  const bytes = seededBytes(1, 3000)
  const failure = await expectFailure(createMemoryStore({ limitBytes: 2999 }).open(makeArtifact(bytes), never), ['quota-exceeded'])
  expect(failure).toEqual({ code: 'quota-exceeded', neededBytes: 3000 })
})

test('the bound holds over all artifacts together, and removing one makes room', async () => {
  const [first, second] = [seededBytes(1, 2000), seededBytes(2, 2000)]
  const store = createMemoryStore({ limitBytes: 3000 })
  const kept = await store.open(makeArtifact(first), never)
  for (const index of [0, 1]) await kept.put(await makePiece(makeArtifact(first), first, index), never)
  await expectFailure(store.open(makeArtifact(second), never), ['quota-exceeded'])
  await store.remove(makeArtifact(first).sha256, never)
  await store.open(makeArtifact(second), never)
})

test('what a reader does to the bytes it got does not alter what is kept', async () => {
  const bytes = seededBytes(1, 1000)
  const artifact = makeArtifact(bytes)
  const file = await createMemoryStore().open(artifact, never)
  const piece = await makePiece(artifact, bytes, 0)
  await file.put(piece, never)
  ;(await file.read(piece.index, never)).fill(0)
  expect(await file.read(piece.index, never)).toEqual(bytes)
})

test('what was handed over makes room for the next artifact, the oldest first, and what is open never does', async () => {
  const store = createMemoryStore({ limitBytes: 3000 })
  const keep = async (seed: number): Promise<ArtifactFile> => {
    const bytes = seededBytes(seed, 1000)
    const file = await store.open(makeArtifact(bytes), never)
    if (!file.stored.isFull()) await file.put(await makePiece(makeArtifact(bytes), bytes, 0), never)
    return file
  }
  const isKept = async (seed: number): Promise<boolean> => {
    const file = await store.open(makeArtifact(seededBytes(seed, 1000)), never)
    await file.close()
    return file.stored.isFull()
  }
  const open = await keep(1)
  for (const seed of [2, 3, 4]) await (await keep(seed)).close()
  // What was dropped comes last: opening it makes room for it again.
  for (const seed of [1, 3, 4]) expect(await isKept(seed), `artifact ${seed}`).toBe(true)
  expect(await isKept(2)).toBe(false)
  await open.close()
})

test('of what is not in use, whole artifacts go before those that are still to be completed', async () => {
  const store = createMemoryStore({ limitBytes: 3500 })
  const [partial, whole, next] = [seededBytes(1, 1500), seededBytes(2, 1000), seededBytes(3, 2000)]
  for (const bytes of [partial, whole]) {
    const file = await store.open(makeArtifact(bytes), never)
    await file.put(await makePiece(makeArtifact(bytes), bytes, 0), never)
    await file.close()
  }
  await (await store.open(makeArtifact(next), never)).close()
  const kept = await Promise.all([partial, whole].map(async (bytes) => (await store.open(makeArtifact(bytes), never)).stored.size))
  expect(kept).toEqual([1, 0])
})

test('an artifact that could not fit even so drops nothing', async () => {
  const store = createMemoryStore({ limitBytes: 3000 })
  const bytes = seededBytes(1, 1000)
  const file = await store.open(makeArtifact(bytes), never)
  await file.put(await makePiece(makeArtifact(bytes), bytes, 0), never)
  await file.close()
  await expectFailure(store.open(makeArtifact(seededBytes(2, 3001)), never), ['quota-exceeded'])
  expect((await store.open(makeArtifact(bytes), never)).stored.size).toBe(1)
})
