import { describe, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { toPieceIndex, type PieceIndex } from '../../src/core/model/ids.ts'
import type { FileStore } from '../../src/stores/artifact-file.ts'
import { createLayeredStore } from '../../src/stores/layered-store.ts'
import { createMemoryBacking } from '../../src/stores/memory-backing.ts'
import { createOpfsBacking } from '../../src/stores/opfs-backing.ts'
import { expectFailure } from '../contracts/check.ts'
import { createFailingDisk, type FailingDisk, type FailureKind, type PlantedFailure } from '../fakes/failing-disk.ts'
import { makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

const never = new AbortController().signal
const BYTES = seededBytes(21, 4500)
/** Five pieces, the last one shorter. */
const ARTIFACT = makeArtifact(BYTES, 1024)

function storeOn(disk: FailingDisk, memoryBytes = 0): FileStore {
  const opfs = createOpfsBacking({ files: disk.files, flags: disk.flags, clock: createVirtualClock() })
  return createLayeredStore(memoryBytes === 0 ? [opfs] : [opfs, createMemoryBacking(memoryBytes)], undefined)
}

interface Outcome {
  /** Pieces that the store said it had kept, and that nobody forgot afterwards. */
  readonly acknowledged: ReadonlySet<PieceIndex>
  readonly errors: readonly unknown[]
}

/** A life of an artifact: opened, filled by writers at the same time, one piece forgotten and fetched again, closed. */
async function live(disk: FailingDisk): Promise<Outcome> {
  const acknowledged = new Set<PieceIndex>()
  const errors: unknown[] = []
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      errors.push(error)
    }
  }
  await attempt(async () => {
    const file = await storeOn(disk).open(ARTIFACT, never)
    const put = (index: number): Promise<void> =>
      attempt(async () => {
        const piece = await makePiece(ARTIFACT, BYTES, index)
        await file.put(piece, never)
        acknowledged.add(piece.index)
      })
    await Promise.all([put(3), put(0)])
    await Promise.all([put(1), put(4), put(2)])
    acknowledged.delete(toPieceIndex(1))
    await attempt(() => file.forget([toPieceIndex(1)], never))
    await put(1)
    await attempt(() => file.close())
  })
  return { acknowledged, errors }
}

/** Every place at which the life of an artifact can fail. */
async function placesToFail(): Promise<readonly string[]> {
  const disk = createFailingDisk()
  const { errors } = await live(disk)
  expect(errors).toEqual([])
  return disk.calls
}

const KINDS: readonly FailureKind[] = ['before', 'after', 'crash']

describe.each(KINDS)('a failure (%s) at any step of writing', (kind) => {
  test('leaves no flag whose bytes are wrong, and loses no piece that was acknowledged', async () => {
    const places = await placesToFail()
    expect(new Set(places)).toEqual(
      new Set(['listFlags', 'openWriter', 'getSize', 'truncate', 'write', 'flush', 'addFlags', 'removeFlags', 'closeWriter']),
    )
    for (const [at, place] of places.entries()) {
      const disk = createFailingDisk({ kind, at })
      const { acknowledged } = await live(disk)
      expect(disk.hasFailed, `${place} (${at}) failed`).toBe(true)
      disk.restart()
      const file = await storeOn(disk).open(ARTIFACT, never)
      for (const index of file.stored.indices())
        expect(await file.read(index, never), `piece ${index} after ${place} (${at})`).toEqual(pieceBytes(ARTIFACT, BYTES, index))
      for (const index of acknowledged) expect(file.stored.has(index), `piece ${index} after ${place} (${at})`).toBe(true)
    }
  })

  test('is reported in our own words, and no handle stays open', async () => {
    const places = await placesToFail()
    for (const [at, place] of places.entries()) {
      const disk = createFailingDisk({ kind, at })
      const { errors } = await live(disk)
      // By the time it closes its file everything is kept, so that nobody has to hear of trouble with that.
      expect(errors.length > 0, `${place} (${at})`).toBe(place !== 'closeWriter')
      for (const error of errors) expect(error, `${place} (${at})`).toBeInstanceOf(DeliveryError)
      if (kind === 'crash') disk.restart()
      const isLeft = (kind === 'after' && place === 'openWriter') || (kind === 'before' && place === 'closeWriter')
      expect(disk.openWriters, `${place} (${at})`).toBe(isLeft ? 1 : 0)
    }
  })
})

