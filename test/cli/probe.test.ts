import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { findFreePort } from '../../demo/stack/switchable-server.ts'
import { EXIT } from '../../src/cli/exit-codes.ts'
import { bytesOf } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { PORTAL, startMirror, type Mirror } from '../probe/mirror.ts'
import { runCli } from './run-cli.ts'

// A starved machine takes its time; no outcome here depends on it.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let base = ''
let site = ''
/** Names the mirror `eu`, and whom to trust. */
const flagsFor = ({ url }: Mirror): readonly string[] => ['--site', `eu=${url}`, '--public-key', join(base, 'signing-key.pub')]

// Made once: the tests below only read it.
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'sealift-probe-'))
  site = join(base, 'site')
  await mkdir(join(base, 'dist'))
  await writeFile(join(base, 'dist', 'agent-1.2.3.tar.gz'), bytesOf(100_000))
  for (const args of [
    ['keygen', base],
    ['publish', join(base, 'dist'), '--out', site, '--repository', 'acme', '--key', join(base, 'signing-key.pem')],
  ]) {
    const result = await runCli(args)
    if (result.exitCode !== 0) throw new Error(result.out + result.err)
  }
  return () => rm(base, { recursive: true, force: true })
})

const rot =
  (mirror: Mirror): Mirror['fault'] =>
  ({ url = '', method, headers }, response) => {
    if (method !== 'GET' || !url.startsWith('/by-hash/') || headers.range === undefined) return false
    mirror.requests.push(`rotten ${url}`)
    const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(headers.range) ?? []
    response.writeHead(206, { 'content-range': `bytes ${first}-${last}/100000` }).end(Buffer.alloc(Number(last) - Number(first) + 1))
    return true
  }

describe('check', () => {
  test('ends with 0 and a line for each check, when all is well', async () => {
    const mirror = await startMirror(site)
    const shown: string[] = []
    const args = ['check', ...flagsFor(mirror), '--portal', PORTAL, '--config', await configOf(mirror), '--challenge']
    const result = await runCli(args, { progress: (text) => void shown.push(text) })
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: '' })
    expect(result.out).toMatch(/^ok {6}eu {6}reachable {10}answers {2}\(\d+ ms\)$/m)
    expect(result.out).toMatch(/^ok {6}eu {6}challenge {10}4 of 4 pieces are good/m)
    expect(shown.slice(-2)).toEqual(['8 checks so far, last challenge at eu', ''])
    expect(result.out).toMatch(/all 8 checks passed, at 1 of 1 places; acme version \d+, 1 artifacts, 1[34] d/)
  })

  test('ends with 8 and says what is wrong, in words and as one JSON object', async () => {
    const mirror = await startMirror(site)
    mirror.fault = rot(mirror)
    const args = ['check', ...flagsFor(mirror), '--challenge', '--rot', '0.5', '--confidence', '.99']
    const told = await runCli(args)
    expect(told).toMatchObject({ exitCode: EXIT.wanting, err: '' })
    expect(told.out).toMatch(/^FAILED {2}eu {6}challenge {10}2 of 4 pieces are rotten; agent 1.2.3 piece 0: expected/m)
    expect(told.out).toMatch(/1 of 7 checks failed, at 1 of 1 places/)
    const json = await runCli([...args, '--json'])
    expect(json).toMatchObject({ exitCode: EXIT.wanting, err: '' })
    expect(json.json()).toMatchObject({
      ok: false,
      exitCode: 8,
      isChallenged: true,
      catalogue: { repository: 'acme' },
      origins: [{ id: 'eu', tier: 'cdn', isUp: true, piecesChecked: 4, piecesRotten: 2 }],
      rows: expect.arrayContaining([{ origin: 'eu', check: 'ranges', ok: true, detail: expect.any(String), ms: expect.any(Number) }]),
    })
  })

  test('takes everything from the sealift.json of a portal', async () => {
    const mirror = await startMirror(site)
    const portal = await startMirror(await temporaryFolder())
    await writeFile(join(portal.site, 'sealift.json'), await readFile(await configOf(mirror)))
    const result = await runCli(['check', '--portal', portal.url, '--json'])
    // The mirror names another portal.
    expect(result.json()).toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ check: 'cors', ok: false })]) })
    mirror.fault = (_, response) => {
      response.setHeader('access-control-allow-origin', new URL(portal.url).origin)
      return false
    }
    expect(await runCli(['check', '--portal', portal.url])).toMatchObject({ exitCode: EXIT.ok })
    const told = await runCli(['check', '--config', `${portal.url}sealift.json`, '--json'])
    expect(told.json()).toMatchObject({ ok: true, rows: expect.arrayContaining([expect.objectContaining({ check: 'cors', ok: true })]) })
  })

  test.each([
    ['nothing to look at', [], /--config.*or --site is needed/],
    ['nobody to trust', ['--site', 'http://127.0.0.1:1/'], /policy-missing/],
    ['a share that is none', ['--site', 'http://127.0.0.1:1/', '--rot', '10'], /share between 0 and 1/],
    ['a portal that is none', ['--site', 'http://127.0.0.1:1/', '--portal', 'portal'], /'--portal' must be a URL/],
  ])('with %s ends with 2', async (_, args, says) => {
    const result = await runCli(['check', ...args])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toMatch(says)
  })

  test('never repeats a password', async () => {
    const result = await runCli(['check', '--site', 'https://operator:hunter2@cdn.example/', '--public-key', join(base, 'signing-key.pub')])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toMatch(/cdn.example.*name and password/)
    expect(result.err).not.toContain('hunter2')
  })

  test('metrics that cannot be written end with 2, and leave nothing behind', async () => {
    const mirror = await startMirror(site)
    const result = await runCli(['check', ...flagsFor(mirror), '--prometheus', join(base, 'signing-key.pub', 'x.prom')])
    expect(result).toMatchObject({ exitCode: EXIT.usage })
    expect(result.err).toMatch(/x.prom.*cannot be written/)
  })
})

