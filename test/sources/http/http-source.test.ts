import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/limits.ts'
import { toSourceId } from '../../../src/core/model/ids.ts'
import { createHttpSource, type HttpSource } from '../../../src/sources/http/http-source.ts'
import type { HttpSourceOptions } from '../../../src/sources/http/http-options.ts'
import { expectFailure, reasonOf } from '../../contracts/check.ts'
import { collect, SOURCE_ARTIFACT, SOURCE_BYTES, SOURCE_PIECE_BYTES } from '../../contracts/source-cases.ts'
import { sourceContract } from '../../contracts/source-contract.ts'
import { makeArtifact } from '../../fakes/make-artifact.ts'
import { startFaultOrigin, type FaultOrigin, type OriginFault } from '../../fakes/fault-origin.ts'
import { createVirtualClock } from '../../fakes/virtual-clock.ts'

const never = new AbortController().signal
const clock = createVirtualClock(Date.UTC(2026, 0, 1))
const CATALOGUE = new TextEncoder().encode('{"mediaType":"x"}')
const whole = { start: 0, end: SOURCE_BYTES.length }
const middle = { start: SOURCE_PIECE_BYTES, end: 3 * SOURCE_PIECE_BYTES }
const head = { start: 0, end: SOURCE_PIECE_BYTES }

let origin: FaultOrigin
let other: FaultOrigin

beforeAll(async () => {
  origin = await startFaultOrigin({ blobs: [SOURCE_BYTES], catalogue: CATALOGUE })
  other = await startFaultOrigin({ blobs: [SOURCE_BYTES], catalogue: CATALOGUE })
})

afterAll(async () => {
  await origin.close()
  await other.close()
})

beforeEach(() => {
  origin.fault = 'none'
})

function source(more: Partial<HttpSourceOptions> = {}): HttpSource {
  return createHttpSource({ id: toSourceId('cdn-1'), tier: 'cdn', baseUrl: origin.baseUrl, clock, fetch, ...more })
}

sourceContract('http source', async () => ({ source: source() }))

test('asks for a part with one plain range and nothing that needs a preflight', async () => {
  const before = origin.requests.length
  expect(await collect(source(), middle)).toEqual(SOURCE_BYTES.slice(middle.start, middle.end))
  expect(origin.requests.length - before).toBe(1)
  const request = origin.requests.at(-1)
  expect(request?.method).toBe('GET')
  expect(request?.path).toBe(`/by-hash/sha256/${SOURCE_ARTIFACT.sha256}`)
  expect(request?.headers.range).toBe(`bytes=${SOURCE_PIECE_BYTES}-${3 * SOURCE_PIECE_BYTES - 1}`)
})

test('asks for a whole blob without a range', async () => {
  expect(await collect(source(), whole)).toEqual(SOURCE_BYTES)
  expect(origin.requests.at(-1)?.headers.range).toBeUndefined()
})