test('the store goes on after a failed write, and the piece can be put again', async () => {
  const disk = createFailingDisk({ kind: 'before', at: { call: 'flush', nth: 0 } })
  const file = await storeOn(disk).open(ARTIFACT, never)
  const piece = await makePiece(ARTIFACT, BYTES, 0)
  await expectFailure(file.put(piece, never), ['store-failed'])
  expect(disk.openWriters).toBe(0)
  await file.put(piece, never)
  expect(await file.read(piece.index, never)).toEqual(pieceBytes(ARTIFACT, BYTES, piece.index))
})

test('files that were cleared under it are made anew: what was lost is fetched again, and no handle of a file that is gone is closed', async () => {
  const disk = createFailingDisk()
  const file = await storeOn(disk).open(ARTIFACT, never)
  for (const index of [0, 1, 2, 3, 4]) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  disk.clearFiles()
  await expectFailure(file.complete(never), ['store-tampered'])
  expect([file.stored.size, disk.openWriters]).toEqual([0, 0])
  for (const index of [0, 1, 2, 3, 4]) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
})

test('files that were cleared under it are noticed by the next piece, and not only when all are there', async () => {
  const disk = createFailingDisk()
  const clock = createVirtualClock()
  const store = createLayeredStore([createOpfsBacking({ files: disk.files, flags: disk.flags, clock })], undefined)
  const file = await store.open(ARTIFACT, never)
  for (const index of [0, 1, 2]) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  disk.clearFiles()
  await clock.advance(1000)
  const failure = await expectFailure(file.put(await makePiece(ARTIFACT, BYTES, 3), never), ['store-tampered'])
  expect(failure).toEqual({ code: 'store-tampered', sha256: ARTIFACT.sha256, piece: 0 })
  expect([file.stored.size, disk.openWriters]).toEqual([0, 0])
  for (const index of [0, 1, 2, 3, 4]) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
})

test('a file that was cleared before anything was kept in it is made anew, and nobody is told', async () => {
  const disk = createFailingDisk()
  const clock = createVirtualClock()
  const store = createLayeredStore([createOpfsBacking({ files: disk.files, flags: disk.flags, clock })], undefined)
  const file = await store.open(ARTIFACT, never)
  disk.clearFiles()
  await clock.advance(1000)
  await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
  expect(await file.read(toPieceIndex(0), never)).toEqual(pieceBytes(ARTIFACT, BYTES, toPieceIndex(0)))
})

const full: Omit<PlantedFailure, 'at'> = { kind: 'before', error: new DOMException('full', 'QuotaExceededError') }

test('a full disk is noticed when the artifact is opened, before a byte of it is fetched', async () => {
  const disk = createFailingDisk({ ...full, at: { call: 'truncate', nth: 0 } })
  const failure = await expectFailure(storeOn(disk).open(ARTIFACT, never), ['quota-exceeded'])
  expect(failure).toEqual({ code: 'quota-exceeded', neededBytes: 4500 })
  expect(disk.openWriters).toBe(0)
})

test('a small artifact goes on in memory when the disk is full, and its earlier pieces are still read from disk', async () => {
  const disk = createFailingDisk({ ...full, at: { call: 'flush', nth: 1 } })
  const file = await storeOn(disk, 10_000).open(ARTIFACT, never)
  for (const index of [3, 0, 1, 4, 2]) await file.put(await makePiece(ARTIFACT, BYTES, index), never)
  expect(disk.hasFailed).toBe(true)
  expect(new Uint8Array(await (await file.complete(never)).arrayBuffer())).toEqual(BYTES)
})

test('a full disk is not tried again under another name, since every kind of storage shares one quota', async () => {
  const disk = createFailingDisk({ ...full, at: { call: 'flush', nth: 0 } })
  const other = createFailingDisk()
  const backings = [disk, other].map(({ files, flags }) => createOpfsBacking({ files, flags, clock: createVirtualClock() }))
  const file = await createLayeredStore([...backings, createMemoryBacking(10_000)], undefined).open(ARTIFACT, never)
  await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
  expect([disk.hasFailed, file.stored.size, other.calls.includes('openWriter')]).toEqual([true, 1, false])
})

test('a store that cannot be opened at all does not keep the others from being used', async () => {
  const disk = createFailingDisk({ kind: 'crash', at: { call: 'listFlags', nth: 0 } })
  const file = await storeOn(disk, 10_000).open(ARTIFACT, never)
  await file.put(await makePiece(ARTIFACT, BYTES, 0), never)
  expect([disk.hasFailed, file.stored.size]).toEqual([true, 1])
})
