import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Origin } from '../../src/core/manifest/catalogue.ts'
import { parseCatalogueEnvelope } from '../../src/core/manifest/parse-envelope.ts'
import type { Sha256 } from '../../src/core/model/ids.ts'
import { sha256Of } from '../../src/core/verify/digest.ts'
import { trustOfPolicy } from '../../src/core/verify/site-trust.ts'
import { createProbe, type ProbeOptions } from '../../src/node/probe/probe.ts'
import { PROBE_CHECKS, type ProbeRound } from '../../src/node/probe/round.ts'
import { keySigner } from '../../src/node/publish/publish-signer.ts'
import { publish } from '../../src/node/publish/publish.ts'
import { generateSigningKey, readSigningKey } from '../../src/node/signing/signing-key.ts'
import { bytesOf, catalogueOf, makeFolder, makeKeySigner, never, stoppedClock } from '../node/publish-fixture.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { openMirror, PORTAL, type Fault, type Mirror } from './mirror.ts'

// A starved machine takes its time; no outcome here depends on it but that of what hangs.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const KIB = 1024
const FILE = 'agent-1.2.3-linux-amd64.tar.gz'
/** Four pieces of 64 KiB. */
const BYTES = bytesOf(200 * KIB)

interface Stage {
  /** The second one goes wrong. */
  readonly mirrors: readonly [Mirror, Mirror]
  readonly bad: Mirror
  readonly site: string
  readonly clock: ReturnType<typeof stoppedClock>
  /** Publishes again, one hour later. @param denied what is withdrawn with it */
  release(denied?: readonly Sha256[]): Promise<void>
  /** Publishes something else elsewhere, at the same moment. @returns where */
  twin(): Promise<string>
  /** Path of the artifact below a mirror. */
  readonly blob: string
  readonly options: ProbeOptions
}

async function setUp(): Promise<Stage> {
  const stage = await openStage(await temporaryFolder())
  onTestFinished(async () => void (await Promise.all(stage.mirrors.map((mirror) => mirror.close()))))
  return stage
}

async function openStage(base: string): Promise<Stage> {
  const clock = stoppedClock()
  const { privateKeyPath } = await generateSigningKey(join(base, 'keys'))
  const signer = keySigner(await readSigningKey(privateKeyPath))
  const [dir, site] = [join(base, 'dist'), join(base, 'site')]
  await mkdir(dir)
  await writeFile(join(dir, FILE), BYTES)
  await writeFile(join(dir, 'tool-1.0.0.bin'), 'a tool')
  const mirrors = [await openMirror(site), await openMirror(site)] as const
  const origins = mirrors.map(({ url }, i): Origin => ({
    id: i === 0 ? 'eu' : 'us',
    tier: 'cdn',
    url,
    region: undefined,
    operator: undefined,
  }))
  const common = { dir, site, repository: 'acme', signer, clock, lifetimeSeconds: 86_400, pieceLengthBytes: 64 * KIB }
  await publish({ ...common, origins }, never)
  const [entry] = (await catalogueOf(site)).artifacts
  let number = 0
  return {
    mirrors,
    bad: mirrors[1],
    site,
    clock,
    blob: `/by-hash/sha256/${entry?.artifact.sha256}`,
    async release(denied = []) {
      clock.advance(3600)
      await publish({ ...common, settings: { channel: `c${++number}` }, denied }, never)
    },
    async twin() {
      const twin = join(base, 'twin')
      await publish({ ...common, site: twin, origins, settings: { channel: 'twin' } }, never)
      return twin
    },
    options: {
      places: [{ id: 'eu', tier: 'cdn', url: mirrors[0].url }],
      trust: () => Promise.resolve({ trust: trustOfPolicy(signer.policy), denied: [], minimumVersion: 0 }),
      repository: 'acme',
      portal: PORTAL,
      challenge: { rot: 0.1, confidence: 0.999 },
      clock,
    },
  }
}

const look = (stage: Stage, change: Partial<ProbeOptions> = {}): Promise<ProbeRound> =>
  createProbe({ ...stage.options, ...change }).round(never)
const failedIn = ({ rows }: ProbeRound): readonly string[] => rows.filter(({ ok }) => !ok).map(({ origin, check }) => `${origin} ${check}`)
const detailOf = ({ rows }: ProbeRound, origin: string, check: string): string =>
  rows.find((row) => row.origin === origin && row.check === check)?.detail ?? ''