test('sends neither cookies nor the page it runs on', async () => {
  const seen: unknown[] = []
  const spy: HttpSourceOptions['fetch'] = (url, init) => {
    seen.push({ credentials: init.credentials, referrerPolicy: init.referrerPolicy, cache: init.cache, space: init.targetAddressSpace })
    return fetch(url, init)
  }
  await collect(source({ fetch: spy, addressSpace: 'local' }), head)
  expect(seen).toEqual([{ credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store', space: 'local' }])
})

const refusals: readonly {
  fault: OriginFault
  range: typeof whole
  code: 'source-protocol' | 'source-missing' | 'source-length' | 'source-unreachable'
  why: string
}[] = [
  { fault: 'html', range: middle, code: 'source-protocol', why: 'a sign-in page instead of a piece' },
  { fault: 'html', range: whole, code: 'source-protocol', why: 'a sign-in page instead of a blob' },
  { fault: 'html-206', range: middle, code: 'source-protocol', why: 'a part of a web page' },
  { fault: 'multipart', range: middle, code: 'source-protocol', why: 'several ranges in one body' },
  { fault: 'wrong-content-range', range: middle, code: 'source-protocol', why: 'another range than the one asked for' },
  {
    fault: 'range-ignored',
    range: middle,
    code: 'source-protocol',
    why: 'a 200 answer to a range request, because its body is the wrong bytes',
  },
  { fault: 'range-ignored-other-length', range: head, code: 'source-protocol', why: 'a 200 answer whose length is not the blob’s' },
  { fault: 'no-content', range: middle, code: 'source-protocol', why: 'an answer without content' },
  { fault: 'redirect', range: middle, code: 'source-protocol', why: 'a redirect to a host nobody named' },
  { fault: 'missing', range: middle, code: 'source-missing', why: 'a missing blob' },
  { fault: 'short-body', range: middle, code: 'source-length', why: 'a body that is too short by its own account' },
  { fault: 'early-end', range: middle, code: 'source-length', why: 'a body that ends early without an error' },
  { fault: 'early-end', range: whole, code: 'source-length', why: 'a whole body that ends early without an error' },
  { fault: 'long-body', range: middle, code: 'source-length', why: 'a body that goes on too long' },
  { fault: 'long-body', range: whole, code: 'source-length', why: 'a whole body that goes on too long' },
]

test.each(refusals)('refuses $why ($fault)', async ({ fault, range, code }) => {
  origin.fault = fault
  origin.redirectTo = other.baseUrl
  const failure = await expectFailure(collect(source(), range), [code])
  expect(failure).toMatchObject({ source: 'cdn-1' })
})

test('a redirect is refused before the other host hears of it', async () => {
  origin.fault = 'redirect'
  origin.redirectTo = other.baseUrl
  const before = other.requests.length
  await expectFailure(collect(source(), middle), ['source-protocol'])
  expect(other.requests.length).toBe(before)
})

test('follows a redirect to a host that the site allows, and to no other', async () => {
  origin.fault = 'redirect'
  origin.redirectTo = other.baseUrl
  expect(await collect(source({ redirectHosts: [other.host] }), middle)).toEqual(SOURCE_BYTES.slice(middle.start, middle.end))
  await expectFailure(collect(source({ redirectHosts: ['mirror.example:443'] }), middle), ['source-protocol'])
})

test('takes a part whose Content-Range is hidden from scripts', async () => {
  origin.fault = 'hidden-content-range'
  expect(await collect(source(), middle)).toEqual(SOURCE_BYTES.slice(middle.start, middle.end))
})

test('a server that ignores the range of the beginning gives the whole body, and it is known from then on that it does', async () => {
  const plain = source()
  expect(plain.ignoresRanges?.()).toBe(false)
  origin.fault = 'range-ignored'
  expect(await collect(plain, head)).toEqual(SOURCE_BYTES)
  expect(plain.ignoresRanges?.()).toBe(true)
  origin.fault = 'none'
  expect(await collect(plain, head)).toEqual(SOURCE_BYTES.slice(0, SOURCE_PIECE_BYTES))
  expect(plain.ignoresRanges?.()).toBe(false)
})

test('a gateway can be read past its cache, a CDN cannot', async () => {
  expect(source().reread).toBeUndefined()
  const gateway = source({ tier: 'gateway' })
  const reread = gateway.reread?.({ sha256: SOURCE_ARTIFACT.sha256, sizeBytes: SOURCE_BYTES.length }, middle, never)
  for await (const chunk of reread ?? []) expect(chunk.length).toBeGreaterThan(0)
  expect(origin.requests.at(-1)?.path).toBe(`/by-hash/sha256/${SOURCE_ARTIFACT.sha256}?refetch=1`)
})

test.each([
  ['7', 7],
  ['3600', 60],
  ['Thu, 01 Jan 2026 00:00:20 GMT', 20],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
])('reads Retry-After "%s" as %s seconds', async (header, seconds) => {
  origin.fault = 'unavailable'
  origin.retryAfter = header
  const failure = await expectFailure(collect(source(), middle), ['source-status'])
  expect(failure).toEqual({ code: 'source-status', source: 'cdn-1', status: 503, retryAfterSeconds: seconds })
})

test('says in which phase a source became unreachable, and claims no cause', async () => {
  origin.fault = 'reset'
  expect(await expectFailure(collect(source(), middle), ['source-unreachable'])).toMatchObject({ phase: 'headers' })
  origin.fault = 'cut-body'
  expect(await expectFailure(collect(source(), middle), ['source-unreachable'])).toMatchObject({ phase: 'body' })
  const closed = await startFaultOrigin({ blobs: [] })
  await closed.close()
  expect(await expectFailure(collect(source({ baseUrl: closed.baseUrl }), middle), ['source-unreachable'])).toMatchObject({
    phase: 'headers',
  })
})

test('a silent server is left at once when the caller gives up', async () => {
  origin.fault = 'silent'
  const controller = new AbortController()
  const reason = new Error('enough')
  const before = origin.requests.length
  const work = reasonOf(collect(source(), middle, controller.signal))
  await expect.poll(() => origin.requests.length).toBe(before + 1)
  controller.abort(reason)
  expect(await work).toBe(reason)
})

test('a reader that leaves early frees the connection', async () => {
  const large = new Uint8Array(32 * 1024 * 1024)
  const big = await startFaultOrigin({ blobs: [large] })
  for await (const chunk of source({ baseUrl: big.baseUrl }).read(
    makeArtifact(large, 4 * 1024 * 1024),
    { start: 0, end: large.length },
    never,
  )) {
    expect(chunk.length).toBeGreaterThan(0)
    break
  }
  await expect.poll(() => big.cancelled).toBe(1)
  await big.close()
})

test('asks under the rewritten URL', async () => {
  const signed = source({ rewriteUrl: async (url) => `${url.replace(origin.baseUrl, other.baseUrl)}` })
  const before = other.requests.length
  expect(await collect(signed, head)).toEqual(SOURCE_BYTES.slice(0, SOURCE_PIECE_BYTES))
  expect(other.requests.length).toBe(before + 1)
})

test('reads the catalogue as it is served', async () => {
  expect(await source().readCatalogue(1000, never)).toEqual(CATALOGUE)
  expect(origin.requests.at(-1)?.path).toBe('/catalogue.json')
})

test('stops reading a catalogue that is too big', async () => {
  const failure = await expectFailure(source().readCatalogue(CATALOGUE.length - 1, never), ['format-oversized'])
  expect(failure).toEqual({ code: 'format-oversized', document: 'catalogue', limitBytes: CATALOGUE.length - 1 })
  expect(await source().readCatalogue(CATALOGUE.length, never)).toEqual(CATALOGUE)
})

test('reads a trust update by its number, says so when there is none, and stops reading one that does not end', async () => {
  const update = new Uint8Array(LIMITS.trustUpdateBytes).fill(7)
  const files = new Map([
    ['/trust/1.json', update],
    ['/trust/3.json', new Uint8Array(LIMITS.trustUpdateBytes + 1)],
  ])
  const site = await startFaultOrigin({ blobs: [], files })
  const reader = source({ baseUrl: site.baseUrl })
  expect(await reader.readTrustUpdate(1, never)).toEqual(update)
  await expectFailure(reader.readTrustUpdate(2, never), ['source-missing'])
  const failure = await expectFailure(reader.readTrustUpdate(3, never), ['format-oversized'])
  expect(failure).toEqual({ code: 'format-oversized', document: 'trust-update', limitBytes: LIMITS.trustUpdateBytes })
  await site.close()
})

test.each(['html', 'missing', 'unavailable', 'redirect', 'no-content'] as const)(
  'refuses a catalogue when the origin answers with: %s',
  async (fault) => {
    origin.fault = fault
    origin.redirectTo = other.baseUrl
    await expectFailure(source().readCatalogue(1000, never), ['source-protocol', 'source-missing', 'source-status'])
  },
)

test('a gateway is asked for one piece at a time', () => {
  expect(source({ tier: 'gateway' }).maxRunPieces).toBe(1)
  expect(source().maxRunPieces).toBe(16)
})

test('a range outside the blob and a base URL without a slash are mistakes of the programmer', async () => {
  await expect(collect(source(), { start: 5, end: 5 })).rejects.toThrow(RangeError)
  await expect(collect(source(), { start: 0, end: SOURCE_BYTES.length + 1 })).rejects.toThrow(RangeError)
  expect(() => source({ baseUrl: 'http://cdn.example/base' })).toThrow(TypeError)
})
