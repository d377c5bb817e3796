import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { failureOf } from '../../src/core/errors.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import { toSha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { exportSite, type ExportOptions } from '../../src/node/export/export-site.ts'
import { publish, type PublishOptions } from '../../src/node/publish/publish.ts'
import type { PublishSigner } from '../../src/node/publish/publish-signer.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { decodeBencode, type Decoded } from './decode-bencode.ts'
import { bytesOf, catalogueOf, makeFolder, makeKeySigner, never, snapshotOf, stoppedClock } from './publish-fixture.ts'
import { temporaryFolder } from './temporary-folder.ts'

const FILE = 'agent-1.2.3-linux-amd64.tar.gz'
const STEM = 'agent-1.2.3-linux-amd64'
const KIB = 1024
const BYTES = bytesOf(200_000)
const EU = 'https://eu.cdn.example/'
const LAN = 'http://gateway.lan/'
const ORIGINS = [
  { id: 'lan', tier: 'gateway', url: LAN, region: undefined, operator: undefined },
  { id: 'eu', tier: 'cdn', url: EU, region: undefined, operator: undefined },
] as const

const FILES_OF_A = ['SHA256SUMS', 'a-1-2.meta4', 'a-1-2.sha256', 'a-1-2.torrent']

interface Published {
  readonly options: PublishOptions & { readonly signer: PublishSigner }
  readonly site: string
  readonly out: string
  run(changes?: Partial<ExportOptions>): ReturnType<typeof exportSite>
}

async function published(
  files: Readonly<Record<string, string | Uint8Array>>,
  changes: Partial<Omit<PublishOptions, 'signer'>> = {},
): Promise<Published> {
  const signer = await makeKeySigner()
  const [site, out] = [join(await temporaryFolder(), 'site'), join(await temporaryFolder(), 'out')]
  const options = { dir: await makeFolder(files), site, repository: 'acme', origins: ORIGINS, signer, ...changes }
  await publish(options, never)
  const trust = trustOfPolicy(signer.policy)
  return { options, site, out, run: (own = {}) => exportSite({ site, out, trust, ...own }, never) }
}

const urlOf = (base: string, bytes: Uint8Array): string => `${base}by-hash/sha256/${createHash('sha256').update(bytes).digest('hex')}`
const namesIn = async (dir: string): Promise<readonly string[]> => [...(await snapshotOf(dir)).keys()].map((path) => path.slice(1))
const codeOf = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => failureOf(error)?.code ?? String(error),
  )

/** The folder, which a run that wrote nothing has not made. */
async function made(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true })
  return dir
}

describe('a torrent', () => {
  test('is private, names the file and the by-hash URL of every origin, and has the SHA-1 of every piece', async () => {
    const { out, run } = await published({ [FILE]: BYTES }, { pieceLengthBytes: 64 * KIB })
    const report = await run()
    const bytes = await readFile(join(out, `${STEM}.torrent`))
    const torrent = decodeBencode(bytes)
    const pieces = [0, 1, 2, 3].map((at) =>
      createHash('sha1')
        .update(BYTES.subarray(at * 64 * KIB, (at + 1) * 64 * KIB))
        .digest(),
    )
    const info = new Map<string, Decoded>([
      ['length', 200_000],
      ['name', Buffer.from(FILE)],
      ['piece length', 64 * KIB],
      ['pieces', Buffer.concat(pieces)],
      ['private', 1],
    ])
    expect(torrent).toEqual(
      new Map<string, Decoded>([
        ['creation date', expect.any(Number)],
        ['info', info],
        ['url-list', [Buffer.from(urlOf(EU, BYTES)), Buffer.from(urlOf(LAN, BYTES))]],
      ]),
    )
    const start = bytes.indexOf('4:info') + '4:info'.length
    const hash = createHash('sha1')
      .update(bytes.subarray(start, bytes.indexOf('8:url-list')))
      .digest('hex')
    expect(report.exported).toMatchObject([{ infoHash: hash, filename: FILE }])
  })

  test('of the same catalogue has the same bytes, and a tracker changes nothing of its info hash', async () => {
    const { out, run } = await published({ [FILE]: BYTES })
    const [first] = (await run()).exported
    const before = await snapshotOf(out)
    await run()
    expect(await snapshotOf(out)).toEqual(before)
    const [again] = (await run({ tracker: 'https://tracker.example/announce' })).exported
    expect(again?.infoHash).toBe(first?.infoHash)
    const torrent = decodeBencode(await readFile(join(out, `${STEM}.torrent`)))
    expect(torrent instanceof Map && torrent.get('announce')).toEqual(Buffer.from('https://tracker.example/announce'))
  })

  test('is not made where the publisher forbids peers, and one of before is gone', async () => {
    const { options, out, run } = await published({ [FILE]: BYTES })
    await run()
    expect(await namesIn(out)).toContain(`${STEM}.torrent`)
    await publish({ ...options, settings: { mesh: false } }, never)
    expect((await run()).exported).toMatchObject([{ torrentRefusal: 'mesh-forbidden', infoHash: undefined }])
    expect(await namesIn(out)).toEqual(['SHA256SUMS', `${STEM}.meta4`, `${STEM}.sha256`])
  })

  test('is not made of an empty file, which has no pieces in a Metalink either', async () => {
    const { out, run } = await published({ [FILE]: '' })
    expect((await run()).exported).toMatchObject([{ torrentRefusal: 'empty' }])
    expect(await readFile(join(out, `${STEM}.meta4`), 'utf8')).toMatch(/<size>0<\/size>(?![^]*<pieces)/)
  })
})

