import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { toPieceIndex, toSourceId, type Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { publish } from '../../src/node/publish/publish.ts'
import type { PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { createPeerTally } from '../../src/node/seed/peer-tally.ts'
import { runSeed, type SeedOptions } from '../../src/node/seed/seed.ts'
import type { SeedEvent } from '../../src/node/seed/seed-event.ts'
import { openShelf, type FilledShelf, type ShelfOptions } from '../../src/node/seed/shelf.ts'
import { loadWrtc } from '../../src/node/seed/wrtc.ts'
import { blobPath } from '../../src/node/site/site-reader.ts'
import { emptySeedStore } from '../../src/sources/mesh/seed-store.ts'
import { systemClock } from '../fakes/system-clock.ts'
import { bytesOf, makeFolder, makeKeySigner, never, stoppedClock } from './publish-fixture.ts'

const AGENT = bytesOf(300_000)
const NOTES = bytesOf(1000)

interface Bench {
  readonly inbox: string
  readonly site: string
  readonly config: SiteConfig
  readonly events: SeedEvent[]
  /** A newer catalogue each time. */
  publish(denied?: readonly Sha256[]): Promise<void>
  openShelf(other?: Partial<ShelfOptions>): Promise<FilledShelf>
}

async function openBench(): Promise<Bench> {
  const inbox = await makeFolder({ 'agent-1.0.0.tar.gz': AGENT, 'notes-1.0.0.tar.gz': NOTES })
  const site = await makeFolder({})
  const [signer, clock] = [await makeKeySigner(), stoppedClock(Math.floor(systemClock.nowMs() / 1000) - 1000)]
  const config = configOf(signer)
  const events: SeedEvent[] = []
  const log = (event: SeedEvent): void => void events.push(event)
  const bench: Bench = {
    inbox,
    site,
    config,
    events,
    async publish(denied = []) {
      clock.advance(1)
      await publish({ dir: inbox, site, repository: 'acme', signer, clock, denied }, never)
    },
    openShelf: (other = {}) => openShelf({ config, places: [site], sites: [site], clock: systemClock, log, ...other }, never),
  }
  await bench.publish()
  return bench
}

function configOf({ policy }: PublishSigner, mesh: object = { mode: 'lan', signaling: ['ws://127.0.0.1:9/'] }): SiteConfig {
  const signers = policy.anyOf.map((signer) => (signer.kind === 'key' ? { publicKey: signer.publicKeyPem } : signer))
  const text = JSON.stringify({ schema: 1, repository: 'acme', mesh, trust: { catalogueSigners: signers, artifactSigners: signers } })
  return parseSiteConfig(new TextEncoder().encode(text), 'https://portal.test/')
}

const namesOn = (shelf: FilledShelf): readonly string[] =>
  shelf
    .holdings()
    .map(({ entry }) => entry.name)
    .toSorted()
const told = (events: readonly SeedEvent[]): readonly string[] =>
  events.map((event) => ('artifact' in event ? `${event.event} ${event.artifact.name}` : event.event)).toSorted()

test('offers what a site folder holds, each piece as it was signed, with the documents that show it', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf()
  expect(namesOn(shelf)).toEqual([])
  await shelf.refresh(() => undefined, never)
  expect(namesOn(shelf)).toEqual(['agent', 'notes'])
  const agent = shelf.find(sha256Of(AGENT))
  expect(agent?.layout).toEqual({ sizeBytes: 300_000, pieceLengthBytes: 65_536, count: 5 })
  expect(await agent?.readPiece(toPieceIndex(4), never)).toEqual(new Uint8Array(AGENT.subarray(4 * 65_536)))
  // A manifest and one signature; five hashes stand in the manifest itself.
  expect(agent?.documents.map(({ bytes, ref }) => sha256Of(bytes) === ref.sha256)).toEqual([true, true])
  expect(shelf.catalogue()?.length).toBeGreaterThan(100)
})

test('never offers an artifact that is damaged on its disk, and says which one', async () => {
  const bench = await openBench()
  const altered = Buffer.from(AGENT)
  altered[200_000] = (altered[200_000] ?? 0) ^ 1
  await writeFile(join(bench.site, blobPath(sha256Of(AGENT))), altered)
  const shelf = await bench.openShelf()
  await shelf.refresh(() => undefined, never)
  expect(namesOn(shelf)).toEqual(['notes'])
  expect(told(bench.events)).toEqual(['offered notes', 'refused agent'])
  expect(bench.events.find(({ event }) => event === 'refused')).toMatchObject({ failure: { code: 'artifact-digest' } })
})

test('gives no piece that was altered after it was offered', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf()
  await shelf.refresh(() => undefined, never)
  const altered = Buffer.from(AGENT)
  altered[70_000] = (altered[70_000] ?? 0) ^ 1
  await writeFile(join(bench.site, blobPath(sha256Of(AGENT))), altered)
  const agent = shelf.find(sha256Of(AGENT))
  await expect(agent?.readPiece(toPieceIndex(1), never)).rejects.toMatchObject({ code: 'artifact-digest' })
  expect((await agent?.readPiece(toPieceIndex(0), never))?.length).toBe(65_536)
})

