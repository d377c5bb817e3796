import { expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { deliveryPolicy } from '../../src/core/plan/policy.ts'
import { createReputation } from '../../src/core/plan/reputation.ts'
import type { CatalogueSource, Tier } from '../../src/core/ports.ts'
import { createRoster } from '../../src/scheduler/roster.ts'
import { collectCatalogues, type CatalogueHaul, type CatalogueJob } from '../../src/scheduler/fetch-catalogue.ts'
import { instantHasher } from '../fakes/make-artifact.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'
import { createMovableSet } from './bench-room.ts'

/** Catalogues are one byte here: their version. Zero is one that must be refused. */
async function accept(bytes: Uint8Array): Promise<number> {
  const version = bytes[0] ?? 0
  if (version === 0) throw new DeliveryError({ code: 'signature-invalid', detail: 'zero' })
  return version
}

function createRoom(preset: SiteConfig['preset'] = 'cdn-first') {
  const clock = createVirtualClock()
  const reputation = createReputation()
  let catalogues: readonly CatalogueSource[] = []
  const set = { ...createMovableSet([]), catalogues: () => catalogues }
  const tools = {
    sources: set,
    policy: deliveryPolicy(preset, undefined, undefined),
    reputation,
    roster: createRoster(clock),
    clock,
    random: () => 0,
    runPeers: undefined,
    hasher: instantHasher,
  }
  return {
    clock,
    set,
    reputation,
    /** `answer` undefined: never answers. */
    source(
      id: string,
      answer: number | undefined,
      { afterMs = 10, tier = 'cdn' }: { afterMs?: number; tier?: Tier } = {},
    ): CatalogueSource {
      return {
        id: toSourceId(id),
        tier,
        async readCatalogue(_limitBytes, signal) {
          await clock.sleep(answer === undefined ? 1_000_000 : afterMs, signal)
          return new Uint8Array([answer ?? 0])
        },
        readTrustUpdate: () => Promise.reject(new DeliveryError({ code: 'source-missing', source: toSourceId(id) })),
      }
    },
    put(sources: readonly CatalogueSource[]): void {
      catalogues = sources
      set.replace([])
    },
    async collect(
      sources: readonly CatalogueSource[],
      over: Partial<Pick<CatalogueJob<number>, 'isNeeded' | 'beside'>> & { readonly signal?: AbortSignal } = {},
    ): Promise<CatalogueHaul<number>> {
      const { isNeeded = true, beside = async () => undefined, signal = new AbortController().signal } = over
      catalogues = sources
      return await clock.drive(collectCatalogues({ accept, isNeeded, beside }, tools, signal))
    },
  }
}

const versions = ({ accepted }: CatalogueHaul<number>): readonly number[] => accepted.map((one) => one.value).toSorted((a, b) => a - b)

test('every source is asked at once, and every good answer counts', async () => {
  const room = createRoom()
  const haul = await room.collect([room.source('cdn-1', 3), room.source('cdn-2', 5), room.source('gateway', 4, { tier: 'gateway' })])
  expect(versions(haul)).toEqual([3, 4, 5])
  expect(room.clock.monotonicMs()).toBeLessThan(50)
})

test('once one has answered, the others get 400 ms more to bring a higher one, and no longer', async () => {
  const room = createRoom()
  const late = room.source('cdn-2', 5, { afterMs: 300 })
  expect(versions(await room.collect([room.source('cdn-1', 3), late, room.source('cdn-3', undefined)]))).toEqual([3, 5])
  expect(room.clock.monotonicMs()).toBeGreaterThanOrEqual(400)
  expect(room.clock.monotonicMs()).toBeLessThan(600)
  expect(room.clock.sleeping).toBe(0)
})

test('an answer that is refused is told, though its source never ends with what it tells beside', async () => {
  const room = createRoom()
  const beside = (_source: CatalogueSource, signal: AbortSignal) =>
    new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  const haul = await room.collect([room.source('cdn-1', 0)], { beside })
  expect(haul.failures).toEqual([{ code: 'signature-invalid', detail: 'zero' }])
  expect(room.clock.monotonicMs()).toBeLessThan(6000)
})

test('an answer that is refused is told, and does not end the wait for a good one', async () => {
  const room = createRoom()
  const haul = await room.collect([room.source('cdn-1', 0), room.source('cdn-2', 5, { afterMs: 2000 })])
  expect(versions(haul)).toEqual([5])
  expect(haul.failures).toEqual([{ code: 'signature-invalid', detail: 'zero' }])
})

test('peers are met when a catalogue is needed and all others are silent', async () => {
  const room = createRoom()
  const silent = room.source('cdn-1', undefined)
  room.set.growing = true
  const work = room.collect([silent])
  void room.clock.sleep(3000, new AbortController().signal).then(() => room.put([silent, room.source('peer:a', 4, { tier: 'mesh' })]))
  expect(versions(await work)).toEqual([4])
  expect(room.set.wanted.has('mesh')).toBe(true)
})

test('no peer is met for a newer catalogue, and a silent source holds nobody up for long', async () => {
  const room = createRoom()
  expect(versions(await room.collect([room.source('cdn-1', undefined)], { isNeeded: false }))).toEqual([])
  expect(room.set.wanted.has('mesh')).toBe(false)
  expect(room.clock.monotonicMs()).toBeLessThan(1700)
})

test('silence all around ends, with a timeout told for each source', async () => {
  const room = createRoom()
  room.set.growing = true
  const haul = await room.collect([room.source('cdn-1', undefined), room.source('cdn-2', undefined)])
  expect(haul.failures.map((failure) => failure.code)).toEqual(['source-timeout', 'source-timeout'])
  expect(room.clock.monotonicMs()).toBeLessThan(13_000)
})

test('without any source it ends at once', async () => {
  const room = createRoom()
  expect(await room.collect([])).toEqual({ accepted: [], failures: [] })
  expect(room.clock.monotonicMs()).toBe(0)
})

test('sources that are banned, or that the site does not use, are not asked', async () => {
  const room = createRoom('offline-lan')
  const banned = room.source('gateway', 9, { tier: 'gateway' })
  room.reputation.blame(banned.id, { code: 'peer-frame', detail: 'it lied' })
  const haul = await room.collect([banned, room.source('cdn-1', 8), room.source('gateway-2', 7, { tier: 'gateway' })])
  expect(versions(haul)).toEqual([7])
})

test('rejects with the abort reason itself, not a wrapper, and lets go of every source', async () => {
  const room = createRoom()
  const stop = new AbortController()
  const reason = { why: 'the user left' }
  const work = room.collect([room.source('cdn-1', undefined)], { signal: stop.signal }).catch((error: unknown) => error)
  void room.clock.sleep(100, new AbortController().signal).then(() => stop.abort(reason))
  expect(await work).toBe(reason)
  expect(room.clock.sleeping).toBe(0)
})