describe('a Metalink', () => {
  test('names size, digests, pieces, publisher and origins, the CDN before the gateway', async () => {
    const { out, run } = await published({ [FILE]: BYTES }, { pieceLengthBytes: 64 * KIB })
    await run()
    const text = await readFile(join(out, `${STEM}.meta4`), 'utf8')
    const hashes = [0, 1, 2, 3].map((at) =>
      createHash('sha256')
        .update(BYTES.subarray(at * 64 * KIB, (at + 1) * 64 * KIB))
        .digest('hex'),
    )
    expect(text).toContain('<metalink xmlns="urn:ietf:params:xml:ns:metalink">')
    expect(text).toMatch(/<published>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/published>\n {2}<updated>\d{4}-/)
    expect(text).toContain(`<file name="${FILE}">`)
    expect(text).toContain('<publisher name="acme"/>\n    <size>200000</size>')
    expect(text).toContain(`<hash type="sha-256">${createHash('sha256').update(BYTES).digest('hex')}</hash>`)
    expect(text).toContain('<pieces length="65536" type="sha-256">')
    expect([...text.matchAll(/<hash>([0-9a-f]+)<\/hash>/g)].map(([, hash]) => hash)).toEqual(hashes)
    expect(text).toContain(`<url priority="1">${urlOf(EU, BYTES)}</url>\n    <url priority="2">${urlOf(LAN, BYTES)}</url>`)
  })

  test('escapes what a file name and a URL may hold and XML may not', async () => {
    const name = "R&D 'agent' ü.bin"
    const settings = { schema: 1, files: { [name]: { name: 'agent', version: '1.0' } } }
    const { out, run } = await published({ [name]: BYTES, 'sealift.publish.json': JSON.stringify(settings) })
    await run({ places: [{ tier: 'cdn', url: 'https://cdn.example/a&b/' }] })
    const text = await readFile(join(out, 'agent-1.0.meta4'), 'utf8')
    expect(text).toContain('<file name="R&amp;D &apos;agent&apos; ü.bin">')
    expect(text).toContain('<url priority="1">https://cdn.example/a&amp;b/by-hash')
    expect(await readFile(join(out, 'SHA256SUMS'), 'utf8')).toMatch(/^[0-9a-f]{64} {2}R&D 'agent' ü\.bin\n$/)
  })

  test('is refused for a file name that XML cannot hold', async () => {
    const { out, run } = await published({ 'a\uFFFF.bin': BYTES, 'sealift.publish.json': '{"defaults":{"name":"a","version":"1"}}' })
    expect(await codeOf(run())).toBe('format-invalid')
    expect(await namesIn(await made(out))).toEqual([])
  })
})