describe('probe', () => {
  test('looks again and again, tells each round in a line, and keeps metrics until it is interrupted', async () => {
    const mirror = await startMirror(site)
    const file = join(await temporaryFolder(), 'sealift.prom')
    const port = await findFreePort([])
    const stop = new AbortController()
    const lines: string[] = []
    const shown: Promise<string>[] = []
    const onLine = (text: string): void => {
      lines.push(text)
      // Between two rounds, and so with the metrics of the first.
      if (lines.length === 1) {
        mirror.fault = rot(mirror)
        shown.push(fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text()))
      } else stop.abort(new Error('enough'))
    }
    const args = ['probe', ...flagsFor(mirror), '--challenge', '--interval', '1s', '--json', '--prometheus', file, '--listen', String(port)]
    const result = await runCli(args, { out: onLine, signal: stop.signal })
    expect(result).toMatchObject({ exitCode: EXIT.ok, err: `metrics on http://127.0.0.1:${port}/metrics\n` })
    expect(lines.map((line) => (JSON.parse(line) as { ok: boolean }).ok)).toEqual([true, false])
    const first = (await shown[0])?.split('\n') ?? []
    for (const line of ['sealift_probe_up{origin="eu"} 1', 'sealift_probe_ok 1', 'sealift_probe_check_ok{origin="eu",check="challenge"} 1'])
      expect(first).toContain(line)
    expect(first.filter((line) => line.startsWith('#') && line.includes('_total'))).toContain(
      '# TYPE sealift_probe_pieces_rotten_total counter',
    )
    const second = (await readFile(file, 'utf8')).split('\n')
    for (const line of [
      'sealift_probe_pieces_checked_total{origin="eu"} 8',
      'sealift_probe_pieces_rotten_total{origin="eu"} 2',
      'sealift_probe_check_ok{origin="eu",check="challenge"} 0',
      'sealift_probe_ok 0',
    ])
      expect(second).toContain(line)
    for (const name of ['catalogue_version', 'catalogue_expires_seconds', 'first_byte_seconds'])
      expect(second.some((line) => new RegExp(`^sealift_probe_${name}\\{origin="eu"\\} [\\d.]+$`).test(line))).toBe(true)
  })

  test('ends by itself after so many rounds, with 8 when a check failed in one of them', async () => {
    const mirror = await startMirror(site)
    expect(await runCli(['probe', ...flagsFor(mirror), '--rounds', '1'])).toMatchObject({ exitCode: EXIT.ok })
    mirror.fault = (_, response) => {
      response.writeHead(503).end()
      return true
    }
    const result = await runCli(['probe', ...flagsFor(mirror), '--rounds', '1'])
    expect(result).toMatchObject({ exitCode: EXIT.wanting })
    expect(result.out).toContain('answers 503')
    expect(result.out).toContain('no catalogue that can be believed')
  })

  test('a port that is taken ends with 2', async () => {
    const mirror = await startMirror(site)
    const result = await runCli(['probe', ...flagsFor(mirror), '--listen', new URL(mirror.url).port])
    expect(result).toMatchObject({ exitCode: EXIT.usage, out: '' })
    expect(result.err).toMatch(/port \d+, detail=is taken/)
  })
})

async function configOf({ url }: Mirror): Promise<string> {
  const path = join(await temporaryFolder(), 'sealift.json')
  const publicKey = await readFile(join(base, 'signing-key.pub'), 'utf8')
  const trust = { catalogueSigners: [{ publicKey }] }
  await writeFile(path, JSON.stringify({ schema: 1, repository: 'acme', origins: [{ id: 'eu', url }], trust }))
  return path
}
