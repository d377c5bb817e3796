import type { ServerResponse } from 'node:http'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { DeliveryError } from '../../src/core/errors.ts'
import { siteTrust } from '../../src/core/verify/site-trust.ts'
import { growTrust, type LoadTrustRefresher } from '../../src/engine/trust-growth.ts'
import { follow } from '../../src/tuf/follow.ts'
import { recallTrustedRoot, updateTrustedRoot } from '../../src/tuf/refresh.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { createOfflineSigstore } from '../trust/offline-sigstore.ts'
import { makeSigner, serveRepository, TufRepository, type ServedRepository } from '../tuf/tuf-repository.ts'
import { auditOf, bytesOf, configOf, createMachine, createMirror, deliver, failureOfDelivery, never, type Machine } from './machine.ts'
import { createPublisher, PIECE_BYTES, type Publisher, type Release } from './publisher.ts'

const BYTES = seededBytes(7, PIECE_BYTES + 5)

let publisher: Publisher
let release: Release
let catalogue: Uint8Array
let olderRoot: object

beforeAll(async () => {
  publisher = await createPublisher()
  release = await publisher.release(BYTES)
  catalogue = await publisher.catalogue([release])
  // The site was deployed when Sigstore had other keys.
  olderRoot = (await createOfflineSigstore()).trustedRoot as object
})

const served: ServedRepository[] = []
afterEach(async () => {
  for (const one of served.splice(0)) await one.close()
})

/** What `trust-refresh.js` exports, without the browser's locks around it. */
const loadAt =
  (clock: Machine['clock']): LoadTrustRefresher =>
  async () => ({
    followTrustedRoot: async (options, onRoot, signal) => {
      const recall = () => recallTrustedRoot(options, signal)
      const refresh = () => updateTrustedRoot(options, () => Math.min(clock.nowSeconds, Math.floor(Date.now() / 1000)), signal)
      await follow({ recall, refresh, nowSeconds: () => clock.nowSeconds }, onRoot)
    },
  })

interface Site {
  readonly repository: TufRepository
  readonly server: ServedRepository
  readonly machine: Machine
  /** A visit: the page opens, and downloads at once. */
  visit(trustedRoot: unknown, how?: LoadTrustRefresher): ReturnType<typeof deliver>
  readonly engines: ReturnType<Machine['start']>[]
}

async function siteOf(target: unknown, answer?: (path: string, response: ServerResponse) => boolean): Promise<Site> {
  const repository = new TufRepository()
  repository.rotate()
  repository.release({ target: target as object })
  const server = await serveRepository(repository, answer)
  served.push(server)
  const machine = createMachine({ ...publisher, nowSeconds: Math.floor(Date.now() / 1000) })
  const refresh = { url: server.url, root: repository.pinned() }
  const engines: ReturnType<Machine['start']>[] = []
  return {
    repository,
    server,
    machine,
    engines,
    visit: async (trustedRoot, how = loadAt(machine.clock)) => {
      const mirror = createMirror('cdn-1', { catalogue, blobs: release.blobs })
      const engine = machine.start([mirror], { trust: { ...publisher.trust, trustedRoot, refresh } }, how)
      engines.push(engine)
      return await deliver(engine)
    },
  }
}

test('what is signed under newer keys than the site pins is delivered, at the first visit and without the repository at the next', async () => {
  const site = await siteOf(publisher.trust.trustedRoot)
  expect(await failureOfDelivery(site.visit(olderRoot, async () => await Promise.reject(new TypeError('offline'))))).toMatchObject({
    code: 'signature-invalid',
  })
  expect(await bytesOf((await site.visit(olderRoot)).blob)).toEqual(BYTES)
  await site.server.close()
  expect(await bytesOf((await site.visit([olderRoot])).blob)).toEqual(BYTES)
})

test('a record says under which trust an artifact was judged', async () => {
  const site = await siteOf(publisher.trust.trustedRoot)
  await site.visit(olderRoot)
  await site.visit(publisher.trust.trustedRoot, async () => await Promise.reject(new TypeError('offline')))
  const policies = (await auditOf(site.engines[0] ?? site.machine.start([]))).map((record) => record.policySha256)
  expect(new Set(policies).size).toBe(2)
})

test('a pinned digest that only a catalogue ahead of the clock lists is delivered, though roots come in while it is fetched', async () => {
  const machine = createMachine(publisher)
  machine.clock.nowSeconds -= 400 * 86_400
  let grow: (root: object) => void = () => undefined
  const load: LoadTrustRefresher = async () => ({
    followTrustedRoot: async (_options, onRoot) => void (grow = onRoot),
  })
  const mirror = createMirror('cdn-1', { catalogue, blobs: release.blobs })
  const read = mirror.read.bind(mirror)
  mirror.read = async function* (blob, range, signal) {
    grow(olderRoot)
    yield* read(blob, range, signal)
  }
  const refresh = { url: 'https://tuf.acme.test/', root: {} }
  const engine = machine.start([mirror], { trust: { ...publisher.trust, refresh } }, load)
  const { blob } = await deliver(engine, { kind: 'digest', sha256: release.entry.artifact.sha256 })
  expect(await bytesOf(blob)).toEqual(BYTES)
})

test('a repository that never answers delays no download', async () => {
  let isAsked: () => void = () => undefined
  const asked = new Promise<void>((resolve) => (isAsked = resolve))
  const site = await siteOf(publisher.trust.trustedRoot, () => {
    isAsked()
    return true
  })
  await site.visit(publisher.trust.trustedRoot)
  await asked
  // It was delivered while the first of its answers was still awaited.
  expect(site.server.asked).toEqual(['2.root.json'])
})

