import { hostname } from 'node:os'
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { parseManifest } from '../../src/core/manifest/parse-manifest.ts'
import type { BlobRef } from '../../src/core/model/artifact.ts'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { attachCatalogue } from '../../src/node/publish/attach-catalogue.ts'
import { preparePublish, publish } from '../../src/node/publish/publish.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { readSiteIn } from '../../src/node/site/site-reader.ts'
import { bytesOf, catalogueOf, makeFolder, makeKeySigner, never, snapshotOf, stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const DAY_SECONDS = 86_400
const AGENT = 'edge-agent-1.2.3-linux-amd64.tar.gz'
const TOOL = 'tool-1.0.tgz'

const base = async (files: Readonly<Record<string, string | Uint8Array>> = { [AGENT]: 'agent' }) => ({
  dir: await makeFolder(files),
  site: join(await temporaryFolder(), 'site'),
  repository: 'acme',
  signer: await makeKeySigner(),
})
const withTool = async <T extends object>(options: T) => ({ ...options, dir: await makeFolder({ [TOOL]: 'tool' }) })
const namesIn = async (site: string) => (await catalogueOf(site)).artifacts.map(({ name }) => name).toSorted()
const lockOf = (site: string) => join(site, '.publish.lock')

describe('two publishers of one site', () => {
  test.each([
    ['', undefined],
    [' over the lock of one that was killed', lockBy({ pid: 2 ** 22 + 7 })],
  ])('at once%s: what is told to have been published is published', async (_where, stale) => {
    const options = await base()
    if (stale !== undefined) await mkdir(options.site).then(() => writeFile(lockOf(options.site), stale))
    const rivals = [options, await withTool(options), { ...options, dir: await makeFolder({ 'other-2.0.tgz': 'other' }) }]
    const ends = await Promise.allSettled(rivals.map((rival) => publish(rival, never)))
    const published = ends.flatMap((end) => (end.status === 'fulfilled' ? end.value.artifacts.map(({ entry }) => entry.name) : []))
    expect(published.length).toBeGreaterThan(0)
    expect(await namesIn(options.site)).toEqual(published.toSorted())
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'publish-conflict' })
  })

  test('the second is told that the first is at work, and comes after it', async () => {
    const options = await base()
    const rival = await withTool(options)
    let refusal: unknown
    const signer = {
      ...options.signer,
      async signContent(...given: Parameters<typeof options.signer.signContent>) {
        refusal ??= await publish(rival, never).catch((error: unknown) => error)
        return options.signer.signContent(...given)
      },
    }
    await publish({ ...options, signer }, never)
    expect(refusal).toMatchObject({ code: 'publish-conflict', message: expect.stringContaining(`process ${process.pid}`) })
    await publish(rival, never)
    expect(await namesIn(options.site)).toEqual(['edge-agent', 'tool'])
    expect([...(await snapshotOf(options.site)).keys()].filter((path) => path.includes('lock'))).toEqual([])
  })

  test('a signature made elsewhere waits for its turn too', async () => {
    const options = { ...(await base()), trust: undefined }
    const { payload } = await preparePublish(options, never)
    const bundle = await options.signer.signContent(contentOfBytes(payload), never)
    await writeFile(lockOf(options.site), lockBy({ pid: process.pid }))
    const attach = attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(options.signer.policy) }, never)
    await expect(attach).rejects.toMatchObject({ code: 'publish-conflict' })
  })

  test.each([
    ['a process that has ended', lockBy({ pid: 2 ** 22 + 7 })],
    ['another machine, long ago', lockBy({ pid: 1, host: 'elsewhere', expiresAtMs: Date.now() - 1 })],
    ['nobody who can be read', 'x'],
  ])('the lock of %s is taken over', async (_whose, lock) => {
    const options = await base()
    await publish(options, never)
    await writeFile(lockOf(options.site), lock)
    await publish(await withTool(options), never)
    expect(await namesIn(options.site)).toEqual(['edge-agent', 'tool'])
    await expect(readFile(lockOf(options.site))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('the lock of another machine that is at work is left alone', async () => {
    const options = await base()
    await publish(options, never)
    const lock = lockBy({ pid: 1, host: 'elsewhere' })
    await writeFile(lockOf(options.site), lock)
    await expect(publish(await withTool(options), never)).rejects.toMatchObject({ code: 'publish-conflict' })
    expect(await readFile(lockOf(options.site), 'utf8')).toBe(lock)
  })

  test('who has lost the lock to another publishes nothing, and leaves the other its lock', async () => {
    const options = await base()
    const lock = lockBy({ pid: 1, host: 'elsewhere' })
    const signer = {
      ...options.signer,
      async signContent(...given: Parameters<typeof options.signer.signContent>) {
        await writeFile(lockOf(options.site), lock)
        return options.signer.signContent(...given)
      },
    }
    await expect(publish({ ...options, signer }, never)).rejects.toMatchObject({ code: 'publish-conflict' })
    expect(await readFile(lockOf(options.site), 'utf8')).toBe(lock)
    await expect(catalogueOf(options.site)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a catalogue that came without the lock, as by a copy, is not overwritten', async () => {
    const options = await base()
    await publish(options, never)
    const path = join(options.site, 'catalogue.json')
    const first = await readFile(path)
    await publish(await withTool(options), never)
    const signer = {
      ...options.signer,
      async signContent(...given: Parameters<typeof options.signer.signContent>) {
        await writeFile(path, first)
        return options.signer.signContent(...given)
      },
    }
    await expect(publish({ ...options, signer, settings: { channel: 'beta' } }, never)).rejects.toMatchObject({ code: 'publish-conflict' })
    expect(await readFile(path)).toEqual(first)
  })
})

/** A lock as a publisher of this machine leaves it, if nothing else is said. */
function lockBy(over: { readonly pid: number; readonly host?: string; readonly expiresAtMs?: number }): string {
  return JSON.stringify({ token: 'another', host: hostname(), expiresAtMs: Date.now() + 5 * 60_000, ...over })
}

describe('a publisher whose clock was wrong once', () => {
  test('hears that no client would take what comes after, and nothing is signed', async () => {
    const clock = stoppedClock()
    const options = { ...(await base()), clock }
    clock.advance(400 * DAY_SECONDS)
    await publish(options, never)
    clock.advance(-400 * DAY_SECONDS)
    const file = await readFile(join(options.site, 'catalogue.json'))
    const next = await withTool(options)
    await expect(publish(next, never)).rejects.toMatchObject({
      code: 'publish-conflict',
      message: expect.stringContaining('400 days ahead'),
    })
    await expect(preparePublish(next, never)).rejects.toMatchObject({ code: 'publish-conflict' })
    expect(await readFile(join(options.site, 'catalogue.json'))).toEqual(file)
  })

  test('replaces the catalogue to begin anew at the right time, and what was denied stays denied', async () => {
    const clock = stoppedClock()
    const options = { ...(await base()), clock }
    const [denied] = (await publish(options, never)).catalogue.artifacts.map(({ artifact }) => artifact.sha256)
    if (denied === undefined) throw new Error('expected an artifact')
    clock.advance(400 * DAY_SECONDS)
    await publish({ ...options, denied: [denied] }, never)
    clock.advance(-400 * DAY_SECONDS)
    await publish({ ...(await withTool(options)), replace: true }, never)
    expect(await catalogueOf(options.site)).toMatchObject({ version: 1_800_000_000, denied: [denied] })
    await publish({ ...(await withTool(options)), settings: { channel: 'beta' } }, never)
  })

  test('begins anew with a signature made elsewhere too', async () => {
    const clock = stoppedClock()
    const options = { ...(await base()), clock }
    clock.advance(400 * DAY_SECONDS)
    await publish(options, never)
    clock.advance(-400 * DAY_SECONDS)
    const { payload } = await preparePublish({ ...options, replace: true }, never)
    const bundle = await options.signer.signContent(contentOfBytes(payload), never)
    await attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(options.signer.policy), clock }, never)
    expect((await catalogueOf(options.site)).version).toBe(1_800_000_000)
  })

  test('cannot put a catalogue in place that has expired since it was prepared', async () => {
    const clock = stoppedClock()
    const options = { ...(await base()), clock, lifetimeSeconds: 60, graceSeconds: DAY_SECONDS }
    const { payload } = await preparePublish(options, never)
    const bundle = await options.signer.signContent(contentOfBytes(payload), never)
    clock.advance(61)
    const attach = attachCatalogue(
      { site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(options.signer.policy), clock },
      never,
    )
    await expect(attach).rejects.toMatchObject({ code: 'input-invalid' })
  })
})

