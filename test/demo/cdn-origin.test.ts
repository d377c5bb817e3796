import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startCdnOrigin, type CdnOrigin } from '../../demo/stack/cdn-origin.ts'
import { createPace, sendFile, type Pace } from '../../demo/stack/send-blob.ts'
import { startSwitchableServer } from '../../demo/stack/switchable-server.ts'

const DIGEST = 'd'.repeat(64)
const PATH = `by-hash/sha256/${DIGEST}`
const BODY = Buffer.alloc(512 * 1024, 7)

let dir: string
let origin: CdnOrigin

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-cdn-'))
  await mkdir(join(dir, 'by-hash', 'sha256'), { recursive: true })
  await writeFile(join(dir, PATH), BODY)
  await writeFile(join(dir, 'catalogue.json'), '{}')
  origin = await startCdnOrigin({
    id: 'cdn-1',
    siteDir: dir,
    isArtifact: (sha256) => sha256 === DIGEST,
    rateBytesPerSecond: undefined,
    onChange: () => {},
  })
})

afterEach(async () => {
  await origin.close()
  await rm(dir, { recursive: true, force: true })
})

const get = (path: string, range?: string): Promise<Response> => fetch(origin.url + path, range === undefined ? {} : { headers: { range } })

test('serves one range as 206, and counts what it sent', async () => {
  const response = await get(PATH, 'bytes=100-199')
  expect(response.status).toBe(206)
  expect(response.headers.get('content-range')).toBe(`bytes 100-199/${BODY.length}`)
  expect((await response.arrayBuffer()).byteLength).toBe(100)
  expect(origin.requests).toMatchObject([{ start: 100, end: 200, sentBytes: 100 }])
})

test('serves nothing outside of the published layout', async () => {
  await writeFile(join(dir, 'notes.txt'), 'not published')
  expect((await get('notes.txt')).status).toBe(404)
  expect((await get('by-hash/sha256/..%2f..%2fcatalogue.json')).status).toBe(404)
})

test('serves the trust updates that the site has', async () => {
  await mkdir(join(dir, 'trust'))
  await writeFile(join(dir, 'trust', '1.json'), '{"first":true}')
  expect(await (await get('trust/1.json')).text()).toBe('{"first":true}')
  const missing = await get('trust/2.json')
  expect([missing.status, missing.headers.get('cache-control')]).toEqual([404, 'no-store'])
  expect((await get('trust/01.json')).status).toBe(404)
})

test('down means that nobody listens, and up that the same port answers again', async () => {
  await origin.set('down')
  await expect(get(PATH)).rejects.toThrow()
  expect(origin.state).toBe('down')
  await origin.set('up')
  expect((await get(PATH)).status).toBe(200)
})

test('sends wrong bytes for artifacts alone, of the right length', async () => {
  await origin.set('wrong-bytes')
  const bytes = Buffer.from(await (await get(PATH)).arrayBuffer())
  expect(bytes.length).toBe(BODY.length)
  expect(bytes.equals(BODY)).toBe(false)
  expect(await (await get('catalogue.json')).text()).toBe('{}')
})

test('dies by itself after so many bytes of artifacts, in the middle of an answer', async () => {
  await origin.set({ dieAfterBytes: 200 * 1024 })
  const response = await get(PATH)
  await expect(response.arrayBuffer()).rejects.toThrow()
  expect(origin.state).toBe('down')
  expect(origin.downSinceMs).toBeTypeOf('number')
  await expect(get('catalogue.json')).rejects.toThrow()
})

test('a rate holds over all requests together', async () => {
  await origin.set({ rateBytesPerSecond: 2 * 1024 * 1024 })
  const startedMs = performance.now()
  await Promise.all([get(PATH), get(PATH)].map(async (response) => (await response).arrayBuffer()))
  expect(performance.now() - startedMs).toBeGreaterThan(350)
})

// Neither a timer of hours nor an open file may outlive the visitor: it would hold a drill that is over.
test.each<readonly [when: string, pace: Pace]>([
  ['while it is kept waiting', createPace(1)],
  ['just before a chunk is sent', async (_, gone) => void (await once(gone, 'abort'))],
])('a visitor that leaves %s takes its answer with it', async (_, pace) => {
  const path = join(dir, PATH)
  await writeFile(path, Buffer.alloc(32 * 1024 * 1024, 7))
  const sendings: Promise<unknown>[] = []
  let onAsked = (): void => {}
  const asked = new Promise<void>((resolve) => (onAsked = resolve))
  const server = await startSwitchableServer((request, response) => {
    const beforeChunk = async (bytes: number, gone: AbortSignal): Promise<boolean> => {
      onAsked()
      await pace(bytes, gone)
      return true
    }
    sendings.push(sendFile(path, request, response, { headers: {}, alter: undefined, onRange: () => {}, beforeChunk }))
  }, 0)
  const leaving = new AbortController()
  const answer = fetch(server.url, { signal: leaving.signal })
  await asked
  leaving.abort()
  await answer.catch(() => undefined) // it never came, or it is not read to its end
  await Promise.allSettled(sendings) // that it ends is the point, not how
  await server.stop()
})
