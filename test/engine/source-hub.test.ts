import { beforeEach, expect, test } from 'vitest'
import type { Origin } from '../../src/core/manifest/catalogue.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { createSourceHub, type SourceHub, type SourceTask } from '../../src/engine/source-hub.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

const CONFIG: SiteConfig = {
  schema: 1,
  repository: 'acme',
  origins: [{ id: 'own', url: 'https://own.test/' }],
  gateways: [{ id: 'lan', url: 'http://gateway.lan/', addressSpace: 'local' }],
  preset: 'cdn-first',
  tiers: undefined,
  mesh: { mode: 'off', signaling: [], ticketUrl: undefined, iceServers: [] },
  trust: {
    catalogueSigners: [],
    artifactSigners: [],
    trustedRoot: undefined,
    thresholds: { log: 1, sct: 1, timestamp: 1 },
    minSigners: { catalogue: 1, artifacts: 1 },
    provenance: ANY_PROVENANCE,
    minimumVersion: 0,
    version: 0,
    updates: undefined,
  },
  maxGraceSeconds: 0,
}
const origin = (id: string, over: Partial<Origin> = {}): Origin => ({
  id,
  tier: 'cdn',
  url: `https://${id}.test/`,
  region: undefined,
  operator: undefined,
  ...over,
})

let hub: SourceHub
let task: SourceTask
let changes: number

beforeEach(() => {
  hub = createSourceHub(CONFIG, { clock: systemClock, isSecurePage: true, windowSources: undefined })
  task = hub.openTask(undefined)
  changes = 0
  task.onChange(() => void changes++)
})

const ids = () => task.current().map(({ id }) => id)

test('an origin that a newer catalogue leaves out is not asked any more, and the site’s own stays', () => {
  hub.setOrigins([origin('a'), origin('b')])
  expect(ids()).toEqual(['own', 'a', 'b'])
  hub.setOrigins([origin('b'), origin('c')])
  expect(ids()).toEqual(['own', 'b', 'c'])
  expect(task.catalogues().map(({ id }) => id)).toEqual(['own', 'b', 'c'])
  hub.setOrigins([])
  expect(ids()).toEqual(['own'])
  expect(changes).toBe(3)
})

test('the same list again changes nothing: who reads from an origin goes on', () => {
  hub.setOrigins([origin('a')])
  const before = task.current()
  hub.setOrigins([origin('a')])
  expect(task.current()).toEqual(before)
  expect(task.current()[1]).toBe(before[1])
  expect(changes).toBe(1)
})

test('an origin that moved is asked at its new place', () => {
  hub.setOrigins([origin('a')])
  const [, before] = task.current()
  hub.setOrigins([origin('a', { url: 'https://elsewhere.test/', tier: 'gateway' })])
  expect(ids()).toEqual(['own', 'a'])
  expect(task.current()[1]).not.toBe(before)
  expect(hub.tierOf(toSourceId('a'))).toBe('gateway')
})

test('no catalogue takes the place of what the site itself names, in the worker or in the window', () => {
  const [own] = task.current()
  hub.setOrigins([origin('own', { url: 'https://evil.test/', tier: 'gateway' }), origin('lan')])
  expect(task.current()).toEqual([own])
  expect([hub.tierOf(toSourceId('own')), hub.tierOf(toSourceId('lan'))]).toEqual(['cdn', 'gateway'])
})

test('an origin that is gone is still told by its tier in records', () => {
  hub.setOrigins([origin('a', { tier: 'gateway' })])
  hub.setOrigins([])
  expect(hub.tierOf(toSourceId('a'))).toBe('gateway')
})

test('an origin twice in one list is one source', () => {
  hub.setOrigins([origin('a'), origin('a', { url: 'https://twin.test/' })])
  expect(ids()).toEqual(['own', 'a'])
})
