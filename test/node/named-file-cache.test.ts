import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createNamedFileCache, type NamedFileCache } from '../../src/node/named-file-cache.ts'
import { createKeptFiles, type KeptFiles } from '../../src/node/kept-files.ts'
import { createOriginPool } from '../../src/node/origin-pool.ts'
import { createVirtualClock, type VirtualClock } from '../fakes/virtual-clock.ts'
import { startOrigin, type Origin } from '../gateway/origin.ts'
import { temporaryFolder } from './temporary-folder.ts'

const never = new AbortController().signal
let origins: readonly Origin[]
let clock: VirtualClock
let cache: NamedFileCache
let kept: KeptFiles

beforeEach(async () => {
  const folder = await temporaryFolder()
  origins = [await startOrigin(Buffer.from('a')), await startOrigin(Buffer.from('a'))]
  clock = createVirtualClock()
  const urls = origins.map(({ url }) => new URL(url))
  const pool = createOriginPool(urls, { clock, log: () => undefined })
  kept = createKeptFiles(() => undefined)
  const caches = { pool, kept, clock, cacheDir: join(folder, 'cache'), pinnedRoot: folder, freshMs: 60_000 }
  cache = createNamedFileCache({ ...caches, path: 'catalogue.json', maxBytes: LIMITS.catalogueBytes, isOftenMissing: false })
})
afterEach(async () => {
  await Promise.all(origins.map((origin) => origin.kill()))
  await kept.settled()
})

const get = async (): Promise<readonly unknown[]> => {
  const answer = await cache.get(never)
  return typeof answer === 'string' ? [undefined, ''] : [answer.status, Buffer.from(answer.bytes).toString()]
}
const requests = (): number => origins.reduce((sum, origin) => sum + origin.catalogueRequests, 0)

test('an old catalogue is served at once while silent origins are asked by one request at a time', async () => {
  expect(await get()).toEqual(['MISS', '{"first":true}'])
  for (const origin of origins) origin.mode = 'hanging'
  await clock.advance(60_000)
  for (let client = 0; client < 5; client++) expect(await get()).toEqual(['STALE', '{"first":true}'])
  await expect.poll(requests).toBe(2)
  await clock.advance(2_999)
  expect(await get()).toEqual(['STALE', '{"first":true}'])
  expect(requests()).toBe(2)
})

test('a newer catalogue is fetched behind the answer, and is then fresh', async () => {
  await get()
  for (const origin of origins) origin.catalogue = '{"second":true}'
  expect(await get()).toEqual(['HIT', '{"first":true}'])
  await clock.advance(60_000)
  expect(await get()).toEqual(['STALE', '{"first":true}'])
  await expect.poll(get).toEqual(['HIT', '{"second":true}'])
})

test('after a failure nobody is asked for a while', async () => {
  await get()
  for (const origin of origins) origin.mode = 'html'
  await clock.advance(60_000)
  await get()
  await expect.poll(requests).toBe(3)
  // The refusal of the second origin still has to come back.
  await expect.poll(async () => [...(await get()), requests()]).toEqual(['STALE', '{"first":true}', 3])
  await clock.advance(10_000)
  await get()
  await expect.poll(requests).toBe(5)
})
