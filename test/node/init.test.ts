import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseSiteConfig } from '../../src/core/manifest/parse-site-config.ts'
import type { SiteConfig } from '../../src/core/manifest/site-config.ts'
import { DEFAULT_THRESHOLDS } from '../../src/core/verify/identity-policy.ts'
import { initSite } from '../../src/node/init.ts'
import { shellEntry, withShell } from '../../src/node/shell-list.ts'
import { makeFolder, never, snapshotOf } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { ANY_PROVENANCE } from '../../src/core/verify/provenance-policy.ts'

const SCRIPTS = {
  'sw.js': 'self.complete = true',
  'engine.js': "import(new URL('./trust-refresh.js', location.href).href)",
  'page.js': "import './chunks/a.js'; import('./chunks/mesh-1a2b.js'); new Worker('./engine.js')",
  'element.js': "import('./page.js')",
  'noop-sw.js': '',
  'trust-refresh.js': '',
  'chunks/a.js': "export * from './b.js'",
  'chunks/b.js': "export {}; '../../outside.js'; './not-there.js'",
  'chunks/mesh-1a2b.js': '',
  'chunks/unused.js': '',
  'demo.js': '',
}
const NEEDED = [
  'chunks/a.js',
  'chunks/b.js',
  'chunks/mesh-1a2b.js',
  'element.js',
  'engine.js',
  'noop-sw.js',
  'page.js',
  'sw.js',
  'trust-refresh.js',
]

const CONFIG: SiteConfig = {
  schema: 1,
  repository: 'acme',
  origins: [{ id: 'eu', url: 'https://cdn.acme.test/' }],
  gateways: [],
  preset: 'cdn-first',
  tiers: undefined,
  mesh: { mode: 'off', signaling: [], ticketUrl: undefined, iceServers: [] },
  trust: {
    catalogueSigners: [{ kind: 'key', publicKeyPem: 'PEM' }],
    artifactSigners: [{ kind: 'key', publicKeyPem: 'PEM' }],
    trustedRoot: undefined,
    thresholds: DEFAULT_THRESHOLDS,
    minSigners: { catalogue: 1, artifacts: 1 },
    provenance: ANY_PROVENANCE,
    minimumVersion: 0,
    version: 0,
    updates: undefined,
  },
  maxGraceSeconds: 0,
}

test('copies the scripts with all that they import, and no more, beside a readable configuration', async () => {
  const options = { publicDir: await temporaryFolder(), config: CONFIG, scriptsDir: await makeFolder(SCRIPTS) }
  const { written } = await initSite(options, never)
  expect([...written].toSorted()).toEqual([...NEEDED, 'sealift.json'].toSorted())
  expect(parseSiteConfig(await readFile(join(options.publicDir, 'sealift.json')), 'https://portal.test/')).toEqual(CONFIG)
  expect(await readFile(join(options.publicDir, 'chunks/b.js'), 'utf8')).toBe(SCRIPTS['chunks/b.js'])
})

test('gives the tag of the element, which the browser holds to these very bytes', async () => {
  const options = { publicDir: await temporaryFolder(), config: CONFIG, scriptsDir: await makeFolder(SCRIPTS) }
  const { elementTag } = await initSite(options, never)
  const digest = createHash('sha384').update(SCRIPTS['element.js']).digest('base64')
  expect(elementTag).toBe(`<script type="module" src="/element.js" integrity="sha384-${digest}"></script>`)
})

test('changes nothing the second time', async () => {
  const options = { publicDir: await temporaryFolder(), config: CONFIG, scriptsDir: await makeFolder(SCRIPTS) }
  await initSite(options, never)
  expect((await initSite(options, never)).written).toEqual([])
})

test('overwrites nothing that differs, and writes nothing else either, unless it is forced to', async () => {
  const options = { publicDir: await temporaryFolder(), config: CONFIG, scriptsDir: await makeFolder(SCRIPTS) }
  await writeFile(join(options.publicDir, 'sw.js'), 'mine')
  await expect(initSite(options, never)).rejects.toMatchObject({ code: 'input-invalid' })
  expect(await snapshotOf(options.publicDir)).toEqual(new Map([['/sw.js', 'mine']]))
  await initSite({ ...options, force: true }, never)
  expect(await readFile(join(options.publicDir, 'sw.js'), 'utf8')).toBe(SCRIPTS['sw.js'])
})