describe('nothing is exported', () => {
  test.each([
    ['of a blob that was altered', 'artifact-digest', (path: string) => writeFile(path, bytesOf(200_000).fill(0, 7, 9))],
    ['of a blob that was cut', 'artifact-size', (path: string) => writeFile(path, BYTES.subarray(1))],
    ['of a blob that is gone', 'blob-unavailable', (path: string) => rm(path)],
  ] as const)('%s', async (_, code, harm) => {
    const { site, out, run } = await published({ [FILE]: BYTES })
    await harm(join(site, urlOf('', BYTES)))
    expect(await codeOf(run())).toBe(code)
    expect(await namesIn(await made(out))).toEqual([])
  })

  test('of a catalogue or an artifact that another key signed, nor of a catalogue that was altered', async () => {
    const { site, run, options } = await published({ [FILE]: BYTES })
    const other = trustOfPolicy((await makeKeySigner()).policy)
    expect(await codeOf(run({ trust: other }))).toBe('signature-invalid')
    expect(await codeOf(run({ trust: { ...trustOfPolicy(options.signer.policy), artifacts: other.artifacts } }))).toBe('signature-invalid')
    await appendFile(join(site, 'catalogue.json'), '}')
    expect(await codeOf(run())).toBe('format-invalid')
  })

  test('past the end of the catalogue', async () => {
    const clock = stoppedClock(Math.floor(systemClock.nowMs() / 1000) + 15 * 86_400)
    expect(await codeOf((await published({ [FILE]: BYTES })).run({ clock }))).toBe('catalogue-expired')
  })

  test('of a catalogue of another site, of one that is too old, and of one that a trust update denies', async () => {
    const { site, run } = await published({ [FILE]: BYTES })
    const { payload } = parseCatalogueEnvelope(await readFile(join(site, 'catalogue.json')))
    const { version } = await catalogueOf(site)
    expect(await codeOf(run({ repository: 'other' }))).toBe('catalogue-repository')
    expect(await codeOf(run({ minimumVersion: version + 1 }))).toBe('catalogue-rollback')
    expect(await codeOf(run({ denied: [sha256Of(payload)] }))).toBe('artifact-denied')
  })

  test('from a folder without a catalogue, without a place, and of what is not listed', async () => {
    const { run } = await published({ [FILE]: BYTES })
    expect(await codeOf(run({ site: await temporaryFolder() }))).toBe('input-invalid')
    expect(await codeOf(run({ wish: { name: 'agent', version: '1.2.4' } }))).toBe('artifact-unknown')
    expect(await codeOf(run({ wish: { platform: 'linux/arm64' } }))).toBe('artifact-unknown')
    const bare = await published({ [FILE]: BYTES }, { origins: undefined })
    expect(await codeOf(bare.run())).toBe('input-invalid')
    expect((await bare.run({ places: [{ tier: 'cdn', url: EU }] })).places).toEqual([EU])
  })

  test('when two artifacts would get files of one name', async () => {
    const files = { 'a-1/x.bin': { name: 'a-1', version: '2' }, 'a/y.bin': { name: 'a', version: '1-2' } }
    const { run, out, site } = await published({ 'a-1/x.bin': 'x', 'a/y.bin': 'y', 'sealift.publish.json': JSON.stringify({ files }) })
    await expect(run()).rejects.toThrow(/a-1 2 and a 1-2|a 1-2 and a-1 2/)
    expect((await run({ wish: { name: 'a' } })).exported).toHaveLength(1)
    expect(await namesIn(out)).toEqual(FILES_OF_A)
    // Of one of them that is withdrawn nothing is deleted that is the other's.
    const [denied] = (await catalogueOf(site)).artifacts.filter(({ name }) => name === 'a-1')
    expect((await run({ denied: denied === undefined ? [] : [denied.artifact.sha256] })).denied).toEqual([denied])
    expect(await namesIn(out)).toEqual(FILES_OF_A)
  })

  test('when a name is too long for a file, or two differ by capitals alone', async () => {
    const long = { name: 'a'.repeat(100), version: '1'.repeat(101) }
    const tooLong = await published({ 'x.bin': 'x', 'sealift.publish.json': JSON.stringify({ defaults: long }) })
    await expect(tooLong.run()).rejects.toThrow('too long for a file')
    const files = { 'x.bin': { name: 'a', version: '1.0-rc1' }, 'y.bin': { name: 'a', version: '1.0-RC1' } }
    const { run } = await published({ 'x.bin': 'x', 'y.bin': 'y', 'sealift.publish.json': JSON.stringify({ files }) })
    expect(await codeOf(run())).toBe('input-invalid')
  })

  test('when it is stopped, not even in part', async () => {
    const stop = new AbortController()
    const { site, out, options } = await published({ [FILE]: BYTES })
    const onProgress = () => stop.abort(new Error('interrupted'))
    const running = exportSite({ site, out, trust: trustOfPolicy(options.signer.policy), onProgress }, stop.signal)
    await expect(running).rejects.toThrow('interrupted')
    expect(await namesIn(await made(out))).toEqual([])
  })
})

