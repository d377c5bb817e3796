import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { directoryTarget } from '../../../src/node/push/directory-target.ts'
import { openTargets } from '../../../src/node/push/open-target.ts'
import { pushSite } from '../../../src/node/push/push.ts'
import type { PushTarget } from '../../../src/node/push/push-target.ts'
import { syncMirrors } from '../../../src/node/push/sync.ts'
import { bytesOf, catalogueOf, never } from '../publish-fixture.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { makeSite, pushOptions, readerIn, serve, soundVersion, startMirror, type Site } from './mirror-fixture.ts'

const folder = async () => join(await temporaryFolder(), 'mirror')
const sync = (site: Site, from: PushTarget, targets: readonly PushTarget[], more: object = {}) =>
  syncMirrors({ ...pushOptions(site), from, targets, ...more }, never)
const serverTarget = (url: string) => openTargets([url], { env: {}, stallMs: 100 })[0] as PushTarget

/** A server that holds a release, and the folder it came from is gone. */
async function lastMirror() {
  const site = await makeSite({ 'agent-1.0.tgz': bytesOf(100_000) })
  const server = await startMirror()
  await pushSite({ ...pushOptions(site), site: site.site, targets: [serverTarget(server.url)] }, never)
  const { version } = await catalogueOf(site.site)
  await rm(site.site, { recursive: true })
  return { site, server, version, from: serverTarget(server.url) }
}

test('a lost mirror is filled from one that is left', async () => {
  const { site, version, from } = await lastMirror()
  const dir = await folder()
  expect(await sync(site, from, [directoryTarget(dir)])).toMatchObject({ isComplete: true, version, mirrors: [{ state: 'moved' }] })
  expect(await soundVersion(readerIn(dir))).toBe(version)
})

describe('a mirror that', () => {
  const damaged = async (damage: (blob: string) => Promise<void>) => {
    const { site, version, from } = await lastMirror()
    const dir = await folder()
    await sync(site, from, [directoryTarget(dir)])
    const [blob = ''] = await readdir(join(dir, 'by-hash/sha256'))
    await damage(join(dir, 'by-hash/sha256', blob))
    return { site, version, from, dir }
  }

  test.each([
    ['lacks a file', (blob: string) => rm(blob)],
    ['has a cut file', (blob: string) => truncate(blob, 3)],
  ])('%s gets it back', async (_, damage) => {
    const { site, version, from, dir } = await damaged(damage)
    expect(await sync(site, from, [directoryTarget(dir)])).toMatchObject({ mirrors: [{ state: 'current', copiedFiles: 1 }] })
    expect(await soundVersion(readerIn(dir))).toBe(version)
  })

  test('has an altered file of the right size gets it back where every byte is looked at', async () => {
    const { site, version, from, dir } = await damaged(async (blob) => writeFile(blob, (await readFile(blob)).reverse()))
    expect(await sync(site, from, [directoryTarget(dir)])).toMatchObject({ mirrors: [{ copiedFiles: 0 }] })
    expect(await sync(site, from, [directoryTarget(dir)], { deep: true })).toMatchObject({ mirrors: [{ copiedFiles: 1 }] })
    expect(await soundVersion(readerIn(dir))).toBe(version)
  })

  test('fails does not keep another from its catalogue', async () => {
    const { site, version, from } = await lastMirror()
    const dir = await folder()
    const bad = await startMirror('/', ({ method }, response) => method === 'PUT' && response.writeHead(500).end() === response)
    const report = await sync(site, from, [directoryTarget(dir), serverTarget(bad.url)], { attempts: 1 })
    expect(report).toMatchObject({ isComplete: false, mirrors: [{ state: 'moved' }, { state: 'failed' }] })
    expect(await soundVersion(readerIn(dir))).toBe(version)
  })
})

test('what the source holds wrongly goes nowhere', async () => {
  const { site, server, from } = await lastMirror()
  const largest = [...server.files].toSorted(([, a], [, b]) => b.length - a.length)[0]
  server.files.set(largest?.[0] ?? '', Buffer.from(largest?.[1] ?? '').reverse())
  const dir = await folder()
  const report = await sync(site, from, [directoryTarget(dir)])
  expect(report).toMatchObject({ isComplete: false, mirrors: [{ trouble: { failure: { code: 'input-invalid' } } }] })
  expect(await soundVersion(readerIn(dir))).toBeUndefined()
  expect(await readdir(join(dir, 'by-hash/sha256'))).toEqual([])
})

test('an artifact that a stranger signed goes nowhere, whoever signed the catalogue', async () => {
  const { site, from } = await lastMirror()
  const { trust } = pushOptions(site)
  const stranger = pushOptions(await makeSite()).trust
  const dir = await folder()
  const done = sync(site, from, [directoryTarget(dir)], { trust: { ...trust, artifacts: stranger.artifacts } })
  await expect(done).rejects.toMatchObject({ name: 'DeliveryError' })
  expect(await readdir(dir).catch(() => [])).toEqual([])
})

test('a source that answers with a page where it has nothing gives on no page', async () => {
  const { site, server, version, from } = await lastMirror()
  for (const path of [...server.files.keys()].filter((name) => name.startsWith('by-name/'))) server.files.delete(path)
  const page = Buffer.from('<!doctype html>')
  server.fault = (request, response, files) => {
    if (!files.has(request.path)) serve(request, response, new Map([[request.path, page]]))
    return !files.has(request.path)
  }
  const dir = await folder()
  expect(await sync(site, from, [directoryTarget(dir)])).toMatchObject({ isComplete: true })
  expect(await soundVersion(readerIn(dir))).toBe(version)
  expect((await readdir(dir)).toSorted()).toEqual(['by-hash', 'catalogue.json', 'healthz'])
})

test('a source that fails once is asked again', async () => {
  const { site, server, version, from } = await lastMirror()
  const seen = new Set<string>()
  server.fault = (request, response, files) => {
    if (seen.has(request.path)) return false
    seen.add(request.path)
    if (seen.size % 2 === 0) response.destroy()
    else serve(request, response, files)
    return true
  }
  const dir = await folder()
  expect(await sync(site, from, [directoryTarget(dir)])).toMatchObject({ isComplete: true })
  expect(await soundVersion(readerIn(dir))).toBe(version)
})

test('an old source replaces nothing newer', async () => {
  const site = await makeSite()
  const [old, fresh] = [await folder(), await folder()]
  await pushSite({ ...pushOptions(site), site: site.site, targets: [directoryTarget(old)] }, never)
  const version = await site.publishNext({ 'agent-1.1.tgz': 'newer' })
  await pushSite({ ...pushOptions(site), site: site.site, targets: [directoryTarget(fresh)] }, never)
  const report = await sync(site, directoryTarget(old), [directoryTarget(fresh)])
  expect(report).toMatchObject({ isComplete: false, mirrors: [{ trouble: { failure: { code: 'publish-conflict' } } }] })
  expect(await soundVersion(readerIn(fresh))).toBe(version)
})
