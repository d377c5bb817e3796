import fc from 'fast-check'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { Failure } from '../../src/core/errors.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import type { Source } from '../../src/core/ports.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { bytesOf, createMachine, createMirror, deliver } from '../engine/machine.ts'
import { PIECE_BYTES, type Publisher, type Release } from '../engine/publisher.ts'
import type { FaultOrigin, OriginFault } from '../fakes/fault-origin.ts'
import { seededBytes } from '../fakes/seeded-random.ts'
import { countReadBytes, createKeyPublisher, expectRefused, expectSurvived, openHostileSite, pathOf, type Misdeed } from './hostile-site.ts'

/** Raise it for a longer hunt: `SEALIFT_RUNS=2000 npx vitest run test/attacks/content.test.ts`. */
const RUNS = Number(process.env['SEALIFT_RUNS'] ?? 20)

vi.setConfig({ testTimeout: Math.max(60_000, RUNS * 1000) })

const PIECES = 5
const SEVERAL = seededBytes(1, (PIECES - 1) * PIECE_BYTES + 5)
/** Fetched in one request, without a range. */
const ONE = SEVERAL.slice(0, PIECE_BYTES)
/** What is in the air between a body and its reader. */
const CHUNK_BYTES = 64 * 1024

let publisher: Publisher
let several: Release
let one: Release

beforeAll(async () => {
  publisher = await createKeyPublisher()
  ;[several, one] = [await publisher.release(SEVERAL), await publisher.release(ONE)]
})

/** A site whose first origin serves this artifact, and nothing else, as `fault` says. */
async function attacked(release: Release, fault: OriginFault) {
  const { sha256 } = release.entry.artifact
  const site = await openHostileSite(publisher, [release])
  site.evil.fault = fault
  site.evil.faultAt = pathOf(sha256)
  return { ...site, sha256, both: site.start(site.evil, site.honest), alone: site.start(site.evil) }
}

/** With an honest origin beside it the attack costs nothing; without one it gets nothing through. */
async function expectStopped(release: Release, fault: OriginFault, failure: Misdeed): Promise<void> {
  const { both } = await attacked(release, fault)
  await expectSurvived(both, release.bytes, failure)
  const { machine, alone, sha256 } = await attacked(release, fault)
  await expectRefused({ machine, engine: alone, sha256 }, 'sources-exhausted', failure)
}

test('co01.flip: one flipped bit anywhere is found, costs its own piece a second fetch, and bans who sent it', async () => {
  const catalogue = await publisher.catalogue([several])
  const edges = Array.from({ length: PIECES }, (_, piece) => [piece * PIECE_BYTES, Math.min((piece + 1) * PIECE_BYTES, SEVERAL.length) - 1])
  const place = fc.oneof(fc.constantFrom(...edges.flat(), PIECE_BYTES >> 1), fc.nat(SEVERAL.length - 1))
  await fc.assert(
    fc.asyncProperty(place, fc.nat(7), async (at, bit) => {
      const mirror = (id: string) => createMirror(id, { catalogue, blobs: several.blobs, maxRunPieces: 1 })
      const [evil, honest] = [flipping(mirror('evil'), several.entry.artifact.sha256, { at, bit }), mirror('honest')]
      const { blob, record } = await deliver(createMachine(publisher).start([evil, honest]))
      expect(Buffer.from(await bytesOf(blob)).equals(SEVERAL)).toBe(true)
      const piece = Math.floor(at / PIECE_BYTES)
      const tally = record.sources.find(({ source }) => source === 'evil')
      expect(tally?.failures).toMatchObject([{ code: 'digest-mismatch', piece }])
      const asked = honest.asked.filter(({ end, start }) => end - start > 5 || start > 0).map(({ start }) => start / PIECE_BYTES)
      expect(asked).toContain(piece)
      // What the liar sent before is right, and stays.
      const kept = tally?.pieces.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)) ?? []
      expect(kept.filter((index) => asked.includes(index))).toEqual([])
    }),
    {
      numRuns: RUNS,
      examples: [
        [0, 0],
        [SEVERAL.length - 1, 7],
      ],
    },
  )
})

