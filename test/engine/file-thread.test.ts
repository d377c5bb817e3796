import { describe, expect, test } from 'vitest'
import type { Artifact } from '../../src/core/model/artifact.ts'
import { toPieceIndex } from '../../src/core/model/ids.ts'
import type { Clock } from '../../src/core/ports.ts'
import { serveFiles } from '../../src/engine/file-server.ts'
import type { FileAnswer, FileEngineEnd, FileQuestion, FileThreadEnd } from '../../src/engine/file-message.ts'
import { openOnThread } from '../../src/engine/file-thread.ts'
import type { FileStore } from '../../src/stores/artifact-file.ts'
import { createLayeredStore } from '../../src/stores/layered-store.ts'
import { openHere, type OpenFileNamed } from '../../src/stores/open-file.ts'
import { createOpfsBacking } from '../../src/stores/opfs-backing.ts'
import { expectFailure } from '../contracts/check.ts'
import { createFailingDisk, type FailingDisk, type PlantedFailure } from '../fakes/failing-disk.ts'
import { makeArtifact, makePiece, pieceBytes } from '../fakes/make-artifact.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { holdThread, openThreadPort, type HeldThread } from '../fakes/thread-port.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

const never = new AbortController().signal
const MIB = 1024 * 1024
const LARGE = seededBytes(5, 2 * MIB + 1234)
const ARTIFACT = makeArtifact(LARGE, MIB)
const ALL = [0, 1, 2]

interface Machine {
  readonly disk: FailingDisk
  readonly store: FileStore
  /** Names of files that this thread opened itself. */
  readonly openedHere: readonly string[]
}

const serving = (disk: FailingDisk) => (end: FileThreadEnd) => serveFiles(end, Promise.resolve(openHere(disk.files)))

function machineOn(options: {
  readonly start: (disk: FailingDisk) => FileEngineEnd
  readonly clock?: Clock
  readonly planted?: PlantedFailure
}): Machine {
  const { start, clock = systemClock, planted } = options
  const disk = createFailingDisk(planted)
  const openedHere: string[] = []
  const here: OpenFileNamed = async (name, sizeBytes) => {
    const file = await openHere(disk.files)(name, sizeBytes)
    openedHere.push(name)
    return file
  }
  const openFile = openOnThread(() => start(disk), here, clock)
  const store = createLayeredStore([createOpfsBacking({ files: disk.files, flags: disk.flags, clock, openFile })], undefined)
  return { disk, store, openedHere }
}

const onThread = (planted?: PlantedFailure): Machine =>
  machineOn({ start: (disk) => openThreadPort(serving(disk)), ...(planted === undefined ? {} : { planted }) })

/** Puts every piece, closes, and gives what a later visit finds. */
async function keepAll(store: FileStore, artifact: Artifact = ARTIFACT, bytes = LARGE): Promise<readonly Uint8Array[]> {
  const file = await store.open(artifact, never)
  for (let index = 0; index < artifact.pieces.count; index++) await file.put(await makePiece(artifact, bytes, index), never)
  await file.close()
  const later = await store.open(artifact, never)
  const read = await Promise.all([...later.stored.indices()].map((piece) => later.read(toPieceIndex(piece), never)))
  await later.close()
  return read
}

const expected = ALL.map((index) => pieceBytes(ARTIFACT, LARGE, toPieceIndex(index)))

test('what a thread wrote is there at the next visit, and this thread opened nothing to write', async () => {
  const { store, openedHere, disk } = onThread()
  expect(await keepAll(store)).toEqual(expected)
  expect([openedHere, disk.openWriters]).toEqual([[], 0])
})

test('the bytes of a piece are the caller’s again once it is kept', async () => {
  const { store } = onThread()
  const file = await store.open(ARTIFACT, never)
  const piece = await makePiece(ARTIFACT, LARGE, 0)
  await file.put(piece, never)
  expect(piece.bytes.length).toBe(MIB)
  piece.bytes.fill(0)
  expect(await file.read(toPieceIndex(0), never)).toEqual(expected[0])
  await file.close()
})

