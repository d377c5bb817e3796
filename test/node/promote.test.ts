import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { attachCatalogue } from '../../src/node/publish/attach-catalogue.ts'
import { preparePromotion, promote, type PromoteOptions } from '../../src/node/publish/promote.ts'
import { publish, type PublishOptions } from '../../src/node/publish/publish.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { verifyFile } from '../../src/node/verify/verify-file.ts'
import { catalogueOf, makeFolder, makeKeySigner, never, snapshotOf, stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const place = (id: string, tier: 'cdn' | 'gateway') => ({ id, tier, url: `https://${id}.example/`, region: undefined, operator: undefined })
const ORIGINS = [place('us', 'cdn'), place('eu', 'cdn'), place('lan', 'gateway')]

async function makeSite(clock = stoppedClock()) {
  const signer = await makeKeySigner()
  const site = join(await temporaryFolder(), 'site')
  const publishNext = async (files: Readonly<Record<string, string>>, more: Partial<Omit<PublishOptions, 'signer'>> = {}) => {
    clock.advance(100)
    return (await publish({ dir: await makeFolder(files), site, repository: 'acme', signer, clock, ...more }, never)).catalogue
  }
  const first = await publishNext(
    { 'agent-1.0.tgz': 'one', 'tool-1.0.tgz': 'tool' },
    { origins: ORIGINS, lifetimeSeconds: 5000, refreshSeconds: 60 },
  )
  const next = (options: Partial<Omit<PromoteOptions, 'signer'>>) => {
    clock.advance(100)
    return promote({ site, signer, clock, ...options }, never)
  }
  return { signer, site, clock, first, publishNext, next }
}

/** All that a catalogue says beside its place in the line. */
const saidBy = async (site: string) => {
  const {
    version: _,
    previous: __,
    createdAtSeconds: ___,
    refreshAfterSeconds: ____,
    expiresAtSeconds: _____,
    ...rest
  } = await catalogueOf(site)
  return rest
}

describe('promoting', () => {
  test('an origin puts it before the others, under a higher version, and changes nothing else', async () => {
    const { site, first, next } = await makeSite()
    const before = await saidBy(site)
    const { catalogue } = await next({ first: ['lan', 'eu'] })
    expect(catalogue.origins.map(({ id }) => id)).toEqual(['lan', 'eu', 'us'])
    expect(await saidBy(site)).toEqual({ ...before, origins: catalogue.origins })
    expect(catalogue.version).toBe(first.version + 100)
    expect(catalogue.expiresAtSeconds - catalogue.createdAtSeconds).toBe(5000)
    expect(catalogue.refreshAfterSeconds - catalogue.createdAtSeconds).toBe(60)
  })

  test('a tier, or a version to more clients, says so and nothing else', async () => {
    const { site, next } = await makeSite()
    const before = await saidBy(site)
    await next({ tiers: ['gateway', 'mesh', 'cdn'], rollouts: [{ name: 'agent', version: '1.0', percent: 25 }] })
    const artifacts = before.artifacts.map((entry) => (entry.name === 'agent' ? { ...entry, rollout: 25 } : entry))
    expect(await saidBy(site)).toEqual({ ...before, delivery: { tiers: ['gateway', 'mesh', 'cdn'] }, artifacts })
  })

  test('to what is so already signs nothing', async () => {
    const { site, next } = await makeSite()
    const before = await snapshotOf(site)
    expect(await next({ first: ['us'] })).toMatchObject({ isNew: false })
    expect(await snapshotOf(site)).toEqual(before)
  })

  test.each([
    ['an origin that is not listed', { first: ['asia'] }, 'us, eu, lan'],
    ['a version that is not listed', { rollouts: [{ name: 'agent', version: '9.9', percent: 1 }] }, 'agent 1.0'],
    ['an artifact that is not listed', { rollouts: [{ name: 'agnet', version: '1.0', percent: 1 }] }, 'nothing of that name'],
    ['a version of the catalogue that never was', { rollback: 17 }, 'nothing before'],
    ['what was before the first', { rollback: 'previous' }, 'nothing before'],
  ] as const)('%s is refused with what there is, and the site stays as it was', async (_, options, known) => {
    const { site, next } = await makeSite()
    const before = await snapshotOf(site)
    await expect(next(options)).rejects.toMatchObject({ code: 'input-invalid', message: expect.stringContaining(known) })
    expect(await snapshotOf(site)).toEqual(before)
  })

  test('a site that has nothing, or somebody else’s catalogue, is refused', async () => {
    const { site, clock } = await makeSite()
    const signer = await makeKeySigner()
    await expect(promote({ site, signer, clock, first: ['eu'] }, never)).rejects.toMatchObject({ code: 'publish-conflict' })
    await expect(promote({ site: await temporaryFolder(), signer, clock, first: ['eu'] }, never)).rejects.toMatchObject({
      code: 'input-invalid',
    })
  })

  test('is refused while a blob of what is listed is missing', async () => {
    const { site, first, next } = await makeSite()
    await rm(join(site, 'by-hash/sha256', first.artifacts[0]?.artifact.sha256 ?? ''))
    const file = await readFile(join(site, 'catalogue.json'))
    await expect(next({ first: ['eu'] })).rejects.toMatchObject({ code: 'publish-conflict' })
    expect(await readFile(join(site, 'catalogue.json'))).toEqual(file)
  })

  test('with a signature made elsewhere takes two steps', async () => {
    const { site, signer, clock } = await makeSite()
    const trust = trustOfPolicy(signer.policy)
    clock.advance(100)
    const { payload } = await preparePromotion({ site, trust, clock, first: ['eu'] }, never)
    expect((await catalogueOf(site)).origins[0]?.id).toBe('us')
    const bundle = await signer.signContent(contentOfBytes(payload), never)
    await attachCatalogue({ site, payload, bundles: [bundle], trust, clock }, never)
    expect((await catalogueOf(site)).origins[0]?.id).toBe('eu')
  })
})

describe('rolling back', () => {
  test('says again what the catalogue before said, under a higher version', async () => {
    const { site, signer, clock, publishNext, next } = await makeSite()
    const before = await saidBy(site)
    const bad = await publishNext({ 'agent-1.1.tgz': 'bad' }, { origins: [place('us', 'cdn')], graceSeconds: 600 })
    const { catalogue } = await next({ rollback: 'previous' })
    expect(await saidBy(site)).toEqual(before)
    expect(catalogue).toMatchObject({ version: bad.version + 100, previous: { version: bad.version } })
    const file = join(await makeFolder({ 'agent-1.0.tgz': 'one' }), 'agent-1.0.tgz')
    const trust = trustOfPolicy(signer.policy)
    await verifyFile(
      {
        file,
        trust,
        sites: [site],
        bundlePaths: undefined,
        denied: [],
        repository: 'acme',
        minimumVersion: bad.version + 1,
        maxGraceSeconds: 0,
        clock,
      },
      never,
    )
  })

  test('goes as far as it is told', async () => {
    const { site, first, publishNext, next } = await makeSite()
    const before = await saidBy(site)
    const second = await publishNext({ 'agent-1.1.tgz': 'two' })
    await publishNext({ 'agent-1.2.tgz': 'three' })
    await expect(next({ rollback: second.version - 1 })).rejects.toMatchObject({ message: expect.stringContaining(String(first.version)) })
    await next({ rollback: first.version })
    expect(await saidBy(site)).toEqual(before)
  })

  test('offers nobody again what was yanked or denied since', async () => {
    const { site, first, publishNext, next } = await makeSite()
    const [agent, tool] = first.artifacts
    if (agent === undefined || tool === undefined) throw new Error('expected two')
    await publishNext({ 'other-1.0.tgz': 'x' }, { yanked: [{ name: 'agent', version: '1.0' }], denied: [tool.artifact.sha256] })
    await next({ rollback: 'previous' })
    const { artifacts, denied } = await catalogueOf(site)
    expect(artifacts.map(({ name, yanked }) => ({ name, yanked }))).toEqual([
      { name: 'agent', yanked: true },
      { name: 'tool', yanked: false },
    ])
    expect(denied).toEqual([tool.artifact.sha256])
  })

  test('is refused when the earlier catalogue is gone, or altered', async () => {
    const { site, publishNext, next } = await makeSite()
    const { previous } = await publishNext({ 'agent-1.1.tgz': 'two' })
    const path = join(site, 'by-hash/sha256', previous?.sha256 ?? '')
    const file = await readFile(join(site, 'catalogue.json'))
    await writeFile(path, (await readFile(path, 'utf8')).replace('"rollout":100', '"rollout":099'))
    await expect(next({ rollback: 'previous' })).rejects.toMatchObject({ code: 'blob-mismatch' })
    await rm(path)
    await expect(next({ rollback: 'previous' })).rejects.toMatchObject({ code: 'input-invalid' })
    expect(await readFile(join(site, 'catalogue.json'))).toEqual(file)
    expect(await readdir(site)).not.toContain('.publish.lock')
  })
})
