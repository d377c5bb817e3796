import { expect, test } from 'vitest'
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