test('a site without faults passes every check at every place, those that only its catalogue names included', async () => {
  const stage = await setUp()
  const round = await look(stage)
  expect(failedIn(round)).toEqual([])
  expect(round.ok).toBe(true)
  expect(round.rows.map(({ origin, check }) => [origin, check])).toEqual(
    ['eu', 'us'].flatMap((origin) => PROBE_CHECKS.map((check) => [origin, check])),
  )
  // 4 pieces and 1, two manifests, two bundles.
  expect(round.origins).toMatchObject([
    { id: 'eu', isUp: true, catalogueVersion: 1_800_000_000, catalogueExpiresInSeconds: 86_400, piecesChecked: 9, piecesRotten: 0 },
    { id: 'us', isUp: true, piecesChecked: 9 },
  ])
  expect(round.catalogue).toEqual({ repository: 'acme', version: 1_800_000_000, expiresAtSeconds: 1_800_086_400, artifacts: 2 })
})

const isBlob = (url = ''): boolean => url.startsWith('/by-hash/')
const header =
  (name: string, value: string | undefined, of: (url?: string) => boolean): Fault =>
  ({ url }, response) => {
    if (of(url)) {
      if (value === undefined) response.removeHeader(name)
      else response.setHeader(name, value)
    }
    return false
  }
const answer =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Fault =>
  (_, response) => {
    response.writeHead(status, headers).end(body)
    return true
  }
const only =
  (of: (url?: string, method?: string) => boolean, fault: Fault): Fault =>
  (request, response) =>
    of(request.url, request.method) && fault(request, response)

interface Case {
  readonly fault: (stage: Stage) => Fault
  readonly failed: readonly string[]
  readonly says: RegExp
}