test('without a configuration leaves the one that is there alone', async () => {
  const publicDir = await makeFolder({ 'sealift.json': 'mine', 'sw.js': 'older' })
  await initSite({ publicDir, config: undefined, scriptsDir: await makeFolder(SCRIPTS), force: true }, never)
  expect(await readFile(join(publicDir, 'sealift.json'), 'utf8')).toBe('mine')
  expect(await readFile(join(publicDir, 'sw.js'), 'utf8')).toBe(SCRIPTS['sw.js'])
})

const PAGES = { 'index.html': 'page', 'assets/app.js': 'app', 'releases/big.bin': 'big' }

describe('with a shell', () => {
  const make = async () => ({
    publicDir: await makeFolder(PAGES),
    config: CONFIG,
    scriptsDir: await makeFolder(SCRIPTS),
    shell: ['index.html', 'assets/**'],
  })
  const workerOf = (publicDir: string) => readFile(join(publicDir, 'sw.js'), 'utf8')

  test('the worker lists what matches, and the scripts without which a kept page could fetch nothing', async () => {
    const options = await make()
    const { shell, written } = await initSite(options, never)
    // Last, so that no browser installs it before what it lists is there.
    expect(written.at(-1)).toBe('sw.js')
    const ours = ['chunks/a.js', 'chunks/b.js', 'chunks/mesh-1a2b.js', 'element.js', 'engine.js', 'page.js']
    expect(shell.map(({ url }) => url)).toEqual(['assets/app.js', ...ours.slice(0, 5), 'index.html', 'page.js'])
    expect(shell).toContainEqual(shellEntry('page.js', Buffer.from(SCRIPTS['page.js'])))
    expect(await workerOf(options.publicDir)).toBe(withShell(SCRIPTS['sw.js'], shell))
  })

  test('the worker keeps what refreshes trusted roots only for a site that names where from, whoever wrote that down', async () => {
    const options = await make()
    const isKept = async (config: SiteConfig | undefined): Promise<boolean> =>
      (await initSite({ ...options, config, force: true }, never)).shell.some(({ url }) => url === 'trust-refresh.js')
    expect(await isKept(CONFIG)).toBe(false)
    expect(await isKept(undefined)).toBe(false)
    const refresh = { url: 'https://tuf.acme.test/', root: { signed: {} } }
    expect(await isKept({ ...CONFIG, trust: { ...CONFIG.trust, trustedRoot: {}, refresh } })).toBe(true)
    expect(await isKept(undefined)).toBe(true)
  })

  test('changes nothing the second time', async () => {
    const options = await make()
    await initSite(options, never)
    expect((await initSite(options, never)).written).toEqual([])
  })

  test('a deployment changes the worker alone, and needs no force', async () => {
    const options = await make()
    await initSite(options, never)
    const before = await workerOf(options.publicDir)
    await writeFile(join(options.publicDir, 'assets/app.js'), 'app, second edition')
    expect((await initSite({ ...options, config: undefined }, never)).written).toEqual(['sw.js'])
    expect(await workerOf(options.publicDir)).not.toBe(before)
  })

  test('a list that is there is not dropped for want of the option', async () => {
    const options = await make()
    await initSite(options, never)
    await expect(initSite({ ...options, shell: undefined }, never)).rejects.toMatchObject({ code: 'input-invalid' })
    await initSite({ ...options, shell: undefined, force: true }, never)
    expect(await workerOf(options.publicDir)).toBe(SCRIPTS['sw.js'])
  })

  test('another worker is not overwritten', async () => {
    const options = await make()
    await writeFile(join(options.publicDir, 'sw.js'), withShell('mine', []))
    await expect(initSite(options, never)).rejects.toMatchObject({ code: 'input-invalid' })
  })

  test('what it lists of its own is what it is about to write', async () => {
    const options = await make()
    await writeFile(join(options.publicDir, 'page.js'), 'of an older package')
    const { shell } = await initSite({ ...options, shell: ['**'], force: true }, never)
    expect(shell.filter(({ url }) => url === 'page.js')).toEqual([shellEntry('page.js', Buffer.from(SCRIPTS['page.js']))])
  })

  test('a pattern that matches nothing leaves the folder as it was', async () => {
    const options = await make()
    await expect(initSite({ ...options, shell: ['asets/**'] }, never)).rejects.toMatchObject({ code: 'input-invalid' })
    expect([...(await snapshotOf(options.publicDir)).keys()]).toEqual(['/assets/app.js', '/index.html', '/releases/big.bin'])
  })
})

test('says so when the package was not built', async () => {
  const options = { publicDir: await temporaryFolder(), config: undefined, scriptsDir: await temporaryFolder() }
  await expect(initSite(options, never)).rejects.toMatchObject({ code: 'tool-missing', failure: { tool: 'sw.js' } })
})