test('believes no catalogue that somebody else signed', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf({ config: configOf(await makeKeySigner()) })
  await expect(shelf.refresh(() => undefined, never)).rejects.toMatchObject({ code: 'signature-invalid' })
  expect(namesOn(shelf)).toEqual([])
  expect(shelf.catalogue()).toBeUndefined()
})

test('takes what is published later, and drops what is withdrawn', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf()
  await shelf.refresh(() => undefined, never)
  const before = shelf.catalogue()
  await writeFile(join(bench.inbox, 'tool-2.0.0.tar.gz'), bytesOf(70_000))
  await bench.publish([sha256Of(NOTES)])
  await shelf.refresh(() => undefined, never)
  expect(namesOn(shelf)).toEqual(['agent', 'tool'])
  expect(told(bench.events)).toEqual(['offered agent', 'offered notes', 'offered tool', 'withdrawn notes'])
  expect(shelf.catalogue()).not.toEqual(before)
})

test('keeps what it offers while the site cannot be read, and does not take an older catalogue', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf()
  await bench.publish()
  await shelf.refresh(() => undefined, never)
  await rm(join(bench.site, 'catalogue.json'))
  await expect(shelf.refresh(() => undefined, never)).rejects.toMatchObject({ code: 'catalogue-unavailable' })
  expect(namesOn(shelf)).toEqual(['agent', 'notes'])
})

test('offers a single file that the catalogue lists, and refuses to start with one that it does not list', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf({ places: [join(bench.inbox, 'agent-1.0.0.tar.gz')] })
  await shelf.refresh(() => undefined, never)
  expect(namesOn(shelf)).toEqual(['agent'])
  await writeFile(join(bench.inbox, 'unlisted'), 'nobody signed this')
  const other = await bench.openShelf({ places: [join(bench.inbox, 'unlisted')] })
  await expect(other.refresh(() => undefined, never)).rejects.toMatchObject({ code: 'artifact-unknown' })
})

test('counts who took what, once for each piece, and says it when a peer has all of it or has left', async () => {
  const bench = await openBench()
  const shelf = await bench.openShelf()
  await shelf.refresh(() => undefined, never)
  const layout = shelf.find(sha256Of(AGENT))?.layout
  const events: SeedEvent[] = []
  const store = { ...emptySeedStore, layout: () => layout, readPiece: async () => new Uint8Array(1) }
  const describe = (sha256: Sha256) => shelf.find(sha256)?.entry
  const tally = createPeerTally(store, describe, (event) => void events.push(event))
  const [whole, part] = [toSourceId('peer:whole'), toSourceId('peer:part')]
  for (const piece of [0, 1, 1, 2, 3, 4]) await tally.viewOf(whole).readPiece(sha256Of(AGENT), toPieceIndex(piece), never)
  await tally.viewOf(part).readPiece(sha256Of(AGENT), toPieceIndex(0), never)
  for (const peer of [whole, part]) tally.close(peer)
  expect(events).toMatchObject([
    { event: 'served', peer: whole, artifact: { name: 'agent', version: '1.0.0' }, pieces: 5, pieceCount: 5 },
    { event: 'served', peer: part, pieces: 1, pieceCount: 5 },
  ])
})

test('says how to install WebRTC where it is missing, or where something else has its name', async () => {
  const missing = {
    code: 'tool-missing',
    failure: { tool: '@roamhq/wrtc 0.10.0', detail: expect.stringContaining('npm install @roamhq/wrtc') },
  }
  await expect(loadWrtc(() => Promise.reject(new Error('Cannot find package')))).rejects.toMatchObject(missing)
  await expect(loadWrtc(async () => ({ default: {} }))).rejects.toMatchObject(missing)
  expect(Object.keys(await loadWrtc())).toContain('RTCPeerConnection')
})

test.each([
  ['a site without a mesh', { mode: 'off' }, {}, 'mesh.mode'],
  ['a site for members, without a ticket', { mode: 'lan', signaling: ['ws://127.0.0.1:9/'], ticketUrl: '/ticket' }, {}, '--ticket'],
  ['a site that names no signaling server', { mode: 'lan' }, {}, '--signaling'],
  ['open admission, and nobody said which site it is', { mode: 'lan', signaling: ['ws://127.0.0.1:9/'] }, {}, '--portal'],
] as const)('refuses to start for %s, naming what is needed', async (_, mesh, more: Partial<SeedOptions>, path) => {
  const bench = await openBench()
  const config = configOf(await makeKeySigner(), mesh)
  const options: SeedOptions = { config, places: [bench.site], ticket: undefined, log: () => undefined, ...more }
  await expect(runSeed(options, never)).rejects.toMatchObject({ code: 'input-invalid', failure: { path } })
})
