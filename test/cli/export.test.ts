import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startCdnOrigin, type CdnOrigin } from '../../demo/stack/cdn-origin.ts'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { bytesOf, makeFolder } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { runCli } from './run-cli.ts'

const isInstalled = spawnSync('aria2c', ['--version'], { stdio: 'ignore' }).status === 0
if (!isInstalled) console.warn('NOT RUN: downloads with aria2, because aria2c is missing. Install it: apt-get install aria2')

const FILE = 'agent-1.2.3-linux-amd64.tar.gz'
const STEM = 'agent-1.2.3-linux-amd64'
/** More than aria2 takes from one place before it looks at another. */
const BYTES = bytesOf(3_000_000)
const DIGEST = createHash('sha256').update(BYTES).digest('hex')

interface Release {
  readonly dir: string
  readonly site: string
  readonly trust: readonly string[]
  readonly origins: readonly CdnOrigin[]
}

/** A site with two origins on loopback, which serve its folder. */
async function release(): Promise<Release> {
  const work = await temporaryFolder()
  const [site, keys] = [join(work, 'site'), join(work, 'keys')]
  const dir = await makeFolder({ [FILE]: BYTES })
  const start = (id: string) =>
    startCdnOrigin({ id, siteDir: site, isArtifact: (sha256) => sha256 === DIGEST, rateBytesPerSecond: undefined, onChange: () => {} })
  const origins = [await start('one'), await start('two')]
  onTestFinished(async () => void (await Promise.all(origins.map((origin) => origin.close()))))
  await runCli(['keygen', keys])
  const named = origins.flatMap(({ id, url }) => ['--origin', `${id}=${url}`])
  const args = ['publish', dir, '--out', site, '--repository', 'acme', '--key', join(keys, 'signing-key.pem'), ...named]
  expect(await runCli(args)).toMatchObject({ exitCode: EXIT.ok })
  return { dir, site, trust: ['--public-key', join(keys, 'signing-key.pub')], origins }
}

async function run(program: string, args: readonly string[], cwd: string): Promise<{ readonly status: number; readonly said: string }> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (said += String(chunk)))
  const [status] = (await once(child, 'close')) as [number]
  return { status, said }
}

/** Private, and from web seeds alone: nobody is announced to, and nothing is served afterwards. */
const TORRENT_FLAGS = [
  '--seed-time=0',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=false',
  '--enable-peer-exchange=false',
]

interface Fetched {
  readonly dir: string
  readonly status: number
  readonly said: string
}

async function fetchWithAria2(link: string): Promise<Fetched> {
  const dir = await temporaryFolder()
  const flags = link.endsWith('.torrent') ? TORRENT_FLAGS : []
  const quick = ['--no-conf', '--file-allocation=none', '--console-log-level=warn', '--retry-wait=1', '--max-tries=2']
  return { dir, ...(await run('aria2c', [...quick, ...flags, '-d', dir, link], dir)) }
}

async function digestIn(dir: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(dir, FILE)))
    .digest('hex')
}

describe.skipIf(!isInstalled)('aria2c fetches the very release', () => {
  test.each([
    ['meta4', 'up'],
    ['meta4', 'down'],
    ['torrent', 'down'],
  ] as const)('from our .%s while its first origin is %s, and sha256sum agrees', async (kind, mode) => {
    const { site, trust, origins } = await release()
    expect(await runCli(['export', site, '--into-site', ...trust])).toMatchObject({ exitCode: EXIT.ok, err: '' })
    await origins[0]?.set(mode)
    const exports = join(site, 'exports')
    const { dir, status, said } = await fetchWithAria2(join(exports, `${STEM}.${kind}`))
    expect([status, said]).toEqual([0, expect.any(String)])
    expect(await digestIn(dir)).toBe(DIGEST)
    expect(origins.map(({ requests }) => requests.length > 0)).toEqual(mode === 'up' ? [true, false] : [false, true])
    await copyFile(join(exports, 'SHA256SUMS'), join(dir, 'SHA256SUMS'))
    expect(await run('sha256sum', ['-c', '--strict', 'SHA256SUMS'], dir)).toMatchObject({ status: 0, said: `${FILE}: OK\n` })
  })

  test('and ends with an error, not with a wrong file, when the origin lies', async () => {
    const { site, trust, origins } = await release()
    await runCli(['export', site, '--into-site', ...trust])
    await origins[0]?.set('wrong-bytes')
    const { status, said } = await fetchWithAria2(join(site, 'exports', `${STEM}.meta4`))
    expect(status).not.toBe(0)
    expect(said).toContain('Invalid checksum')
  })
})