const CASES: Readonly<Record<string, Case>> = {
  'CORS that is missing': {
    fault: () => header('access-control-allow-origin', undefined, isBlob),
    failed: ['cors'],
    says: /^Access-Control-Allow-Origin is missing, not https:\/\/portal.example \(of a blob\)$/,
  },
  'CORS for somebody else, of the catalogue': {
    fault: () => header('access-control-allow-origin', 'https://other.example', (url) => !isBlob(url)),
    failed: ['cors'],
    says: /https:\/\/other.example.*\(of the catalogue\)/,
  },
  'CORS that hides headers': {
    fault: () => header('access-control-expose-headers', 'Content-Length', isBlob),
    failed: ['cors'],
    says: /lacks Accept-Ranges, Content-Range, ETag/,
  },
  'blobs that are kept for a day only': {
    fault: () => header('cache-control', 'public, max-age=86400', isBlob),
    failed: ['blob-headers'],
    says: /Cache-Control is public, max-age=86400/,
  },
  'a catalogue that is kept for a year': {
    fault: () => header('cache-control', 'public, max-age=31536000, immutable', (url) => !isBlob(url)),
    failed: ['catalogue-headers'],
    says: /not at most max-age=300/,
  },
  'a catalogue that says nothing of caches': {
    fault: () => header('cache-control', undefined, (url) => !isBlob(url)),
    failed: ['catalogue-headers'],
    says: /Cache-Control is missing/,
  },
  'blobs that are encoded': {
    fault: () =>
      only(
        (url) => isBlob(url),
        ({ headers }, response) => {
          if (headers.range === undefined && String(headers['accept-encoding']).includes('gzip'))
            response.setHeader('content-encoding', 'gzip')
          return false
        },
      ),
    // Encoded in name only, so what is read whole cannot be decoded either.
    failed: ['blob-headers', 'challenge'],
    says: /Content-Encoding is gzip/,
  },
  'ranges that are ignored': {
    fault:
      () =>
      ({ headers }) => {
        delete headers.range
        return false
      },
    failed: ['ranges', 'challenge'],
    says: /ignores ranges: answers 200/,
  },
  'ranges of other bytes': {
    fault: ({ blob }) =>
      only(
        (url) => url === blob,
        ({ headers }) => {
          if (headers.range !== undefined) headers.range = 'bytes=0-999'
          return false
        },
      ),
    failed: ['ranges', 'challenge'],
    says: /Content-Range is bytes 0-999\/204800, not bytes 102400-103399\/204800/,
  },
  'ranges that are cut short': {
    fault: ({ blob }) =>
      only(
        (url) => url === blob,
        ({ headers }, response) => {
          if (headers.range !== 'bytes=102400-103399') return false
          // Chunked: else the client would notice by itself.
          response.writeHead(206, { 'content-range': 'bytes 102400-103399/204800' }).end('short')
          return true
        },
      ),
    failed: ['ranges'],
    says: /^sends 5 bytes for a range of 1000$/,
  },
  'a blob that is missing': {
    fault: ({ blob }) => only((url) => url === blob, answer(404)),
    failed: ['blob-headers', 'ranges', 'blobs', 'challenge'],
    says: /answers 404/,
  },
  'a blob of another size': {
    fault: ({ blob }) => only((url, method) => url === blob && method === 'HEAD', answer(200, { 'content-length': '7' })),
    failed: ['blobs'],
    says: /agent 1.2.3 linux\/amd64: is 7 bytes long, not 204800/,
  },
  'one rotten piece among four': {
    fault: ({ blob }) =>
      only(
        (url) => url === blob,
        ({ headers, method }, response) => {
          if (method !== 'GET' || headers.range !== `bytes=${64 * KIB}-${128 * KIB - 1}`) return false
          const piece = Buffer.from(BYTES.subarray(64 * KIB, 128 * KIB))
          piece[9] = (piece[9] ?? 0) ^ 1
          response.writeHead(206, { 'content-range': `bytes ${64 * KIB}-${128 * KIB - 1}/${BYTES.length}` }).end(piece)
          return true
        },
      ),
    failed: ['challenge'],
    says: /^1 of 9 pieces are rotten; agent 1.2.3 linux\/amd64 piece 1: expected [0-9a-f]{64}, got [0-9a-f]{64}$/,
  },
  'a login page in place of everything': {
    fault: () => answer(200, { 'content-type': 'text/html' }, '<h1>please log in</h1>'),
    failed: ['catalogue', 'catalogue-headers', 'blob-headers', 'ranges', 'blobs', 'challenge'],
    says: /format-invalid/,
  },
  'a redirect, with a secret in it': {
    fault: () => only((url) => !isBlob(url), answer(302, { location: 'https://cdn.example/x?token=hunter2' })),
    failed: ['catalogue', 'catalogue-headers'],
    says: /^answers 302: a redirect to cdn.example, which pages do not follow$/,
  },
  'a catalogue that is too long': {
    fault: () =>
      only(
        (url) => !isBlob(url),
        (_, response) => {
          response.writeHead(200).end(Buffer.alloc(2 ** 21 + 1))
          return true
        },
      ),
    failed: ['catalogue'],
    says: /format-oversized/,
  },
}

describe('at one of two places', () => {
  let stage: Stage

  // Made once: a fault changes nothing of what is published.
  beforeAll(async () => {
    const base = await mkdtemp(join(tmpdir(), 'sealift-probe-'))
    stage = await openStage(base)
    return async () => {
      await Promise.all(stage.mirrors.map((mirror) => mirror.close()))
      await rm(base, { recursive: true, force: true })
    }
  })

  test.each(Object.entries(CASES))('%s is found there, and nowhere else', async (_, { fault, failed, says }) => {
    stage.bad.fault = fault(stage)
    const round = await look(stage)
    expect(failedIn(round)).toEqual(failed.map((check) => `us ${check}`))
    expect(detailOf(round, 'us', failed[0] ?? '')).toMatch(says)
    expect(round.ok).toBe(false)
    expect(JSON.stringify(round)).not.toContain('hunter2')
  })
})