describe('an entry of an earlier run is signed again only while', () => {
  const large = bytesOf(70 * 64 * 1024)
  const blobsOf = async (site: string): Promise<Readonly<Record<string, BlobRef>>> => {
    const [entry] = (await catalogueOf(site)).artifacts
    if (entry === undefined) throw new Error('expected an entry')
    const manifest = parseManifest(await readSiteIn(site).readBlob(entry.manifest, 'manifest', never))
    const [bundle] = manifest.bundles
    if (bundle === undefined || manifest.pieces.kind !== 'listed') throw new Error('expected a bundle and a list')
    return { artifact: entry.artifact, manifest: entry.manifest, bundle, 'piece list': manifest.pieces.list }
  }
  const published = async () => {
    const options = { ...(await base({ [AGENT]: large })), pieceLengthBytes: 64 * 1024 }
    await publish(options, never)
    return options
  }
  const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
    'is there': (path) => rm(path),
    'is whole': (path) => truncate(path, 1),
  }
  const cases = ['artifact', 'manifest', 'bundle', 'piece list'].flatMap((blob) =>
    Object.keys(damages).map((state) => [blob, state] as const),
  )

  test.each(cases)('its %s %s', async (blob, state) => {
    const options = await published()
    const { sha256 } = (await blobsOf(options.site))[blob] ?? { sha256: '' }
    const file = await readFile(join(options.site, 'catalogue.json'))
    await damages[state]?.(join(options.site, 'by-hash', 'sha256', sha256))
    await expect(publish(await withTool(options), never)).rejects.toMatchObject({
      code: 'publish-conflict',
      failure: { name: 'edge-agent', detail: expect.stringContaining(blob) },
    })
    expect(await readFile(join(options.site, 'catalogue.json'))).toEqual(file)
    // Publishing it again puts everything back.
    await publish(options, never)
    await publish(await withTool(options), never)
    expect(await namesIn(options.site)).toEqual(['edge-agent', 'tool'])
  })

  test('it is not denied: the bytes of what was withdrawn may be gone', async () => {
    const options = await published()
    const { artifact } = await blobsOf(options.site)
    if (artifact === undefined) throw new Error('expected an artifact')
    await rm(join(options.site, 'by-hash', 'sha256', artifact.sha256))
    await publish({ ...(await withTool(options)), denied: [artifact.sha256] }, never)
    expect(await namesIn(options.site)).toEqual(['edge-agent', 'tool'])
  })
})