/** Flips one bit of one blob wherever it is part of what was asked for. */
function flipping<S extends Source>(source: S, sha256: Sha256, { at, bit }: { readonly at: number; readonly bit: number }): S {
  const read = source.read.bind(source)
  async function* flipped(...[blob, range, signal]: Parameters<Source['read']>): AsyncIterable<Uint8Array> {
    let offset = range.start
    for await (const chunk of read(blob, range, signal)) {
      const within = at - offset
      if (blob.sha256 === sha256 && within >= 0 && within < chunk.length) chunk[within] = (chunk[within] ?? 0) ^ (1 << bit)
      offset += chunk.length
      yield chunk
    }
  }
  return Object.assign(source, { read: flipped })
}

describe('co03.html200: a sign-in page in the place of an artifact', () => {
  test.each<readonly [string, OriginFault, Failure['code']]>([
    ['that says what it is', 'html', 'source-protocol'],
    ['that says it is bytes', 'html-as-bytes', 'source-length'],
  ])('%s is no artifact, and its source is named', async (_what, fault, code) => {
    await expectStopped(several, fault, { code })
  })

  test('and of the catalogue is passed over for an origin that has one', async () => {
    const { evil, both } = await attacked(several, 'html')
    evil.faultAt = /^/
    const { record } = await expectSurvived(both, SEVERAL, { code: 'source-protocol' })
    expect(record.catalogue.source).toBe('honest')
  })
})

describe('co04.range-table: an answer that is not the range that was asked for', () => {
  test.each<readonly [string, OriginFault, Failure['code']]>([
    ['says another place', 'wrong-content-range', 'source-protocol'],
    ['says another size of the whole', 'wrong-total', 'source-protocol'],
    ['says that there is none', 'not-satisfiable', 'source-status'],
    ['is several parts', 'multipart', 'source-protocol'],
  ])('is not read when it %s', async (_what, fault, code) => {
    await expectStopped(several, fault, { code })
  })

  test('is used by counting, to its end, when it is the whole from the start', async () => {
    const { evil, both, sha256 } = await attacked(several, 'range-ignored')
    const { blob, record } = await deliver(both)
    expect(sha256Of(await bytesOf(blob))).toBe(sha256)
    expect(record.sources.find(({ source }) => source === 'evil')?.pieces).toEqual([{ start: 0, end: PIECES }])
    expect(evil.requests.filter(({ path }) => pathOf(sha256).test(path))).toHaveLength(1)
  })

  test('is not used when it is the whole of something else', async () => {
    await expectStopped(several, 'range-ignored-other-length', { code: 'source-protocol' })
  })
})

describe('co05.gzip: an artifact that a proxy compressed on its way', () => {
  test.each([
    ['whole', 1, 0],
    ['in parts', PIECES, 5],
  ])('%s counts by what comes out, whatever its Content-Length says', async (_how, pieces, more) => {
    const text = Buffer.from('a text that repeats itself, and so is sent in fewer bytes than it has. ')
    const release = await publisher.release(new Uint8Array(Buffer.alloc(pieces * PIECE_BYTES + more, text)))
    const { evil, alone, sha256 } = await attacked(release, 'gzip')
    const { blob } = await deliver(alone)
    expect(sha256Of(await bytesOf(blob))).toBe(sha256)
    expect(evil.requests.some(({ path }) => pathOf(sha256).test(path))).toBe(true)
  })
})

test('co05.gzip-range: a part of the compressed form is no part of the artifact', async () => {
  await expectStopped(several, 'gzip-range', { code: 'source-protocol' })
})