describe('what is withdrawn', () => {
  test('is left out, and its files of before are gone', async () => {
    const { options, out, run } = await published({ [FILE]: BYTES, 'tool-1.0.tgz': 'tool' })
    await run()
    const denied = toSha256(createHash('sha256').update(BYTES).digest('hex'))
    await publish({ ...options, denied: [denied] }, never)
    const report = await run()
    expect(report.denied).toMatchObject([{ name: 'agent' }])
    expect(await namesIn(out)).toEqual(['SHA256SUMS', 'tool-1.0.meta4', 'tool-1.0.sha256', 'tool-1.0.torrent'])
    expect(await readFile(join(out, 'SHA256SUMS'), 'utf8')).not.toContain(FILE)
    expect(await codeOf(run({ wish: { name: 'agent' } }))).toBe('artifact-denied')
  })

  test('is gone also where nothing else is left to export, and with it its line of SHA256SUMS', async () => {
    const { options, site, out, run } = await published({ [FILE]: BYTES, 'tool-1.0.tgz': 'tool' })
    await run()
    const [agent, tool] = (await catalogueOf(site)).artifacts.map(({ artifact }) => artifact.sha256)
    const denied = [agent, tool].flatMap((sha256) => sha256 ?? [])
    await publish({ ...options, denied: denied.slice(0, 1) }, never)
    expect(await codeOf(run({ wish: { name: 'agent' } }))).toBe('artifact-denied')
    expect(await namesIn(out)).toEqual(['SHA256SUMS', 'tool-1.0.meta4', 'tool-1.0.sha256', 'tool-1.0.torrent'])
    expect(await readFile(join(out, 'SHA256SUMS'), 'utf8')).toBe(`${tool}  tool-1.0.tgz\n`)
    expect(await codeOf(run({ denied }))).toBe('artifact-denied')
    expect(await namesIn(out)).toEqual([])
  })

  test('is gone also where the rest of the export fails', async () => {
    const { options, site, out, run } = await published({ [FILE]: BYTES, 'tool-1.0.tgz': 'tool' })
    await run()
    const denied = toSha256(createHash('sha256').update(BYTES).digest('hex'))
    await publish({ ...options, denied: [denied] }, never)
    await rm(join(site, urlOf('', Buffer.from('tool'))))
    expect(await codeOf(run())).toBe('blob-unavailable')
    expect(await namesIn(out)).toEqual(['SHA256SUMS', 'tool-1.0.meta4', 'tool-1.0.sha256', 'tool-1.0.torrent'])
    expect(await readFile(join(out, 'SHA256SUMS'), 'utf8')).not.toContain(denied)
  })

  test('by a trust update is left out too', async () => {
    const { site, run } = await published({ [FILE]: BYTES, 'tool-1.0.tgz': 'tool' })
    const [entry] = (await catalogueOf(site)).artifacts
    const report = await run({ denied: entry === undefined ? [] : [entry.manifest.sha256] })
    expect(report.denied).toEqual([entry])
    expect(report.exported).toHaveLength(1)
  })

  test('mildly, by a yank, is exported for whoever names the version', async () => {
    const { options, run } = await published({ [FILE]: BYTES })
    await publish({ ...options, yanked: [{ name: 'agent', version: '1.2.3' }] }, never)
    expect(await codeOf(run())).toBe('input-invalid')
    expect((await run({ wish: { version: '1.2.3' } })).exported).toMatchObject([{ filename: FILE }])
  })
})

test('a file name that several artifacts have is left out of SHA256SUMS, and each has its own checksum', async () => {
  const files = {
    'a/setup.exe': { name: 'a', version: '1' },
    'b/setup.exe': { name: 'b', version: '1' },
    'c.bin': { name: 'c', version: '1' },
  }
  const { out, run } = await published({
    'a/setup.exe': 'a',
    'b/setup.exe': 'b',
    'c.bin': 'c',
    'sealift.publish.json': JSON.stringify({ files }),
  })
  expect((await run()).ambiguousFilenames).toEqual(['setup.exe'])
  expect(await readFile(join(out, 'SHA256SUMS'), 'utf8')).toBe(`${createHash('sha256').update('c').digest('hex')}  c.bin\n`)
  expect(await readFile(join(out, 'a-1.sha256'), 'utf8')).toBe(`${createHash('sha256').update('a').digest('hex')}  setup.exe\n`)
  expect((await run({ wish: { version: '1', platform: undefined, name: 'a' } })).ambiguousFilenames).toEqual([])
})

test('a SHA256SUMS without a line, which sha256sum calls malformed, is not written, and one of before is gone', async () => {
  const files = { 'a/setup.exe': { name: 'a', version: '1' }, 'b/setup.exe': { name: 'b', version: '1' } }
  const { out, run } = await published({ 'a/setup.exe': 'a', 'b/setup.exe': 'b', 'sealift.publish.json': JSON.stringify({ files }) })
  await run({ wish: { name: 'a' } })
  expect(await namesIn(out)).toContain('SHA256SUMS')
  await run()
  expect(await namesIn(out)).not.toContain('SHA256SUMS')
})