test('a part that never loads delays no download', async () => {
  const site = await siteOf(publisher.trust.trustedRoot)
  const { sleep } = site.machine.clock
  // Whoever waits for that part, however shortly, would wait for ever.
  Object.assign(site.machine.clock, {
    sleep: async (ms: number, signal: AbortSignal) => await (ms === 1000 ? new Promise<void>(() => undefined) : sleep(ms, signal)),
  })
  const delivered = await site.visit(publisher.trust.trustedRoot, () => new Promise(() => undefined))
  expect(await bytesOf(delivered.blob)).toEqual(BYTES)
})

test.each<readonly [string, (site: Site) => void]>([
  ['out of reach', (site) => void site.server.close()],
  ['expired', (site) => site.repository.release({ expiresInSeconds: { timestamp: -1 } })],
  [
    'signed by others',
    (site) => {
      site.repository.keys.timestamp = { signers: [makeSigner()] }
      site.repository.release({ version: 2 })
    },
  ],
  ['signed for a root that no verifier can read', (site) => site.repository.release({ version: 2, target: unreadable })],
])('a repository that is %s fails no download, and adds no trust', async (_, spoil) => {
  const site = await siteOf(olderRoot)
  spoil(site)
  for (let visit = 0; visit < 2; visit++) {
    expect(await bytesOf((await site.visit(publisher.trust.trustedRoot)).blob)).toEqual(BYTES)
  }
  expect(await failureOfDelivery(site.visit(olderRoot))).toMatchObject({ code: 'signature-invalid' })
})

const unreadable = { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1', tlogs: [{ publicKey: {} }] }

test('a root that no verifier can read does not stand in the way of the next', async () => {
  const site = await siteOf(unreadable)
  expect(await failureOfDelivery(site.visit(olderRoot))).toMatchObject({ code: 'signature-invalid' })
  site.repository.release({ version: 2, target: publisher.trust.trustedRoot as object })
  site.machine.clock.nowSeconds += 86_400
  expect(await bytesOf((await site.visit(olderRoot)).blob)).toEqual(BYTES)
})

test('a signature that no root vouches for stays refused, whatever the repository adds', async () => {
  const site = await siteOf((await createOfflineSigstore()).trustedRoot)
  expect(await failureOfDelivery(site.visit(olderRoot))).toMatchObject({ code: 'signature-invalid' })
})

test('a refusal waits a second at most for what may come in its favour', async () => {
  const site = await siteOf(publisher.trust.trustedRoot)
  const refused = failureOfDelivery(site.visit(olderRoot, () => new Promise(() => undefined)))
  expect(await refused).toMatchObject({ code: 'signature-invalid' })
})

test('the repository is asked once a day, and again when the clock was set back', async () => {
  const site = await siteOf(publisher.trust.trustedRoot)
  const settled = async (): Promise<number> => {
    await site.visit(olderRoot)
    return site.server.asked.filter((path) => path === 'timestamp.json').length
  }
  expect([await settled(), await settled()]).toEqual([1, 1])
  site.machine.clock.nowSeconds += 86_400
  await settled()
  await expect.poll(() => site.server.asked.filter((path) => path === 'timestamp.json').length).toBe(2)
  site.machine.clock.nowSeconds -= 400 * 86_400
  site.machine.start(
    [],
    { trust: { ...publisher.trust, refresh: { url: site.server.url, root: site.repository.pinned() } } },
    loadAt(site.machine.clock),
  )
  await expect.poll(() => site.server.asked.filter((path) => path === 'timestamp.json').length).toBe(3)
  expect(site.server.asked.filter((path) => path === 'timestamp.json')).toHaveLength(3)
})

test('a site that names no repository loads nothing', async () => {
  const machine = createMachine(publisher)
  let loads = 0
  const engine = machine.start([createMirror('cdn-1', { catalogue, blobs: release.blobs })], {}, async () => {
    loads++
    return await Promise.reject(new Error('not needed'))
  })
  await deliver(engine, undefined, never)
  expect(loads).toBe(0)
})

test('a refused signature is tried under the refreshed root beside the pinned ones, and never where a trust update says which roots count', async () => {
  const machine = createMachine(publisher)
  const trust = { ...publisher.trust, trustedRoot: olderRoot, refresh: { url: 'https://tuf.acme.test/', root: {} } }
  const load: LoadTrustRefresher = async () => ({
    followTrustedRoot: async (_options, onRoot) => onRoot(publisher.trust.trustedRoot as object),
  })
  const config = { ...configOf(publisher), trust }
  const growth = growTrust({ config, records: machine.index.records, clock: machine.clock, load }, never)
  const tried: unknown[] = []
  const verifier = growth?.patient({
    async verify(_bundle, _subject, { trustedRoot }) {
      tried.push(trustedRoot)
      throw new DeliveryError({ code: 'signature-invalid', detail: 'of nobody' })
    },
  })
  const { catalogue: policy } = siteTrust(trust)
  const updated = { ...policy, trustedRoot: structuredClone(olderRoot) }
  for (const one of [policy, updated])
    expect(await failureOfDelivery(verifier?.verify(BYTES, release.entry.artifact.sha256, one) ?? Promise.resolve())).toMatchObject({
      code: 'signature-invalid',
    })
  expect(tried).toEqual([olderRoot, [olderRoot, publisher.trust.trustedRoot], updated.trustedRoot])
})