describe('at one of two places, besides,', () => {
  test('a catalogue that stays behind is found once it had time to come', async () => {
    const stage = await setUp()
    stage.bad.site = join(await temporaryFolder(), 'old')
    await cp(stage.site, stage.bad.site, { recursive: true })
    await stage.release()
    // Blobs of the new release are there already, as with a CDN that pulls.
    await cp(join(stage.site, 'by-hash'), join(stage.bad.site, 'by-hash'), { recursive: true })
    expect(failedIn(await look(stage))).toEqual([])
    stage.clock.advance(121)
    const round = await look(stage)
    expect(failedIn(round)).toEqual(['us catalogue'])
    expect(detailOf(round, 'us', 'catalogue')).toBe('version 1800000000 is behind 1800003600 of eu, 1 h older')
    expect(failedIn(await look(stage, { lagSeconds: 3600 }))).toEqual([])
  })

  test('a catalogue of the same version that says something else is found', async () => {
    const stage = await setUp()
    const twin = await stage.twin()
    await cp(join(stage.site, 'by-hash'), join(twin, 'by-hash'), { recursive: true })
    stage.bad.site = twin
    const round = await look(stage)
    expect(failedIn(round)).toEqual(['us catalogue'])
    expect(detailOf(round, 'us', 'catalogue')).toBe('version 1800000000 is not the same as that of eu')
  })

  test('a catalogue that another key signed is refused', async () => {
    const stage = await setUp()
    stage.bad.site = join(await temporaryFolder(), 'forged')
    await cp(stage.site, stage.bad.site, { recursive: true })
    const forged = join(await temporaryFolder(), 'site')
    const dir = await makeFolder({ [FILE]: BYTES })
    await publish({ dir, site: forged, repository: 'acme', signer: await makeKeySigner(), clock: stoppedClock(1_800_009_999) }, never)
    await copyFile(join(forged, 'catalogue.json'), join(stage.bad.site, 'catalogue.json'))
    const round = await look(stage)
    expect(failedIn(round)).toEqual(['us catalogue'])
    expect(round.catalogue?.version).toBe(1_800_000_000)
  })

  test('a server that hangs costs its deadline, and the others nothing', async () => {
    const stage = await setUp()
    stage.bad.fault = () => true
    const round = await look(stage, { timeoutMs: 300 })
    expect(failedIn(round)).toEqual(['us reachable'])
    expect(detailOf(round, 'us', 'reachable')).toMatch(/^no answer within 3\d\d ms$/)
    expect(round.origins).toMatchObject([{ isUp: true }, { isUp: false, piecesChecked: 0 }])
  })

  test('a server that hangs at every blob is given up after a few', async () => {
    const stage = await setUp()
    stage.bad.fault = only(
      (url) => isBlob(url),
      () => true,
    )
    const round = await look(stage, { timeoutMs: 100 })
    expect(failedIn(round)).toEqual(['blob-headers', 'ranges', 'blobs', 'challenge'].map((check) => `us ${check}`))
    // Two for headers and range, the blobs at once, three pieces.
    expect(stage.bad.requests.filter(isBlob).length).toBeLessThanOrEqual(2 + 8 + 3)
  })

  test('a server that sends all of a file for each part is not made to do so for every piece', async () => {
    const stage = await setUp()
    stage.bad.fault = only(
      (url) => url === stage.blob,
      ({ headers }) => {
        delete headers.range
        return false
      },
    )
    const round = await look(stage)
    expect(detailOf(round, 'us', 'challenge')).toMatch(
      /^agent 1.2.3 linux\/amd64 piece 0: ignores ranges; .*; 6 were not asked for any more$/,
    )
    // Of the blob: headers, range, presence and three pieces.
    expect(stage.bad.requests.filter((url) => url === stage.blob)).toHaveLength(6)
  })

  test('a place that answers, but takes too long for all of it, is left for this round', async () => {
    const stage = await setUp()
    const round = await look(stage, { checkMs: 0 })
    expect(failedIn(round)).toEqual(['eu blobs', 'eu challenge', 'us blobs', 'us challenge'])
    expect(detailOf(round, 'us', 'blobs')).toBe('6 were not asked for any more')
    expect(detailOf(round, 'us', 'challenge')).toBe('9 were not asked for any more')
  })

  test('a server that is gone is told by what the system says', async () => {
    const stage = await setUp()
    await stage.bad.close()
    const round = await look(stage)
    expect(failedIn(round)).toEqual(['us reachable'])
    expect(detailOf(round, 'us', 'reachable')).toBe('cannot be reached: ECONNREFUSED')
  })
})

test('an expired catalogue is found, and one that soon will be when that was asked for', async () => {
  const stage = await setUp()
  stage.clock.advance(80_000)
  expect(failedIn(await look(stage))).toEqual([])
  const soon = await look(stage, { minLeftSeconds: 7200 })
  expect(failedIn(soon)).toEqual(['eu catalogue', 'us catalogue'])
  expect(detailOf(soon, 'eu', 'catalogue')).toBe('only 1 h 46 min left')
  stage.clock.advance(10_000)
  expect(detailOf(await look(stage), 'us', 'catalogue')).toBe('expired 1 h ago')
})

