import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { GatewayOptions, RunningGateway } from '../../src/node/gateway-config.ts'
import { startOrigin, type Origin } from './origin.ts'

const MIB = 2 ** 20
const PORTAL = 'https://downloads.example.com'
const FILE = randomBytes(3 * MIB + 1000)

export interface GatewayHarness {
  readonly isInstalled: boolean
  start(options: GatewayOptions & { readonly runDir: string }): Promise<RunningGateway>
}

/** What every LAN gateway does, whatever it is made of. */
export function gatewayContract(name: string, harness: GatewayHarness): void {
  describe.skipIf(!harness.isInstalled)(name, () => {
    let folder: string
    let origins: Origin[]
    let gateway: RunningGateway

    const start = async (urls: readonly string[]): Promise<RunningGateway> =>
      harness.start({
        origins: urls,
        allowedOrigins: [PORTAL],
        cacheDir: join(folder, 'cache'),
        pinnedRoot: join(folder, 'pinned'),
        runDir: join(folder, 'run'),
        catalogueSeconds: 1,
      })
    const blobUrl = (query = ''): string => `${gateway.url}/by-hash/sha256/${origins[0]?.digest}${query}`
    const get = (range?: string, query?: string): Promise<Response> =>
      fetch(blobUrl(query), { headers: range === undefined ? {} : { range } })
    const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer())
    const killOrigins = async (): Promise<void> => void (await Promise.all(origins.map((origin) => origin.kill())))

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gw-'))
      await mkdir(join(folder, 'pinned', 'by-hash', 'sha256'), { recursive: true })
      origins = await Promise.all([startOrigin(FILE), startOrigin(FILE)])
      gateway = await start(origins.map((origin) => origin.url))
    })
    afterEach(async () => {
      await gateway.close()
      await killOrigins()
      await rm(folder, { recursive: true, force: true })
    })

    test('serves a file once fetched when every origin is dead', async () => {
      expect((await bytesOf(await get())).equals(FILE)).toBe(true)
      await killOrigins()
      const kept = await get()
      expect(kept.status).toBe(200)
      expect((await bytesOf(kept)).equals(FILE)).toBe(true)
      expect(kept.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    })

    test('passes on nothing by which an origin could reach into a site of another name', async () => {
      for (const url of [blobUrl(), blobUrl(), `${gateway.url}/catalogue.json`]) {
        const answer = await fetch(url)
        expect(answer.status).toBe(200)
        await answer.arrayBuffer()
        for (const name of ['clear-site-data', 'alt-svc', 'strict-transport-security', 'link', 'set-cookie'])
          expect([name, answer.headers.get(name)]).toEqual([name, null])
      }
    })

    test('keeps what it has over a restart, and starts with every origin dead', async () => {
      await bytesOf(await get())
      await killOrigins()
      await gateway.close()
      gateway = await start(origins.map((origin) => origin.url))
      expect((await bytesOf(await get(`bytes=${2 * MIB}-${3 * MIB - 1}`))).equals(FILE.subarray(2 * MIB, 3 * MIB))).toBe(true)
    })

    test('answers one byte and one aligned mebibyte with exactly those, and pulls only their slices', async () => {
      const one = await get('bytes=1500000-1500000')
      expect([one.status, one.headers.get('content-range')]).toEqual([206, `bytes 1500000-1500000/${FILE.length}`])
      expect((await bytesOf(one)).equals(FILE.subarray(1_500_000, 1_500_001))).toBe(true)
      const slice = await get(`bytes=${MIB}-${2 * MIB - 1}`)
      expect(slice.headers.get('content-length')).toBe(String(MIB))
      expect((await bytesOf(slice)).equals(FILE.subarray(MIB, 2 * MIB))).toBe(true)
      expect(origins.flatMap((origin) => origin.ranges)).toEqual([`bytes=${MIB}-${2 * MIB - 1}`])
    })

    test('crosses the border of two slices without losing a byte', async () => {
      const across = await get(`bytes=${MIB - 3}-${3 * MIB + 5}`)
      expect((await bytesOf(across)).equals(FILE.subarray(MIB - 3, 3 * MIB + 6))).toBe(true)
    })

    test('answers 416 with the size to a range past the end', async () => {
      for (const past of [FILE.length, FILE.length + 5 * MIB]) {
        const refused = await get(`bytes=${past}-${past + 99}`)
        expect([refused.status, refused.headers.get('content-range')]).toEqual([416, `bytes */${FILE.length}`])
        await refused.arrayBuffer()
      }
    })

    test('twenty cold clients cost the origins one request per slice', async () => {
      const clients = Array.from({ length: 20 }, async () => bytesOf(await get(`bytes=0-${MIB - 1}`)))
      for (const bytes of await Promise.all(clients)) expect(bytes.equals(FILE.subarray(0, MIB))).toBe(true)
      expect(origins.flatMap((origin) => origin.ranges)).toHaveLength(1)
    })

    test('a wrong slice stays until a client asks to fetch it again, and is then right for everybody', async () => {
      for (const origin of origins) origin.mode = 'poisoned'
      await bytesOf(await get('bytes=0-99'))
      for (const origin of origins) origin.mode = 'good'
      expect((await bytesOf(await get('bytes=0-99'))).equals(Buffer.alloc(100))).toBe(true)
      expect((await bytesOf(await get('bytes=0-99', '?refetch=1'))).equals(FILE.subarray(0, 100))).toBe(true)
      expect((await bytesOf(await get('bytes=0-99'))).equals(FILE.subarray(0, 100))).toBe(true)
    })

    test('refuses a flood of refetches, so that a client cannot turn it on the origins', async () => {
      const flood = await Promise.all(Array.from({ length: 40 }, () => get('bytes=0-0', '?refetch=1')))
      expect(flood.map((response) => response.status)).toContain(429)
      await Promise.all(flood.map(bytesOf))
    })

    test('never keeps a login page in place of a file', async () => {
      for (const origin of origins) origin.mode = 'html'
      await bytesOf(await get('bytes=0-99'))
      for (const origin of origins) origin.mode = 'good'
      expect((await bytesOf(await get('bytes=0-99'))).equals(FILE.subarray(0, 100))).toBe(true)
    })

    test.each(['missing', 'hanging', 'dead'] as const)('asks the second origin when the first is %s', async (fault) => {
      if (fault === 'dead') await origins[0]?.kill()
      for (const first of origins.slice(0, 1)) first.mode = fault === 'dead' ? 'good' : fault
      const startMs = performance.now()
      expect((await bytesOf(await get('bytes=0-9'))).equals(FILE.subarray(0, 10))).toBe(true)
      expect(performance.now() - startMs).toBeLessThan(4500)
    })

    test('answers at once, with its headers and not marked immutable, when nobody has the file', async () => {
      await killOrigins()
      const refused = await fetch(blobUrl(), { headers: { origin: PORTAL } })
      expect(refused.status).toBeGreaterThanOrEqual(502)
      expect(refused.headers.get('access-control-allow-origin')).toBe(PORTAL)
      expect(refused.headers.get('cache-control')).toBeNull()
    })

    test('serves what the operator pushed without any origin', async () => {
      await killOrigins()
      await writeFile(join(folder, 'pinned', 'by-hash', 'sha256', origins[0]?.digest ?? ''), FILE)
      const pinned = await get('bytes=100-199')
      expect([pinned.status, pinned.headers.get('etag')]).toEqual([206, `"sha256-${origins[0]?.digest}"`])
      expect((await bytesOf(pinned)).equals(FILE.subarray(100, 200))).toBe(true)
    })

    test('lets the scripts of a listed portal read, and nobody else', async () => {
      const listed = await fetch(blobUrl(), { headers: { origin: PORTAL, range: 'bytes=0-0' } })
      expect(listed.headers.get('access-control-allow-origin')).toBe(PORTAL)
      expect(listed.headers.get('access-control-expose-headers')).toContain('Content-Range')
      expect(listed.headers.get('access-control-expose-headers')).toContain('Retry-After')
      const other = await fetch(blobUrl(), { headers: { origin: 'https://evil.example', range: 'bytes=0-0' } })
      expect(other.headers.get('access-control-allow-origin')).toBeNull()
      const catalogue = await fetch(`${gateway.url}/catalogue.json`, { headers: { origin: PORTAL } })
      expect(catalogue.headers.get('access-control-allow-origin')).toBe(PORTAL)
      await Promise.all([listed, other, catalogue].map(bytesOf))
    })

    test('keeps the catalogue through an outage', async () => {
      const live = await fetch(`${gateway.url}/catalogue.json`)
      expect([await live.text(), live.headers.get('cache-control')]).toEqual([
        '{"first":true}',
        'public, max-age=60, stale-while-revalidate=300, stale-if-error=86400',
      ])
      await killOrigins()
      const late = async (): Promise<unknown> => {
        const answer = await fetch(`${gateway.url}/catalogue.json`)
        return [answer.status, answer.headers.get('x-cache-status'), await answer.text()]
      }
      await expect.poll(late, { timeout: 5000, interval: 100 }).toEqual([200, 'STALE', '{"first":true}'])
    })

    test('takes a newer catalogue within the time that the operator named', async () => {
      await (await fetch(`${gateway.url}/catalogue.json`)).text()
      for (const origin of origins) origin.catalogue = '{"second":true}'
      const text = async (): Promise<string> => (await fetch(`${gateway.url}/catalogue.json`)).text()
      await expect.poll(text, { timeout: 5000, interval: 100 }).toBe('{"second":true}')
    })

    test('keeps trust updates through an outage, and knows of a new one within seconds', async () => {
      const read = async (number: number): Promise<unknown> => {
        const answer = await fetch(`${gateway.url}/trust/${number}.json`, { headers: { origin: PORTAL } })
        expect(answer.headers.get('access-control-allow-origin')).toBe(PORTAL)
        return [answer.status, await answer.text()]
      }
      const status = async (number: number): Promise<unknown> => (await fetch(`${gateway.url}/trust/${number}.json`)).status
      for (const origin of origins) origin.updates.set('1', '{"update":1}')
      expect(await read(1)).toEqual([200, '{"update":1}'])
      expect(await status(2)).toBe(404)
      for (const origin of origins) origin.updates.set('2', '{"update":2}')
      await expect.poll(() => read(2), { timeout: 8000, interval: 200 }).toEqual([200, '{"update":2}'])
      await killOrigins()
      await expect.poll(() => read(1), { timeout: 5000, interval: 200 }).toEqual([200, '{"update":1}'])
      expect(await read(2)).toEqual([200, '{"update":2}'])
    })

    test('asks the origins once for what many pages hope for, and takes no other name for a trust update', async () => {
      const status = async (name: string): Promise<number> => (await fetch(`${gateway.url}/trust/${name}`)).status
      await status('5.json')
      const asked = origins.map((origin) => origin.updateRequests)
      expect(await Promise.all(Array.from({ length: 10 }, () => status('5.json')))).toEqual(Array.from({ length: 10 }, () => 404))
      expect(origins.map((origin) => origin.updateRequests)).toEqual(asked)
      for (const name of ['0.json', '05.json', '1', '-1.json', '1.json.bak', 'a.json', '1234567890.json', ''])
        expect(await status(name)).toBe(404)
      expect(origins.map((origin) => origin.updateRequests)).toEqual(asked)
    })

    test('knows few paths and two methods, and tells that it is alive', async () => {
      expect((await fetch(`${gateway.url}/`)).status).toBe(404)
      expect((await fetch(`${gateway.url}/by-hash/sha256/ABC`)).status).toBe(404)
      expect((await fetch(`${gateway.url}/by-hash/sha256/${'0'.repeat(64)}`)).status).toBeGreaterThanOrEqual(404)
      expect((await fetch(blobUrl(), { method: 'POST', body: 'x' })).status).toBe(405)
      expect((await fetch(blobUrl(), { method: 'DELETE' })).status).toBe(405)
      expect((await fetch(blobUrl(), { method: 'OPTIONS' })).status).toBe(204)
      expect(await (await fetch(`${gateway.url}/healthz`)).json()).toEqual({ ok: true, role: 'lan-gateway' })
    })

    test('answers 304 to a client that has the file', async () => {
      expect((await fetch(blobUrl(), { headers: { 'if-none-match': `"sha256-${origins[0]?.digest}"` } })).status).toBe(304)
    })
  })
}
