import { openDB } from 'idb'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import type { SealiftIndex } from '../../src/stores/index-db.ts'
import { expectFailure, expectSame, reasonOf, type ContractCase } from '../contracts/check.ts'
import { makeArtifact } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'

export interface IndexSubject {
  openIndex(): Promise<SealiftIndex>
}

const never = new AbortController().signal
const ARTIFACT = makeArtifact(seededBytes(3, 2500), 1024)
const BYTES = new Uint8Array([1, 2, 3])

export const INDEX_CASES: readonly ContractCase<IndexSubject>[] = [
  {
    name: 'documents and records come back as they were kept, and are gone when removed',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      const digest = sha256Of(BYTES)
      await index.documents.put(digest, BYTES, never)
      await index.records.put('floor', { version: 17 }, never)
      const again = await openIndex()
      expectSame(await again.documents.get(digest, never), BYTES, 'document')
      expectSame(await again.records.get('floor', never), { version: 17 }, 'record')
      expectSame(await again.records.keys(never), ['floor'], 'keys')
      await again.documents.remove(digest, never)
      await again.records.remove('floor', never)
      expectSame(
        [await index.documents.get(digest, never), await index.records.get('floor', never)],
        [undefined, undefined],
        'after removal',
      )
    },
  },
  {
    name: 'records that are kept together are kept all or none',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      await index.records.put('floor', 1, never)
      const uncloneable = (): undefined => undefined
      const entries = new Map<string, unknown>([
        ['floor', 2],
        ['catalogue', uncloneable],
        ['aliases', []],
      ])
      await expectFailure(index.records.putAll(entries, never), ['store-failed'])
      expectSame([await index.records.get('floor', never), await index.records.keys(never)], [1, ['floor']], 'after a failure')
      await index.records.putAll(new Map(entries).set('catalogue', BYTES), never)
      expectSame([await index.records.get('floor', never), await index.records.get('catalogue', never)], [2, BYTES], 'together')
    },
  },
  {
    name: 'audit records keep their order',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      expectSame(await index.audit.last(never), undefined, 'last of none')
      for (const byte of [1, 2, 3]) await index.audit.append(new Uint8Array([byte]), never)
      expectSame(await index.audit.last(never), new Uint8Array([3]), 'last')
      expectSame(
        (await index.audit.all(never)).map((bytes) => bytes[0]),
        [1, 2, 3],
        'all',
      )
    },
  },
  {
    name: 'taking back the flag of a piece takes back that the artifact is verified',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      await index.artifacts.begin(ARTIFACT, 1000, never)
      const flag = { index: toPieceIndex(1), source: toSourceId('cdn-1'), backing: 'opfs' as const, atMs: 1 }
      await index.pieces.add(ARTIFACT.sha256, [flag], never)
      await index.artifacts.mark(ARTIFACT, 'verified', never)
      expectSame((await index.artifacts.get(ARTIFACT.sha256, never))?.state, 'verified', 'state')
      await index.pieces.remove(ARTIFACT.sha256, [toPieceIndex(1)], never)
      expectSame((await index.artifacts.get(ARTIFACT.sha256, never))?.state, 'partial', 'state')
      expectSame(await index.pieces.list(ARTIFACT.sha256, 'opfs', never), [], 'flags')
    },
  },
  {
    name: 'an artifact keeps its first day and its last use',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      await index.artifacts.begin(ARTIFACT, 1000, never)
      await index.artifacts.begin(ARTIFACT, 2000, never)
      const [row] = await index.artifacts.list(never)
      expectSame([row?.createdAtMs, row?.lastUsedAtMs, row?.filename, row?.count], [1000, 2000, ARTIFACT.filename, 3], 'row')
    },
  },
  {
    name: 'rows and flags that nobody of us wrote count as not there',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      const db = await openDB('sealift')
      await db.put('artifacts', { state: 'verified' }, ARTIFACT.sha256)
      await db.put('pieces', { source: '', backing: 'tape' }, [ARTIFACT.sha256, 0])
      db.close()
      expectSame(await index.artifacts.get(ARTIFACT.sha256, never), undefined, 'row')
      expectSame(await index.artifacts.list(never), [], 'rows')
      expectSame(await index.pieces.list(ARTIFACT.sha256, 'opfs', never), [], 'flags')
    },
  },
  {
    name: 'an index of a newer version is refused with both versions',
    run: async ({ openIndex }) => {
      const newer = await openDB('sealift', 9)
      newer.close()
      expectSame(await expectFailure(openIndex(), ['version-skew']), { code: 'version-skew', expected: 1, actual: 9 }, 'failure')
    },
  },
  {
    name: 'lets go at once when a newer version wants the index, and then refuses to work on it',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      const newer = await openDB('sealift', 2)
      await expectFailure(index.records.get('floor', never), ['version-skew'])
      newer.close()
    },
  },
  {
    name: 'a cancelled wait rejects with the reason itself',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      const reason = new Error('enough')
      expectSame((await reasonOf(index.records.get('floor', AbortSignal.abort(reason)))) === reason, true, 'the reason itself')
      const controller = new AbortController()
      const work = reasonOf(index.records.get('floor', controller.signal))
      controller.abort(reason)
      expectSame((await work) === reason, true, 'the reason itself')
    },
  },
  {
    name: 'a closed index refuses to work',
    run: async ({ openIndex }) => {
      const index = await openIndex()
      index.close()
      await expectFailure(index.records.get('floor', never), ['store-failed'])
    },
  },
]
