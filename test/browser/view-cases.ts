import { openDB } from 'idb'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createBlobStore } from '../../src/stores/blob-store.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import { fileNameOf } from '../../src/stores/opfs-backing.ts'
import { createOpfsStore } from '../../src/stores/opfs-store.ts'
import { openPieceFiles } from '../../src/stores/piece-files.ts'
import type { StoreView } from '../../src/stores/store-view.ts'
import { expectFailure, expectSame, type ContractCase } from '../contracts/check.ts'
import { makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { systemClock } from '../fakes/system-clock.ts'

export interface ViewSubject {
  openView(): Promise<StoreView>
}

const never = new AbortController().signal
const BYTES = seededBytes(5, 4500)
/** Five pieces, the last one shorter. */
const ARTIFACT = makeArtifact(BYTES, 1024)
const ALL = [0, 1, 2, 3, 4]
const CDN = toSourceId('cdn-1')
const PEER = toSourceId('peer-1')

export const VIEW_CASES: readonly ContractCase<ViewSubject>[] = [
  {
    name: 'a dedicated worker can write everywhere',
    run: async ({ openView }) => {
      expectSame((await openView()).capabilities, { opfs: 'write', indexedDb: true }, 'capabilities')
    },
  },
  {
    name: 'pieces that a service worker kept and pieces that a page kept are one artifact',
    run: async ({ openView }) => {
      const view = await openView()
      const alone = await createBlobStore(indexOf(view), systemClock).open(ARTIFACT, never)
      for (const index of [1, 4]) await alone.put(await makePiece(ARTIFACT, BYTES, index, PEER), never)
      await alone.close()
      const file = await view.store.open(ARTIFACT, never)
      expectSame([...file.stored.indices()], [1, 4], 'kept pieces')
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index, CDN), never)
      expectSame([...file.origins().values()].toSorted(), [CDN, CDN, CDN, PEER, PEER], 'origins')
      expectSame(await file.read(toPieceIndex(4), never), pieceBytes(ARTIFACT, BYTES, toPieceIndex(4)), 'piece 4')
      expectSame(await digestOf(await file.complete(never)), ARTIFACT.sha256, 'the artifact')
      expectSame(
        (await indexOf(view).pieces.list(ARTIFACT.sha256, 'opfs', never)).map((flag) => flag.index),
        [0, 2, 3],
        'in files',
      )
      await file.close()
    },
  },
  {
    name: 'an artifact can be found for hand-over only once it is verified',
    run: async ({ openView }) => {
      const view = await openView()
      const file = await view.store.open(ARTIFACT, never)
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
      expectSame(await view.lookups.findVerified(ARTIFACT.sha256, never), undefined, 'before')
      await file.markVerified(never)
      await file.close()
      const found = await view.lookups.findVerified(ARTIFACT.sha256, never)
      expectSame([found?.filename, found?.mediaType, found?.sizeBytes], [ARTIFACT.filename, ARTIFACT.mediaType, 4500], 'what it is')
      expectSame(found?.blob instanceof File, true, 'a file of the browser')
      expectSame(await digestOf(found?.blob), ARTIFACT.sha256, 'the artifact')
      expectSame(
        (await view.lookups.listVerified(never)).map((row) => row.sha256),
        [ARTIFACT.sha256],
        'list',
      )
    },
  },
  {
    name: 'a verified artifact whose file was cleared is not handed over, and is fetched again',
    run: async ({ openView }) => {
      const view = await openView()
      await keepVerified(view)
      await (await openPieceFiles()).remove(fileNameOf(ARTIFACT.sha256))
      expectSame(await view.lookups.findVerified(ARTIFACT.sha256, never), undefined, 'found')
      expectSame((await indexOf(view).pieces.list(ARTIFACT.sha256, 'opfs', never)).length, 5, 'flags after one who only read')
      const file = await view.store.open(ARTIFACT, never)
      expectSame(file.stored.size, 0, 'kept pieces')
      expectSame((await indexOf(view).artifacts.get(ARTIFACT.sha256, never))?.state, 'partial', 'state')
      await file.close()
    },
  },
  {
    name: 'a seeder reads single pieces while another tab has the artifact open',
    run: async ({ openView }) => {
      const view = await openView()
      await keepVerified(view)
      const writer = await (await openPieceFiles()).openWriter(fileNameOf(ARTIFACT.sha256))
      try {
        for (const index of ALL) {
          const bytes = await view.lookups.readPiece(ARTIFACT.sha256, toPieceIndex(index), never)
          expectSame(bytes, pieceBytes(ARTIFACT, BYTES, toPieceIndex(index)), `piece ${index}`)
        }
      } finally {
        writer.close()
      }
      await expectFailure(view.lookups.readPiece(sha256Of(BYTES.subarray(1)), toPieceIndex(0), never), ['store-failed'])
    },
  },
  {
    name: 'a seeder reads of an artifact that another tab fetches again what is there again, while it is written to',
    run: async ({ openView }) => {
      const [seeder, other] = [await openView(), await openView()]
      await keepVerified(seeder)
      expectSame(
        await seeder.lookups.readPiece(ARTIFACT.sha256, toPieceIndex(2), never),
        pieceBytes(ARTIFACT, BYTES, toPieceIndex(2)),
        'before',
      )
      await other.store.remove(ARTIFACT.sha256, never)
      const file = await other.store.open(ARTIFACT, never)
      await expectFailure(seeder.lookups.readPiece(ARTIFACT.sha256, toPieceIndex(2), never), ['store-failed'])
      for (const index of ALL) {
        await file.put(await makePiece(ARTIFACT, BYTES, index), never)
        const bytes = await seeder.lookups.readPiece(ARTIFACT.sha256, toPieceIndex(index), never)
        expectSame(bytes, pieceBytes(ARTIFACT, BYTES, toPieceIndex(index)), `piece ${index}, just stored`)
      }
      await file.markVerified(never)
      expectSame(
        await seeder.lookups.readPiece(ARTIFACT.sha256, toPieceIndex(2), never),
        pieceBytes(ARTIFACT, BYTES, toPieceIndex(2)),
        'after',
      )
      await file.close()
    },
  },
  {
    name: 'a file that is cleared while its artifact is open counts as not kept, and is fetched again',
    run: async ({ openView }) => {
      const view = await openView()
      const file = await view.store.open(ARTIFACT, never)
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
      await file.complete(never)
      await (await openPieceFiles()).remove(fileNameOf(ARTIFACT.sha256))
      await expectFailure(file.read(toPieceIndex(2), never), ['store-tampered'])
      expectSame([...file.stored.indices()], [], 'kept pieces')
      expectSame((await indexOf(view).pieces.list(ARTIFACT.sha256, 'opfs', never)).length, 0, 'flags')
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
      expectSame(await digestOf(await file.complete(never)), ARTIFACT.sha256, 'the artifact')
      await file.close()
    },
  },
  {
    name: 'a piece whose blob is gone counts as not kept, and is fetched again',
    run: async ({ openView }) => {
      const view = await openView()
      const alone = createBlobStore(indexOf(view), systemClock)
      const file = await alone.open(ARTIFACT, never)
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
      await dropBlobs([1, 3])
      await expectFailure(file.read(toPieceIndex(3), never), ['store-tampered'])
      expectSame([...file.stored.indices()], [0, 2, 4], 'kept pieces')
      for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
      expectSame(await digestOf(await file.complete(never)), ARTIFACT.sha256, 'the artifact')
      await file.close()
    },
  },
  {
    name: 'a file that another tab holds sends new pieces to the index, and alone it is a failure in words',
    run: async ({ openView }) => {
      const view = await openView()
      const files = await openPieceFiles()
      const writer = await files.openWriter(fileNameOf(ARTIFACT.sha256))
      try {
        const only = createOpfsStore({ index: indexOf(view), files, clock: systemClock })
        const failure = await expectFailure(only.open(ARTIFACT, never), ['store-failed'])
        expectSame('detail' in failure && failure.detail.includes('another tab'), true, 'the sentence')
        const file = await view.store.open(ARTIFACT, never)
        for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
        expectSame(await digestOf(await file.complete(never)), ARTIFACT.sha256, 'the artifact')
        await file.close()
      } finally {
        writer.close()
      }
    },
  },
  {
    name: 'closing an artifact lets go of its file',
    run: async ({ openView }) => {
      const view = await openView()
      const file = await view.store.open(ARTIFACT, never)
      await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
      await file.close()
      const writer = await (await openPieceFiles()).openWriter(fileNameOf(ARTIFACT.sha256))
      writer.close()
    },
  },
  {
    name: 'a removed artifact leaves no file, no row and no piece',
    run: async ({ openView }) => {
      const view = await openView()
      await keepVerified(view)
      await view.store.remove(ARTIFACT.sha256, never)
      expectSame(await (await openPieceFiles()).names(), [], 'files')
      expectSame(await indexOf(view).artifacts.list(never), [], 'rows')
      expectSame(await view.lookups.findVerified(ARTIFACT.sha256, never), undefined, 'found')
    },
  },
  {
    name: 'room for the whole artifact is reserved when it is opened',
    run: async ({ openView }) => {
      const view = await openView()
      const file = await view.store.open(ARTIFACT, never)
      const blob = await (await openPieceFiles()).snapshot(fileNameOf(ARTIFACT.sha256))
      expectSame(blob?.size, ARTIFACT.sizeBytes, 'size of the file')
      await file.close()
    },
  },
]

async function keepVerified(view: StoreView): Promise<void> {
  const file = await view.store.open(ARTIFACT, never)
  for (const index of ALL) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  await file.markVerified(never)
  await file.close()
}

/** Takes the bytes of pieces out of the index and leaves their flags. */
async function dropBlobs(indices: readonly number[]): Promise<void> {
  const db = await openDB('sealift')
  for (const index of indices) await db.delete('pieceBlobs', [ARTIFACT.sha256, index])
  db.close()
}

function indexOf(view: StoreView): SealiftIndex {
  if (view.index === undefined) throw new Error('this browser has no IndexedDB')
  return view.index
}

async function digestOf(blob: Blob | undefined): Promise<string | undefined> {
  return blob === undefined ? undefined : sha256Of(new Uint8Array(await blob.arrayBuffer()))
}
