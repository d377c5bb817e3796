import { describe, expect, test } from 'vitest'
import { DeliveryError, type Failure } from '../../src/core/errors.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { createFallbackMemory } from '../../src/stores/fallback-memory.ts'
import { createVolatileMemory, type Memory } from '../../src/stores/volatile-index.ts'
import { expectFailure } from '../contracts/check.ts'
import { seededBytes } from '../fakes/seeded-random.ts'

const never = new AbortController().signal
const BYTES = seededBytes(1, 100)
const DIGEST = sha256Of(BYTES)
const [ONE, TWO] = [Uint8Array.of(1), Uint8Array.of(2)]
const FULL: Failure = { code: 'quota-exceeded', neededBytes: 0 }

/** An index that outlives the memory over it, and fails while told to. */
interface Disk extends Memory {
  failing: { readonly reads?: Failure; readonly writes?: Failure }
}

function createDisk(): Disk {
  const { documents, records, audit } = createVolatileMemory()
  const disk: Disk = {
    failing: {},
    documents: {
      get: (sha256, signal) => reading(() => documents.get(sha256, signal)),
      put: (sha256, bytes, signal) => writing(() => documents.put(sha256, bytes, signal)),
      remove: (sha256, signal) => writing(() => documents.remove(sha256, signal)),
    },
    records: {
      get: (key, signal) => reading(() => records.get(key, signal)),
      put: (key, value, signal) => writing(() => records.put(key, value, signal)),
      putAll: (entries, signal) => writing(() => records.putAll(entries, signal)),
      remove: (key, signal) => writing(() => records.remove(key, signal)),
      keys: (signal) => reading(() => records.keys(signal)),
    },
    audit: {
      append: (bytes, signal) => writing(() => audit.append(bytes, signal)),
      last: (signal) => reading(() => audit.last(signal)),
      all: async (signal) => [...(await reading(() => audit.all(signal)))],
    },
  }
  const reading = async <T>(work: () => Promise<T>): Promise<T> => {
    if (disk.failing.reads !== undefined) throw new DeliveryError(disk.failing.reads)
    return await work()
  }
  const writing = async <T>(work: () => Promise<T>): Promise<T> => {
    if (disk.failing.writes !== undefined) throw new DeliveryError(disk.failing.writes)
    return await work()
  }
  return disk
}

describe.each<Failure>([FULL, { code: 'store-failed', detail: 'broken' }])('on a disk that takes nothing ($code)', (writes) => {
  test('what is written is read back, and what is removed is gone', async () => {
    const disk = createDisk()
    const memory = createFallbackMemory(disk)
    await memory.documents.put(DIGEST, BYTES, never)
    await memory.records.put('floor', 1, never)
    await memory.records.put('other', 1, never)
    await memory.audit.append(ONE, never)
    disk.failing = { writes }
    await memory.records.put('floor', 2, never)
    await memory.records.put('ticket', 3, never)
    await memory.records.remove('other', never)
    await memory.documents.remove(DIGEST, never)
    await memory.documents.put(sha256Of(ONE), ONE, never)
    await memory.audit.append(TWO, never)
    expect(await memory.records.get('floor', never)).toBe(2)
    expect((await memory.records.keys(never)).toSorted()).toEqual(['floor', 'ticket'])
    expect(await memory.records.get('other', never)).toBeUndefined()
    expect(await memory.documents.get(DIGEST, never)).toBeUndefined()
    expect(await memory.documents.get(sha256Of(ONE), never)).toEqual(ONE)
    expect(await memory.audit.last(never)).toEqual(TWO)
    expect(await memory.audit.all(never)).toEqual([ONE, TWO])
  })
})

test('where there is room, everything outlives the context', async () => {
  const disk = createDisk()
  const before = createFallbackMemory(disk)
  await before.documents.put(DIGEST, BYTES, never)
  await before.records.put('floor', 1, never)
  await before.audit.append(ONE, never)
  const after = createFallbackMemory(disk)
  expect(await after.documents.get(DIGEST, never)).toEqual(BYTES)
  expect([await after.records.get('floor', never), await after.records.keys(never)]).toEqual([1, ['floor']])
  expect([await after.audit.last(never), await after.audit.all(never)]).toEqual([ONE, [ONE]])
})

test('a document that was removed on a full disk can be put again', async () => {
  const disk = createDisk()
  const memory = createFallbackMemory(disk)
  disk.failing = { writes: FULL }
  await memory.documents.remove(DIGEST, never)
  await memory.documents.put(DIGEST, BYTES, never)
  expect(await memory.documents.get(DIGEST, never)).toEqual(BYTES)
  disk.failing = {}
  await memory.documents.put(DIGEST, BYTES, never)
  expect(await disk.documents.get(DIGEST, never)).toEqual(BYTES)
})

test('a record that another tab moved on meanwhile is never set back', async () => {
  const disk = createDisk()
  const memory = createFallbackMemory(disk)
  disk.failing = { writes: FULL }
  await memory.records.put('floor', 2, never)
  disk.failing = {}
  await disk.records.put('floor', 9, never)
  await memory.records.put('floor', 3, never)
  expect([await memory.records.get('floor', never), await disk.records.get('floor', never)]).toEqual([3, 9])
})

test('records that are written together stay together when one of them is apart', async () => {
  const disk = createDisk()
  const memory = createFallbackMemory(disk)
  disk.failing = { writes: FULL }
  await memory.records.put('floor', 2, never)
  disk.failing = {}
  await memory.records.putAll(
    new Map([
      ['floor', 3],
      ['catalogue', 4],
    ]),
    never,
  )
  expect([await memory.records.get('floor', never), await memory.records.get('catalogue', never)]).toEqual([3, 4])
  expect(await disk.records.keys(never)).toEqual([])
})

test('a record that cannot be read counts as missing, and is not written over blindly', async () => {
  const disk = createDisk()
  const memory = createFallbackMemory(disk)
  await disk.records.put('floor', 9, never)
  disk.failing = { reads: { code: 'store-failed', detail: 'broken' } }
  expect(await memory.records.get('floor', never)).toBeUndefined()
  expect(await memory.documents.get(DIGEST, never)).toBeUndefined()
  await memory.records.put('floor', 3, never)
  disk.failing = {}
  expect([await memory.records.get('floor', never), await disk.records.get('floor', never)]).toEqual([3, 9])
})

test('audit records after one that was not kept are not kept either, so that the kept chain has no gap', async () => {
  const disk = createDisk()
  const memory = createFallbackMemory(disk)
  disk.failing = { writes: FULL }
  await memory.audit.append(ONE, never)
  disk.failing = {}
  await memory.audit.append(TWO, never)
  expect([await memory.audit.all(never), await disk.audit.all(never)]).toEqual([[ONE, TWO], []])
})

test('an index that a newer version of this code owns is still a failure', async () => {
  const disk = createDisk()
  disk.failing = { writes: { code: 'version-skew', expected: 1, actual: 2 } }
  await expectFailure(createFallbackMemory(disk).records.put('floor', 1, never), ['version-skew'])
})