test('a file cleared under the thread that has it open: another thread takes over, for that one could not close it', async () => {
  const started: HeldThread<FileQuestion, FileAnswer>[] = []
  const clock = createVirtualClock()
  const { store, disk, openedHere } = machineOn({
    clock,
    start: (disk) => {
      const thread = holdThread(serving(disk))
      started.push(thread)
      thread.arrive()
      thread.release()
      return thread.port
    },
  })
  const file = await store.open(ARTIFACT, never)
  await file.put(await makePiece(ARTIFACT, LARGE, 0), never)
  disk.clearFiles()
  disk.freeHandles()
  await clock.advance(1000)
  await expectFailure(file.put(await makePiece(ARTIFACT, LARGE, 1), never), ['store-tampered'])
  for (const index of ALL) await file.put(await makePiece(ARTIFACT, LARGE, index), never)
  expect(await Promise.all(ALL.map((index) => file.read(toPieceIndex(index), never)))).toEqual(expected)
  await file.close()
  expect([started.map(({ isStopped }) => isStopped), openedHere]).toEqual([[true, false], []])
})

test('a small file is written here', async () => {
  const bytes = seededBytes(6, 5000)
  const { store, openedHere } = onThread()
  expect((await keepAll(store, makeArtifact(bytes, 1024), bytes)).length).toBe(5)
  expect(openedHere.length).toBe(1)
})

test('a full disk is told as one, though a thread met it', async () => {
  const full = new DOMException('no room', 'QuotaExceededError')
  const { store } = onThread({ kind: 'before', at: { call: 'truncate', nth: 0 }, error: full })
  await expectFailure(store.open(ARTIFACT, never), ['quota-exceeded'])
})

test('a handle that an ended worker has not let go of yet is waited for', async () => {
  const { store, disk } = onThread()
  const held = await disk.files.openWriter(`${ARTIFACT.sha256}.part`)
  const opening = store.open(ARTIFACT, never)
  await expect.poll(() => disk.calls.filter((call) => call === 'openWriter').length).toBeGreaterThan(2)
  held.close()
  const file = await opening
  await file.put(await makePiece(ARTIFACT, LARGE, 0), never)
  await file.close()
  expect(disk.openWriters).toBe(0)
})

describe('where the thread is not to be had', () => {
  const refuse = (): never => {
    throw new DOMException('refused by policy', 'SecurityError')
  }

  test('it cannot be started: this thread writes', async () => {
    const { store, openedHere } = machineOn({ start: refuse })
    expect(await keepAll(store)).toEqual(expected)
    expect(openedHere.length).toBeGreaterThan(0)
  })

  test('it may not open files: this thread writes', async () => {
    const unable = (end: FileThreadEnd): void => serveFiles(end, Promise.reject(new Error('no file system here')))
    const { store } = machineOn({ start: () => openThreadPort(unable) })
    expect(await keepAll(store)).toEqual(expected)
  })

  test('its script cannot be fetched, or never comes: this thread writes after a second', async () => {
    const clock = createVirtualClock()
    const { store } = machineOn({ start: (disk) => holdThread(serving(disk)).port, clock })
    const kept = keepAll(store)
    await clock.advance(1000)
    expect(await kept).toEqual(expected)
  })

  const broken: readonly (readonly [
    string,
    (thread: HeldThread<FileQuestion, FileAnswer>, clock: ReturnType<typeof createVirtualClock>) => unknown,
  ])[] = [
    ['its script fails', (thread) => thread.die()],
    ['it falls silent', (_, clock) => clock.advance(20_000)],
  ]
  test.each(broken)('%s in the middle: it is ended, and this thread writes on; nothing that was kept is lost', async (_, breakIt) => {
    const clock = createVirtualClock()
    let thread: HeldThread<FileQuestion, FileAnswer> | undefined
    const machine = machineOn({
      clock,
      start: (disk) => {
        const held = holdThread(serving(disk))
        thread = held
        held.arrive()
        held.release()
        return held.port
      },
    })
    const file = await machine.store.open(ARTIFACT, never)
    await file.put(await makePiece(ARTIFACT, LARGE, 0), never)
    thread?.hold()
    const second = makePiece(ARTIFACT, LARGE, 1).then((piece) => file.put(piece, never))
    const read = file.read(toPieceIndex(0), never)
    await thread?.asked(4)
    // The browser frees what an ended worker held.
    machine.disk.freeHandles()
    if (thread !== undefined) await breakIt(thread, clock)
    await second
    expect([await read, thread?.isStopped, [...file.stored.indices()]]).toEqual([expected[0], true, [0, 1]])
    await file.put(await makePiece(ARTIFACT, LARGE, 2), never)
    expect(await file.read(toPieceIndex(1), never)).toEqual(expected[1])
    await file.close()
    expect(machine.openedHere.length).toBe(1)
  })
})
