import { expect, test } from 'vitest'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import { createLayeredStore } from '../../src/stores/layered-store.ts'
import { createOpfsBacking, fileNameOf } from '../../src/stores/opfs-backing.ts'
import { composeStoreView, type StoreView } from '../../src/stores/store-view.ts'
import { expectFailure } from '../contracts/check.ts'
import { createFailingDisk } from '../fakes/failing-disk.ts'
import { makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { createMemoryIndex, type MemoryIndex } from '../fakes/memory-index.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

const never = new AbortController().signal
const BYTES = seededBytes(21, 4500)
/** Five pieces, the last one shorter. */
const ARTIFACT = makeArtifact(BYTES, 1024)
const { sha256 } = ARTIFACT
const ALL = [0, 1, 2, 3, 4]
const piece = toPieceIndex

interface Kept {
  readonly index: MemoryIndex
  readonly view: StoreView
}

async function keepVerified(): Promise<Kept> {
  const index = createMemoryIndex()
  const view = composeStoreView({ index, files: undefined, clock: createVirtualClock() })
  const file = await view.store.open(ARTIFACT, never)
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  await file.markVerified(never)
  await file.close()
  return { index, view }
}

test('a kept piece whose bytes are gone is forgotten when it is read, with all that went with it, and can be put again', async () => {
  const { index, view } = await keepVerified()
  for (const at of [1, 3]) index.lose(sha256, at)
  const file = await view.store.open(ARTIFACT, never)
  const failure = await expectFailure(file.read(piece(1), never), ['store-tampered'])
  expect(failure).toEqual({ code: 'store-tampered', sha256, piece: 1 })
  expect([...file.stored.indices()]).toEqual([0, 2, 4])
  expect((await index.artifacts.get(sha256, never))?.state).toBe('partial')
  for (const at of [1, 3]) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
})

test('two readers of a lost piece are both told, and it is forgotten once', async () => {
  const { index, view } = await keepVerified()
  index.lose(sha256, 1)
  const file = await view.store.open(ARTIFACT, never)
  const reads = [file.read(piece(1), never), file.read(piece(1), never)]
  for (const read of reads) await expectFailure(read, ['store-tampered'])
  expect([...file.stored.indices()]).toEqual([0, 2, 3, 4])
})

test('a whole that cannot be put together forgets what is lost, and the pieces that are there stay', async () => {
  const { index, view } = await keepVerified()
  for (const at of [0, 4]) index.lose(sha256, at)
  const file = await view.store.open(ARTIFACT, never)
  const failure = await expectFailure(file.complete(never), ['store-tampered'])
  expect(failure).toEqual({ code: 'store-tampered', sha256, piece: 0 })
  expect([...file.stored.indices()]).toEqual([1, 2, 3])
})

test('a file that is cleared while its artifact is open is fetched again', async () => {
  const disk = createFailingDisk()
  const store = createLayeredStore([createOpfsBacking({ files: disk.files, flags: disk.flags, clock: createVirtualClock() })], undefined)
  const file = await store.open(ARTIFACT, never)
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  await file.complete(never)
  await disk.files.remove(fileNameOf(sha256))
  await expectFailure(file.read(piece(2), never), ['store-tampered'])
  expect(file.stored.size).toBe(0)
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  expect(await file.read(piece(2), never)).toEqual(pieceBytes(ARTIFACT, BYTES, piece(2)))
})

test('a file that is cleared under an open handle is missed when the whole is put together', async () => {
  const disk = createFailingDisk()
  let isThere = true
  // The handle goes on reading what has no name any more.
  const files = { ...disk.files, snapshot: async (name: string) => (isThere ? await disk.files.snapshot(name) : undefined) }
  const file = await createLayeredStore([createOpfsBacking({ files, flags: disk.flags, clock: createVirtualClock() })], undefined).open(
    ARTIFACT,
    never,
  )
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  isThere = false
  await expectFailure(file.complete(never), ['store-tampered'])
  expect([file.stored.size, disk.openWriters]).toEqual([0, 0])
})

test('one who only reads takes no claim back: what is lost is not found, and its flags are for the holder of the lock', async () => {
  const { index, view } = await keepVerified()
  index.lose(sha256, 1)
  expect(await view.lookups.findVerified(sha256, never)).toBeUndefined()
  await expectFailure(view.lookups.readPiece(sha256, piece(1), never), ['store-failed'])
  expect([index.keptPieces(sha256), (await index.artifacts.get(sha256, never))?.state]).toEqual([5, 'verified'])
})

test('one who only reads removes no flag of a file that is gone; one who opens it to write does', async () => {
  const disk = createFailingDisk()
  const backing = createOpfsBacking({ files: disk.files, flags: disk.flags, clock: createVirtualClock() })
  const file = await createLayeredStore([backing], undefined).open(ARTIFACT, never)
  for (const at of ALL) await file.put(await makePiece(ARTIFACT, BYTES, at), never)
  await file.close()
  await disk.files.remove(fileNameOf(sha256))
  expect((await backing.view(ARTIFACT, never)).kept.size).toBe(0)
  expect(await disk.flags.list(sha256, 'opfs', never)).toHaveLength(5)
  expect((await backing.open(ARTIFACT, never)).kept.size).toBe(0)
  expect(await disk.flags.list(sha256, 'opfs', never)).toEqual([])
})

test('an artifact whose file cannot be removed is still known, so that it is removed the next time', async () => {
  const index = createMemoryIndex()
  const disk = createFailingDisk()
  let isHeld = true
  const remove = async (name: string): Promise<void> => {
    if (isHeld) throw new DOMException('another page has it open', 'NoModificationAllowedError')
    await disk.files.remove(name)
  }
  const view = composeStoreView({ index, files: { ...disk.files, remove }, clock: createVirtualClock() })
  const file = await view.store.open(ARTIFACT, never)
  await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
  await file.close()
  await expect(view.store.remove(sha256, never)).rejects.toThrow()
  expect((await index.artifacts.list(never)).map((row) => row.sha256)).toEqual([sha256])
  isHeld = false
  await view.store.remove(sha256, never)
  expect([await index.artifacts.list(never), await disk.files.names()]).toEqual([[], []])
})

test('a seeder reads of an artifact that is being fetched again what is there again, whatever it read before', async () => {
  const { view } = await keepVerified()
  expect(await view.lookups.readPiece(sha256, piece(2), never)).toEqual(pieceBytes(ARTIFACT, BYTES, piece(2)))
  await view.store.remove(sha256, never)
  const again = await view.store.open(ARTIFACT, never)
  await expectFailure(view.lookups.readPiece(sha256, piece(2), never), ['store-failed'])
  await again.put(await makePiece(ARTIFACT, BYTES, 2), never)
  expect(await view.lookups.readPiece(sha256, piece(2), never)).toEqual(pieceBytes(ARTIFACT, BYTES, piece(2)))
  await expectFailure(view.lookups.readPiece(sha256, piece(1), never), ['store-failed'])
  expect(await view.lookups.keptAmong(sha256, [piece(1), piece(2), piece(3)], never)).toEqual([piece(2)])
  for (const at of ALL) await again.put(await makePiece(ARTIFACT, BYTES, at), never)
  await again.markVerified(never)
  expect(await view.lookups.readPiece(sha256, piece(2), never)).toEqual(pieceBytes(ARTIFACT, BYTES, piece(2)))
  await again.forget([piece(2)], never)
  await expectFailure(view.lookups.readPiece(sha256, piece(2), never), ['store-failed'])
})
