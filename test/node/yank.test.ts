import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { attachCatalogue } from '../../src/node/publish/attach-catalogue.ts'
import { preparePublish, publish } from '../../src/node/publish/publish.ts'
import { contentOfBytes } from '../../src/node/signing/content.ts'
import { catalogueOf, makeFolder, makeKeySigner, never, snapshotOf } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

vi.setConfig({ testTimeout: 60_000 })

const OLD = { name: 'agent', version: '1.0.0' }

/** A site with two versions of one artifact, the older for two platforms, and the folder of one more artifact. */
async function publishedSite() {
  const options = { site: join(await temporaryFolder(), 'site'), repository: 'acme', signer: await makeKeySigner() }
  const files = {
    'agent-1.0.0-linux-amd64.tgz': 'old',
    'agent-1.0.0-linux-arm64.tgz': 'old, for arm',
    'agent-1.1.0-linux-amd64.tgz': 'new',
  }
  const dir = await makeFolder(files)
  await publish({ ...options, dir }, never)
  return { options, agents: dir, tools: await makeFolder({ 'tool-1.0.tgz': 'tool' }) }
}

const yankedIn = async (site: string): Promise<readonly string[]> =>
  (await catalogueOf(site)).artifacts.flatMap(({ name, version, platform, yanked }) => (yanked ? [`${name} ${version} ${platform}`] : []))

const BOTH_PLATFORMS = ['agent 1.0.0 linux/amd64', 'agent 1.0.0 linux/arm64']

describe('a version that is yanked', () => {
  test.each(['agents', 'tools'] as const)('is so on every platform, by a run with the %s, and stays so', async (folder) => {
    const { options, tools, ...folders } = await publishedSite()
    const dir = { ...folders, tools }[folder]
    expect((await publish({ ...options, dir, yanked: [OLD] }, never)).isNew).toBe(true)
    expect(await yankedIn(options.site)).toEqual(BOTH_PLATFORMS)
    await publish({ ...options, dir: tools, settings: { channel: 'beta' } }, never)
    expect(await yankedIn(options.site)).toEqual(BOTH_PLATFORMS)
  })

  test('stays so when its files are published again, with another manifest too', async () => {
    const { options, agents: dir } = await publishedSite()
    const report = await publish({ ...options, dir, yanked: [OLD] }, never)
    expect(report.artifacts.map(({ entry }) => [entry.version, entry.yanked])).toEqual([
      ['1.0.0', true],
      ['1.0.0', true],
      ['1.1.0', false],
    ])
    const again = await publish({ ...options, dir, settings: { mediaType: 'application/x-tar' } }, never)
    expect(again.artifacts.every(({ isNew }) => isNew)).toBe(true)
    expect(await yankedIn(options.site)).toEqual(BOTH_PLATFORMS)
  })

  test('changes nothing a second time', async () => {
    const { options, agents: dir } = await publishedSite()
    await publish({ ...options, dir, yanked: [OLD] }, never)
    const before = await snapshotOf(options.site)
    expect((await publish({ ...options, dir, yanked: [OLD] }, never)).isNew).toBe(false)
    expect(await snapshotOf(options.site)).toEqual(before)
  })

  test('is so in a catalogue that is signed elsewhere', async () => {
    const { options, agents: dir } = await publishedSite()
    const { payload } = await preparePublish({ ...options, dir, yanked: [OLD] }, never)
    expect(await yankedIn(options.site)).toEqual([])
    const bundle = await options.signer.signContent(contentOfBytes(payload), never)
    await attachCatalogue({ site: options.site, payload, bundles: [bundle], trust: trustOfPolicy(options.signer.policy) }, never)
    expect(await yankedIn(options.site)).toEqual(BOTH_PLATFORMS)
  })

  test('is another file once other bytes have replaced it', async () => {
    const { options, agents } = await publishedSite()
    await publish({ ...options, dir: agents, yanked: [OLD] }, never)
    const dir = await makeFolder({ 'agent-1.0.0-linux-amd64.tgz': 'old, and mended', 'agent-1.0.0-linux-arm64.tgz': 'old, for arm' })
    await publish({ ...options, dir, replace: true }, never)
    expect(await yankedIn(options.site)).toEqual(['agent 1.0.0 linux/arm64'])
  })
})

describe('nothing is published where a version to yank', () => {
  test.each([
    ['is not among those of its name', 'agent', '1.0.1', 'yank 1.1.0 or 1.0.0'],
    ['is of a name that is not listed', 'agnet', '1.0.0', 'yank a version of agent'],
    ['is only just about to be listed', 'tool', '1.0', 'yank a version of agent'],
  ])('%s: the error names what is', async (_what, name, version, next) => {
    const { options, tools: dir } = await publishedSite()
    const before = await snapshotOf(options.site)
    await expect(publish({ ...options, dir, yanked: [OLD, { name, version }] }, never)).rejects.toMatchObject({
      failure: { code: 'input-invalid', path: `${name}@${version}`, detail: expect.stringContaining(next) },
    })
    expect(await snapshotOf(options.site)).toEqual(before)
  })

  test('has many beside it: the newest are named, and how many more there are', async () => {
    const { options } = await publishedSite()
    const dir = await makeFolder(Object.fromEntries([9, 10, 11, 12, 13].map((minor) => [`agent-1.${minor}.0-linux-amd64.tgz`, `${minor}`])))
    await publish({ ...options, dir }, never)
    await expect(publish({ ...options, dir, yanked: [{ ...OLD, version: '2.0.0' }] }, never)).rejects.toThrow(
      'yank 1.13.0, 1.12.0, 1.11.0, 1.10.0, 1.9.0 or one of 2 more',
    )
  })

  test('is on a site that lists nothing yet', async () => {
    const { options, tools: dir } = await publishedSite()
    const site = join(await temporaryFolder(), 'site')
    await expect(publish({ ...options, site, dir, yanked: [{ name: 'tool', version: '1.0' }] }, never)).rejects.toMatchObject({
      failure: { code: 'input-invalid', detail: expect.stringContaining('what was published before') },
    })
    await expect(catalogueOf(site)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('would not be listed any more, since the catalogue is replaced', async () => {
    const { options, tools: dir } = await publishedSite()
    await expect(publish({ ...options, dir, replace: true, yanked: [OLD] }, never)).rejects.toMatchObject({
      failure: { code: 'input-invalid', path: 'agent@1.0.0', detail: expect.stringContaining('replaces') },
    })
  })
})