test('an altered file does not pass the exported checksums', async () => {
  const { site, trust } = await release()
  const out = await temporaryFolder()
  await runCli(['export', site, '--out', out, ...trust])
  const dir = await makeFolder({ [FILE]: Buffer.from(BYTES).fill(0, 5, 9) })
  for (const sums of ['SHA256SUMS', `${STEM}.sha256`]) {
    const { status, said } = await run('sha256sum', ['-c', '--strict', join(out, sums)], dir)
    expect([status, said]).toEqual([1, expect.stringContaining(`${FILE}: FAILED`)])
  }
})

describe('sealift export', () => {
  test('says what it wrote and from where it leads, as one JSON object too', async () => {
    const { site, trust, origins } = await release()
    const out = join(await temporaryFolder(), 'deep', 'out')
    const told = await runCli(['export', site, '--out', out, ...trust, '--name', 'agent', '--release', '1.2.3'])
    expect(told).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect(told.out).toContain(`verified   agent 1.2.3 linux/amd64 (3000000 bytes, SHA-256 ${DIGEST})`)
    expect(told.out).toContain(`places     ${origins.map(({ url }) => url).join(', ')}`)
    const result = await runCli(['export', site, '--out', out, ...trust, '--json', '--tracker', 'https://tracker.test/announce'])
    expect(result.json()).toMatchObject({
      ok: true,
      catalogue: { repository: 'acme', freshness: 'fresh' },
      places: origins.map(({ url }) => url),
      artifacts: [
        {
          sha256: DIGEST,
          files: [`${STEM}.meta4`, `${STEM}.torrent`, `${STEM}.sha256`],
          infoHash: expect.stringMatching(/^[0-9a-f]{40}$/),
        },
      ],
    })
    expect((await readdir(out)).toSorted()).toEqual(['SHA256SUMS', `${STEM}.meta4`, `${STEM}.sha256`, `${STEM}.torrent`])
  })

  test('takes trust and places from sealift.json, but no relative URL of a file', async () => {
    const { site, trust } = await release()
    const work = await temporaryFolder()
    const config = join(work, 'public', 'sealift.json')
    await mkdir(join(work, 'public'))
    const publicKey = await readFile(trust[1] ?? '', 'utf8')
    const origins = [
      { id: 'own', url: 'releases/' },
      { id: 'us', url: 'https://us.cdn.test/' },
    ]
    await writeFile(config, JSON.stringify({ schema: 1, repository: 'acme', origins, trust: { catalogueSigners: [{ publicKey }] } }))
    const result = await runCli(['export', site, '--out', work, '--config', config])
    expect(result).toMatchObject({ exitCode: EXIT.ok })
    expect(result.out).toMatch(/^places {5}https:\/\/us\.cdn\.test\/, http:\/\/127/m)
    expect(result.out).not.toContain('http://localhost')
  })

  test('shows how far it is, where somebody looks on, and cleans up behind it', async () => {
    const { site, trust } = await release()
    const shown: string[] = []
    await runCli(['export', site, '--into-site', ...trust], { progress: (text) => void shown.push(text) })
    expect(shown.at(-2)).toBe('reading    agent 1.2.3 linux/amd64 100 %')
    expect(shown.at(-1)).toBe('')
  })

  test.each([
    ['without a folder to write to', [], 'input-invalid'],
    ['with two of them', ['--out', 'x', '--into-site'], 'input-invalid'],
    ['with a tracker that is no URL', ['--into-site', '--tracker', 'tracker'], 'Expected a URL'],
    ['without anybody to trust', ['--into-site'], 'policy-missing'],
  ])('%s ends with 2', async (_, args, words) => {
    const result = await runCli(['export', await temporaryFolder(), ...args])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toContain(words)
  })

  test('of a site behind a URL ends with 2 and says to copy it first', async () => {
    expect(await runCli(['export', 'https://cdn.example/', '--into-site'])).toMatchObject({
      exitCode: EXIT.usage,
      err: expect.stringContaining('Copy the site here first'),
    })
  })
})