test('a catalogue that is rolled back everywhere between two rounds is found', async () => {
  const stage = await setUp()
  const old = await readFile(join(stage.site, 'catalogue.json'))
  await stage.release()
  stage.clock.advance(3600)
  const probe = createProbe(stage.options)
  expect(failedIn(await probe.round(never))).toEqual([])
  await writeFile(join(stage.site, 'catalogue.json'), old)
  const round = await probe.round(never)
  expect(failedIn(round)).toEqual(['eu catalogue', 'us catalogue'])
  expect(detailOf(round, 'eu', 'catalogue')).toMatch(/behind 1800003600 of an earlier round/)
  // And one below what the site pins is none at all.
  const pinned = await stage.options.trust(never)
  const trust = (): Promise<typeof pinned> => Promise.resolve({ ...pinned, minimumVersion: 1_800_000_001 })
  expect(detailOf(await look(stage, { trust }), 'eu', 'catalogue')).toMatch(/^catalogue-rollback/)
})

test('a place that cannot be reached from here is left out', async () => {
  const stage = await setUp()
  await stage.bad.close()
  const round = await look(stage, { skip: ['us'] })
  expect([round.ok, round.origins.map(({ id }) => id)]).toEqual([true, ['eu']])
})

test('what was withdrawn need not be anywhere, and a catalogue that a trust update denies is none', async () => {
  const stage = await setUp()
  const [entry] = (await catalogueOf(stage.site)).artifacts
  if (entry === undefined) throw new Error('expected an entry')
  await stage.release([entry.artifact.sha256])
  for (const { sha256 } of [entry.artifact, entry.manifest]) await rm(join(stage.site, 'by-hash/sha256', sha256))
  expect(failedIn(await look(stage))).toEqual([])
  const { payload } = parseCatalogueEnvelope(await readFile(join(stage.site, 'catalogue.json')))
  const pinned = await stage.options.trust(never)
  const trust = (): Promise<typeof pinned> => Promise.resolve({ ...pinned, denied: [sha256Of(payload)] })
  const round = await look(stage, { trust })
  expect(detailOf(round, 'eu', 'catalogue')).toMatch(/^artifact-denied/)
  expect(round.catalogue).toBeUndefined()
})

test('two places of one name keep rows of their own', async () => {
  const stage = await setUp()
  const round = await look(stage, { places: [{ id: 'us', tier: 'cdn', url: stage.mirrors[0].url }] })
  expect(round.origins.map(({ id }) => id)).toEqual(['us', `us (${stage.bad.url})`])
})

test('manifests are read once, however many rounds there are', async () => {
  const stage = await setUp()
  const [entry] = (await catalogueOf(stage.site)).artifacts
  const reads = (): number => stage.mirrors[0].requests.filter((url) => url.endsWith(entry?.manifest.sha256 ?? '')).length
  const probe = createProbe({ ...stage.options, challenge: undefined })
  await probe.round(never)
  const first = reads()
  await probe.round(never)
  // Asked for by HEAD again, and not read again.
  expect([first, reads()]).toEqual([2, 3])
})

test('a probe that is interrupted ends with the reason', async () => {
  const stage = await setUp()
  const stop = new AbortController()
  stage.bad.fault = () => {
    stop.abort(new Error('enough'))
    return true
  }
  const ended = await createProbe(stage.options)
    .round(stop.signal)
    .catch((error: unknown) => error)
  expect(ended).toBe(stop.signal.reason)
})

test.each([
  ['a password', 'https://operator:hunter2@cdn.example/', /name and password/],
  ['a query', 'https://cdn.example/?a=1', /no query/],
  ['another scheme', 'ftp://cdn.example/', /no http or https/],
])('a place with %s is refused, and its address not repeated', (_, url, says) => {
  const make = (): unknown => createProbe({ places: [{ id: 'eu', tier: 'cdn', url }], trust: () => Promise.reject(new Error('not asked')) })
  expect(make).toThrow(says)
  expect(make).not.toThrow(/hunter2/)
})
