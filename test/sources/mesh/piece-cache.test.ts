import { expect, test } from 'vitest'
import { toPieceIndex } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import { createPieceCache } from '../../../src/sources/mesh/piece-cache.ts'
import { never } from './sessions.ts'

const A = sha256Of(Uint8Array.of(1))
const B = sha256Of(Uint8Array.of(2))

function counting(bytes: Uint8Array | undefined = new Uint8Array(100)) {
  const counter = { loads: 0, load: async () => (counter.loads++, bytes) }
  return counter
}

test('a piece that many ask for at the same time is read once, and once more only after others took its room', async () => {
  const cache = createPieceCache(250)
  const one = counting()
  const read = (index: number, load = one.load) => cache.read(A, toPieceIndex(index), load, never)
  await Promise.all([read(0), read(0), read(0)])
  await read(0)
  expect(one.loads).toBe(1)
  await read(1)
  await read(0)
  await read(2)
  // Piece 1 was asked for longest ago.
  expect(one.loads).toBe(3)
  await read(0)
  expect(one.loads).toBe(3)
  await read(1)
  expect(one.loads).toBe(4)
})

test('what is dropped is read anew, also when it was being read', async () => {
  const cache = createPieceCache()
  const one = counting()
  const pending = cache.read(A, toPieceIndex(0), one.load, never)
  cache.drop(A)
  await pending
  await cache.read(A, toPieceIndex(0), one.load, never)
  await cache.read(B, toPieceIndex(0), one.load, never)
  expect(one.loads).toBe(3)
  cache.drop(A)
  await cache.read(B, toPieceIndex(0), one.load, never)
  expect(one.loads).toBe(3)
})

test('neither a piece that is not there nor a read that failed is remembered', async () => {
  const cache = createPieceCache()
  const none = counting(undefined)
  for (let i = 0; i < 2; i++) expect(await cache.read(A, toPieceIndex(0), async () => (none.loads++, undefined), never)).toBeUndefined()
  expect(none.loads).toBe(2)
  await expect(cache.read(A, toPieceIndex(1), () => Promise.reject(new Error('disk')), never)).rejects.toThrow('disk')
  expect(await cache.read(A, toPieceIndex(1), async () => new Uint8Array(1), never)).toHaveLength(1)
})

test('whoever cancels waits no longer, and spoils it for nobody', async () => {
  const cache = createPieceCache()
  const stop = new AbortController()
  let arrive: (bytes: Uint8Array) => void = () => undefined
  const load = (): Promise<Uint8Array> => new Promise((resolve) => (arrive = resolve))
  const cancelled = cache.read(A, toPieceIndex(0), load, stop.signal)
  const patient = cache.read(A, toPieceIndex(0), load, never)
  stop.abort(new Error('mine'))
  await expect(cancelled).rejects.toThrow('mine')
  arrive(new Uint8Array(3))
  expect(await patient).toHaveLength(3)
})