describe('co06.bomb: what unpacks to far more than was asked for', () => {
  test.each([
    ['a whole artifact', () => one],
    ['a part of one', () => several],
  ])('as %s is left one chunk past its end', async (_what, release) => {
    const { evil, both, sha256 } = await attacked(release(), 'bomb')
    const read = countReadBytes()
    await expectSurvived(both, release().bytes)
    expect(read.of(`${evil.baseUrl}by-hash/sha256/${sha256}`)).toBeLessThanOrEqual(mostOf(evil, release()))
  })
})

describe('co07.redirect: a redirect', () => {
  test('to another host: that host never hears of it, and the origin is named', async () => {
    const { evil, honest, machine, start, sha256 } = await attacked(several, 'redirect')
    evil.redirectTo = honest.baseUrl
    await expectRefused({ machine, engine: start(evil), sha256 }, 'sources-exhausted', { code: 'source-protocol' })
    expect(honest.requests).toEqual([])
  })

  test('without end is not followed once', async () => {
    await expectStopped(several, 'redirect-loop', { code: 'source-protocol' })
  })
})

test('co09.sizes: nothing, one byte, and whole pieces with one byte more or less arrive exactly, and never with a byte too many or few', async () => {
  const sizes = [0, 1, ...[1, 2, 3].flatMap((count) => [count * PIECE_BYTES - 1, count * PIECE_BYTES, count * PIECE_BYTES + 1])]
  for (const size of sizes) {
    const release = await publisher.release(SEVERAL.slice(0, size))
    const catalogue = await publisher.catalogue([release])
    const mirror = (id: string) => createMirror(id, { catalogue, blobs: release.blobs })
    for (const extra of size === 0 ? [0] : [0, -1, 1]) {
      const machine = createMachine(publisher)
      const engine = machine.start([resized(mirror('evil'), release.entry.artifact.sha256, extra), mirror('honest')])
      const { blob, record } = await deliver(engine)
      expect([size, extra, blob.size, Buffer.from(await bytesOf(blob)).equals(release.bytes)]).toEqual([size, extra, size, true])
      expect(record.sources.reduce((sum, { verifiedBytes }) => sum + verifiedBytes, 0)).toBe(size)
    }
  }
})

/** Every answer about one blob is so many bytes longer. */
function resized<S extends Source>(source: S, sha256: Sha256, extra: number): S {
  const read = source.read.bind(source)
  async function* changed(...[blob, range, signal]: Parameters<Source['read']>): AsyncIterable<Uint8Array> {
    if (blob.sha256 !== sha256 || extra === 0) return yield* read(blob, range, signal)
    const chunks: Uint8Array[] = []
    for await (const chunk of read(blob, range, signal)) chunks.push(chunk)
    const whole = Buffer.concat(chunks)
    yield new Uint8Array(extra < 0 ? whole.subarray(0, extra) : Buffer.concat([whole, Buffer.alloc(extra)]))
  }
  return Object.assign(source, { read: changed })
}

describe('tr11.endless-artifact: an origin that never ends', () => {
  test.each([
    ['a whole artifact', () => one],
    ['a part of one', () => several],
  ])('%s is left one chunk past its end', async (_what, release) => {
    const { evil, both, sha256 } = await attacked(release(), 'endless')
    const read = countReadBytes()
    await expectSurvived(both, release().bytes)
    expect(read.of(`${evil.baseUrl}by-hash/sha256/${sha256}`)).toBeLessThanOrEqual(mostOf(evil, release()))
  })
})

/** Bytes of an artifact that an origin was asked for, and a chunk more for each request. */
function mostOf(origin: FaultOrigin, { bytes, entry }: Release): number {
  const lengths = origin.requests
    .filter(({ path }) => pathOf(entry.artifact.sha256).test(path))
    .map(({ headers }) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '')
      return range === null ? bytes.length : Number(range[2]) + 1 - Number(range[1])
    })
  return lengths.reduce((sum, length) => sum + length + CHUNK_BYTES, 0)
}
