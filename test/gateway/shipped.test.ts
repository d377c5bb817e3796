import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { findFreePort } from '../../demo/stack/switchable-server.ts'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { startNameServer } from '../drills/matrix/name-server.ts'
import { runCli } from '../cli/run-cli.ts'
import { bytesOf, makeFolder } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { startMirror } from '../probe/mirror.ts'
import { startOrigin, type Origin } from './origin.ts'
import { startNginx, type GatewayFolder } from './run-nginx.ts'

// A starved machine takes its time to start nginx.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const isInstalled = findNginx() !== undefined
if (!isInstalled) console.warn('NOT RUN: the shipped gateway configuration, because nginx is missing. apt-get install nginx-light')

const PORTAL = 'https://downloads.example.com'
const MIB = 2 ** 20
const FILE = randomBytes(2 * MIB + 1000)
const LOOPBACK = ['--portal', PORTAL]

interface Plain {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly ms: number
}

/** As it is written: `fetch` would tidy up the path. */
function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}): Promise<Plain> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
          ms: performance.now() - startMs,
        }),
      )
    })
      .on('error', reject)
      .end()
  })
}

describe.skipIf(!isInstalled)('nginx with what `sealift gateway config` wrote', () => {
  let folder: GatewayFolder
  let origins: readonly [Origin, Origin]
  let blob: string

  beforeEach(async () => {
    folder = { dir: await temporaryFolder(), port: await findFreePort([]) }
    origins = [await startOrigin(FILE), await startOrigin(FILE)]
    for (const origin of origins) onTestFinished(() => origin.kill())
    blob = `/by-hash/sha256/${origins[0].digest}`
  })

  const urls = (): readonly string[] => origins.flatMap(({ url }) => ['--origin', url])
  /** The same origins by name, so that DNS is needed. */
  const names = (): readonly string[] => origins.flatMap(({ url }, i) => ['--origin', url.replace('127.0.0.1', `cdn${i}.test`)])
  const killOrigins = async (): Promise<void> => void (await Promise.all(origins.map((origin) => origin.kill())))
  const asked = (): readonly unknown[] => origins.flatMap(({ ranges }) => ranges)

  test('starts while DNS and all origins are dead, and serves all that is cached', async () => {
    const dns = await startNameServer()
    const flags = [...names(), ...LOOPBACK, '--resolver', dns.address]
    const first = await startNginx(folder, flags)
    expect((await ask(first.port, blob)).body.equals(FILE)).toBe(true)
    await first.stop()
    await dns.close()
    await killOrigins()
    const again = await startNginx(folder, flags)
    const kept = await ask(again.port, blob)
    expect([kept.status, kept.body.equals(FILE), kept.headers['x-cache-status']]).toEqual([200, true, 'HIT'])
    const part = await ask(again.port, blob, { headers: { range: `bytes=${MIB}-${MIB + 9}` } })
    expect(part.body.equals(FILE.subarray(MIB, MIB + 10))).toBe(true)
    expect(Math.max(kept.ms, part.ms)).toBeLessThan(1000)
  })

  test('says at once that it has nothing, readable for the portal and never to be kept', async () => {
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    await killOrigins()
    const refused = await ask(port, blob, { headers: { origin: PORTAL } })
    expect(refused.status).toBe(502)
    expect(refused.headers).toMatchObject({ 'access-control-allow-origin': PORTAL })
    expect(refused.headers['cache-control']).toBeUndefined()
    expect((await ask(port, blob)).ms).toBeLessThan(100)
  })

  test('an origin that hangs costs three seconds once', async () => {
    origins[0].mode = 'hanging'
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    const first = await ask(port, blob, { headers: { range: 'bytes=0-9' } })
    expect(first.body.equals(FILE.subarray(0, 10))).toBe(true)
    expect(first.ms).toBeLessThan(3200)
    // Two, since they take turns.
    for (const start of [MIB, 2 * MIB]) {
      const next = await ask(port, blob, { headers: { range: `bytes=${start}-${start + 9}` } })
      expect(next.body.equals(FILE.subarray(start, start + 10))).toBe(true)
      expect(next.ms).toBeLessThan(300)
    }
  })

  test('what the operator pinned comes first, and costs no origin a request', async () => {
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    await ask(port, blob, { headers: { range: 'bytes=0-9' } })
    const before = asked().length
    await mkdir(join(folder.dir, 'pinned/by-hash/sha256'), { recursive: true })
    await writeFile(join(folder.dir, 'pinned', blob), FILE)
    await writeFile(join(folder.dir, 'pinned/catalogue.json'), '{"pinned":true}')
    const pinned = await ask(port, blob)
    expect([pinned.body.equals(FILE), pinned.headers['x-cache-status'], asked().length]).toEqual([true, undefined, before])
    expect((await ask(port, '/catalogue.json')).body.toString()).toBe('{"pinned":true}')
    expect(origins.map(({ catalogueRequests }) => catalogueRequests)).toEqual([0, 0])
  })

  test('no path leads out of what is published', async () => {
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    await writeFile(join(folder.dir, 'pinned/secret'), 'secret')
    await writeFile(join(folder.dir, 'secret'), 'secret')
    for (const path of [
      '/by-hash/sha256/../../../../etc/passwd',
      '/by-hash/sha256/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
      '/by-hash/sha256/..%2f..%2f..%2fetc%2fpasswd',
      '/trust/../../secret',
      '//secret',
      '/by-hash/../secret',
      '/secret',
    ]) {
      const { status, body } = await ask(port, path)
      expect([400, 404]).toContain(status)
      expect(body.toString()).not.toMatch(/root:|^secret/)
    }
    expect(asked()).toEqual([])
  })

  test('is read by the scripts of its portals alone, however alike another origin looks', async () => {
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    const allowed = async (origin: string): Promise<unknown> =>
      (await ask(port, blob, { headers: { origin, range: 'bytes=0-0' } })).headers['access-control-allow-origin']
    expect(await allowed(PORTAL)).toBe(PORTAL)
    for (const origin of ['https://evil.example', `${PORTAL}.evil.example`, 'null', '*']) {
      expect(await allowed(origin)).toBeUndefined()
    }
  })

  test('lets in the networks that may, and of these no part that may not', async () => {
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK, '--allow', '127.0.0.0/8', '--deny', '127.0.0.64/26'])
    const from = (localAddress: string): Promise<number> =>
      new Promise((resolve, reject) => {
        httpRequest({ host: '127.0.0.1', port, path: blob, localAddress, agent: false, headers: { range: 'bytes=0-0' } }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    expect(await Promise.all(['127.0.0.1', '127.0.0.63', '127.0.0.64', '127.0.0.127', '127.0.0.128'].map(from))).toEqual([
      206, 206, 403, 403, 206,
    ])
    const other = { dir: join(folder.dir, 'other'), port: await findFreePort([]) }
    await startNginx(other, [...urls(), ...LOOPBACK, '--allow', '10.0.0.0/8'])
    for (const path of [blob, '/catalogue.json', '/healthz', '/']) expect((await ask(other.port, path)).status).toBe(403)
    expect(asked()).toHaveLength(1)
  })

  test('a page that an origin sends in place of a file can do nothing in the name of the gateway', async () => {
    for (const origin of origins) origin.mode = 'html'
    const { port } = await startNginx(folder, [...urls(), ...LOOPBACK])
    for (const path of [blob, '/catalogue.json', '/trust/1.json']) {
      const { headers, body } = await ask(port, path)
      expect(body.toString()).toContain('please log in')
      expect(headers['content-security-policy']).toBe("sandbox; default-src 'none'")
    }
  })

  test('its log has one JSON object for each request, which `sealift gateway metrics` counts', async () => {
    const nginx = await startNginx(folder, [...urls(), ...LOOPBACK])
    for (let i = 0; i < 2; i++) await ask(nginx.port, blob, { headers: { range: 'bytes=0-9' } })
    await ask(nginx.port, '/catalogue.json')
    await ask(nginx.port, '/"\\x')
    await nginx.stop('SIGQUIT')
    const lines = (await readFile(join(folder.dir, 'access.log'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(lines).toMatchObject([{ peer: '127.0.0.1', method: 'GET', uri: blob, range: 'bytes=0-9', status: 206 }, {}, {}, { status: 404 }])
    const { exitCode, out } = await runCli(['gateway', 'metrics', join(folder.dir, 'access.log')])
    expect(exitCode).toBe(0)
    for (const line of [
      'sealift_gateway_requests_total{path="blob",status="2xx"} 2',
      'sealift_gateway_requests_total{path="catalogue",status="2xx"} 1',
      'sealift_gateway_requests_total{path="other",status="4xx"} 1',
      'sealift_gateway_cache_total{path="blob",cache="HIT"} 1',
      'sealift_gateway_cache_total{path="blob",cache="MISS"} 1',
      'sealift_gateway_sent_bytes_total{path="blob"} 20',
      'sealift_gateway_log_lines_unread_total 0',
    ])
      expect(out.split('\n')).toContain(line)
  })

  test('passes every check of a probe, and is found out once a slice in its cache is wrong or its catalogue old', async () => {
    const dir = await makeFolder({ 'dist/agent-1.2.3.tar.gz': bytesOf(3 * MIB) })
    const publishing = ['publish', join(dir, 'dist'), '--out', join(dir, 'site'), '--repository', 'acme']
    publishing.push('--key', join(dir, 'signing-key.pem'))
    for (const args of [['keygen', dir], publishing]) expect((await runCli(args)).exitCode).toBe(0)
    const mirror = await startMirror(join(dir, 'site'))
    const check = async (port: number, ...flags: readonly string[]): Promise<unknown> => {
      const args = ['--site', `gw=http://127.0.0.1:${port}/`, '--public-key', join(dir, 'signing-key.pub'), '--challenge', '--json']
      const result = await runCli(['check', ...args, ...(flags.includes('--portal') ? [] : ['--portal', PORTAL]), ...flags])
      const { rows } = result.json() as { rows: { origin: string; check: string; ok: boolean }[] }
      const failed = rows.filter(({ ok }) => !ok).map(({ origin, check: name }) => `${origin} ${name}`)
      return [result.exitCode, rows.length, failed]
    }
    const gateway = await startNginx(folder, ['--origin', mirror.url, ...LOOPBACK])
    expect(await check(gateway.port)).toEqual([0, 8, []])
    // What it has is well without its origin too.
    await mirror.close()
    expect(await check(gateway.port)).toEqual([0, 8, []])
    expect(await check(gateway.port, '--portal', 'https://other.example')).toEqual([8, 8, ['gw cors']])
    const rotten = await startMirror(join(dir, 'site'))
    rotten.fault = ({ headers }, response) => {
      if (headers.range !== `bytes=${2 * MIB}-${3 * MIB - 1}`) return false
      response
        .writeHead(206, { 'content-range': `bytes ${2 * MIB}-${3 * MIB - 1}/${3 * MIB}`, 'content-length': MIB })
        .end(Buffer.alloc(MIB))
      return true
    }
    const other = await startNginx({ dir: join(folder.dir, 'other'), port: await findFreePort([]) }, ['--origin', rotten.url, ...LOOPBACK])
    expect(await check(other.port)).toEqual([8, 8, ['gw challenge']])
    // A release that the first gateway, whose origin is gone, hears nothing of. The other server is for another portal.
    rotten.fault = undefined
    expect((await runCli([...publishing, '--channel', 'beta'])).exitCode).toBe(0)
    expect(await check(gateway.port, '--site', `eu=${rotten.url}`, '--lag', '0s')).toEqual([8, 16, ['gw catalogue', 'eu cors']])
  })
})
