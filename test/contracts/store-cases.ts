import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import type { FileStore } from '../../src/stores/artifact-file.ts'
import { expectFailure, expectSame, reasonOf, type ContractCase } from './check.ts'

/** A store under test. Fresh and empty for every case. */
export interface StoreSubject {
  readonly store: FileStore
  /** The store as the next page load sees it; undefined where nothing outlives the process. */
  readonly reopen: (() => Promise<FileStore>) | undefined
}

const never = new AbortController().signal
const piece = toPieceIndex
/** Three pieces, the last one shorter. */
const BYTES = seededBytes(7, 2500)
const ARTIFACT = makeArtifact(BYTES, 1024)
const CDN = toSourceId('cdn-1')
const PEER = toSourceId('peer-1')

export const STORE_CASES: readonly ContractCase<StoreSubject>[] = [
  {
    name: 'an artifact nobody fetched has no piece',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      expectSame([file.stored.length, file.stored.size, file.origins().size], [3, 0, 0], 'what is kept')
      await expectFailure(file.read(piece(0), never), ['store-failed'])
      await file.close()
    },
  },
  {
    name: 'gives back the bytes of a piece, and who served it, in whatever order pieces come',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      await file.put(await makePiece(ARTIFACT, BYTES, 2, PEER), never)
      await file.put(await makePiece(ARTIFACT, BYTES, 0, CDN), never)
      expectSame([...file.stored.indices()], [0, 2], 'kept pieces')
      expectSame(await file.read(piece(0), never), pieceBytes(ARTIFACT, BYTES, piece(0)), 'piece 0')
      expectSame(await file.read(piece(2), never), pieceBytes(ARTIFACT, BYTES, piece(2)), 'piece 2')
      expectSame([file.origins().get(piece(0)), file.origins().get(piece(2))], [CDN, PEER], 'origins')
      await file.close()
    },
  },
  {
    name: 'keeps pieces that are put at the same time',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      const pieces = await Promise.all([0, 1, 2, 1].map((index) => makePiece(ARTIFACT, BYTES, index)))
      await Promise.all(pieces.map((one) => file.put(one, never)))
      expectSame(file.stored.isFull(), true, 'all kept')
      expectSame(await bytesOf(await file.complete(never)), BYTES, 'the artifact')
      await file.close()
    },
  },
  {
    name: 'hands over the whole artifact only when every piece is kept',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
      expectSame((await reasonOf(file.complete(never))) instanceof RangeError, true, 'refused by a RangeError')
      expectSame((await reasonOf(file.markVerified(never))) instanceof RangeError, true, 'refused by a RangeError')
      await file.close()
    },
  },
  {
    name: 'a forgotten piece can be put again, and the others stay',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      for (const index of [0, 1, 2]) await file.put(await makePiece(ARTIFACT, BYTES, index, CDN), never)
      await file.forget([piece(1)], never)
      expectSame([...file.stored.indices()], [0, 2], 'kept pieces')
      await expectFailure(file.read(piece(1), never), ['store-failed'])
      await file.put(await makePiece(ARTIFACT, BYTES, 1, PEER), never)
      expectSame(file.origins().get(piece(1)), PEER, 'origin')
      expectSame(await bytesOf(await file.complete(never)), BYTES, 'the artifact')
      await file.close()
    },
  },
  {
    name: 'a piece that is put twice keeps its first origin',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      await file.put(await makePiece(ARTIFACT, BYTES, 1, CDN), never)
      await file.put(await makePiece(ARTIFACT, BYTES, 1, PEER), never)
      expectSame(file.origins().get(piece(1)), CDN, 'origin')
      await file.close()
    },
  },
  {
    name: 'refuses a piece of another artifact',
    run: async ({ store }) => {
      const others = seededBytes(8, 2500)
      const file = await store.open(ARTIFACT, never)
      const reason = await reasonOf(file.put(await makePiece(makeArtifact(others, 1024), others, 0), never))
      expectSame(reason instanceof TypeError, true, 'refused by a TypeError')
      expectSame(file.stored.size, 0, 'kept pieces')
      await file.close()
    },
  },
  {
    name: 'rejects with the abort reason itself, not a wrapper',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      const one = await makePiece(ARTIFACT, BYTES, 0)
      const reason = new Error('enough')
      const aborted = AbortSignal.abort(reason)
      const works = [file.put(one, aborted), file.read(piece(0), aborted), file.forget([], aborted), store.open(ARTIFACT, aborted)]
      for (const seen of await Promise.all(works.map(reasonOf))) expectSame(seen === reason, true, 'the reason itself')
      expectSame(file.stored.size, 0, 'kept pieces')
      await file.close()
    },
  },
  {
    name: 'refuses everything after close',
    run: async ({ store }) => {
      const file = await store.open(ARTIFACT, never)
      await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
      await file.close()
      await expectFailure(file.put(await makePiece(ARTIFACT, BYTES, 1), never), ['store-failed'])
      await expectFailure(file.read(piece(0), never), ['store-failed'])
    },
  },
  {
    name: 'opens again with what was kept',
    run: async ({ store }) => {
      const before = await store.open(ARTIFACT, never)
      await before.put(await makePiece(ARTIFACT, BYTES, 1, PEER), never)
      await before.close()
      const after = await store.open(ARTIFACT, never)
      expectSame([...after.stored.indices()], [1], 'kept pieces')
      expectSame(after.origins().get(piece(1)), PEER, 'origin')
      expectSame(await after.read(piece(1), never), pieceBytes(ARTIFACT, BYTES, piece(1)), 'piece 1')
      await after.close()
    },
  },
  {
    name: 'removes every byte of an artifact, and of no other',
    run: async ({ store }) => {
      const others = seededBytes(9, 1500)
      const otherArtifact = makeArtifact(others, 1024)
      for (const [artifact, bytes] of [
        [ARTIFACT, BYTES],
        [otherArtifact, others],
      ] as const) {
        const file = await store.open(artifact, never)
        await file.put(await makePiece(artifact, bytes, 0), never)
        await file.close()
      }
      await store.remove(ARTIFACT.sha256, never)
      await store.remove(ARTIFACT.sha256, never)
      const gone = await store.open(ARTIFACT, never)
      const kept = await store.open(otherArtifact, never)
      expectSame([gone.stored.size, kept.stored.size], [0, 1], 'kept pieces')
      await gone.close()
      await kept.close()
    },
  },
  {
    name: 'pieces of another cut of the same bytes do not count',
    run: async ({ store }) => {
      const before = await store.open(ARTIFACT, never)
      await before.put(await makePiece(ARTIFACT, BYTES, 0), never)
      await before.close()
      const recut = makeArtifact(BYTES, 512)
      const after = await store.open(recut, never)
      expectSame([after.stored.length, after.stored.size], [5, 0], 'what is kept')
      for (const index of [0, 1, 2, 3, 4]) await after.put(await makePiece(recut, BYTES, index), never)
      expectSame(await bytesOf(await after.complete(never)), BYTES, 'the artifact')
      await after.close()
    },
  },
  {
    name: 'keeps an empty artifact',
    run: async ({ store }) => {
      const empty = makeArtifact(new Uint8Array(0))
      const file = await store.open(empty, never)
      expectSame(file.stored.isFull(), true, 'all kept')
      expectSame((await file.complete(never)).size, 0, 'size')
      await file.close()
    },
  },
  {
    name: 'what is kept outlives the page',
    run: async ({ store, reopen }) => {
      if (reopen === undefined) return
      const before = await store.open(ARTIFACT, never)
      for (const index of [0, 1, 2]) await before.put(await makePiece(ARTIFACT, BYTES, index, PEER), never)
      await before.markVerified(never)
      await before.close()
      const after = await (await reopen()).open(ARTIFACT, never)
      expectSame([after.stored.isFull(), after.origins().size], [true, 3], 'all kept')
      expectSame(await bytesOf(await after.complete(never)), BYTES, 'the artifact')
      await after.close()
    },
  },
]

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer())
}
