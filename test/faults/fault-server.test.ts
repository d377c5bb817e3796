import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { seededBytes } from '../fakes/seeded-random.ts'
import { FAULTS, isFaultName, type FaultName } from './fault-mode.ts'
import { startFaultServer, type FaultServer } from './fault-server.ts'

const BODY = seededBytes(4, 512 * 1024)
const DIGEST = createHash('sha256').update(BODY).digest('hex')
const PATH = `/by-hash/sha256/${DIGEST}`
const [START, END] = [65_536, 131_072]
const PART = Buffer.from(BODY.subarray(START, END))
/** Nothing over loopback takes so long, except what never comes. */
const SILENCE_MS = 300
/** Whoever still sends then is slow. */
const PATIENCE_MS = 1000

let dir: string
let server: FaultServer

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sealift-faults-'))
  await mkdir(join(dir, 'by-hash', 'sha256'), { recursive: true })
  await writeFile(join(dir, PATH), BODY)
  await writeFile(join(dir, 'catalogue.json'), '{}')
})
afterAll(() => rm(dir, { recursive: true, force: true }))
beforeEach(async () => {
  server = await startFaultServer({ siteDir: dir, isArtifact: (sha256) => sha256 === DIGEST })
})
afterEach(() => server.close())

/** What came over one connection until it ended, or until nothing more comes. */
interface Raw {
  readonly head: string
  /** As on the wire: chunked bodies with their framing. */
  readonly body: Buffer
  readonly end: 'closed' | 'reset' | 'silent' | 'refused' | 'no connection' | 'still coming'
}

function ask(path = PATH, range = `bytes=${START}-${END - 1}`): Promise<Raw> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1')
    const parts: Buffer[] = []
    let isConnected = false
    const patience = setTimeout(() => finish('still coming'), PATIENCE_MS)
    const finish = (end: Raw['end']): void => {
      clearTimeout(patience)
      socket.destroy()
      const all = Buffer.concat(parts)
      const split = all.indexOf('\r\n\r\n')
      resolve({ head: all.subarray(0, split).toString(), body: all.subarray(split + 4), end })
    }
    socket.setTimeout(SILENCE_MS, () => finish(isConnected ? 'silent' : 'no connection'))
    socket.on('connect', () => {
      isConnected = true
      socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nrange: ${range}\r\n\r\n`)
    })
    socket.on('data', (data) => void parts.push(data))
    socket.on('end', () => finish('closed'))
    socket.on('error', (error) => finish('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'reset'))
  })
}

const HALF = PART.length / 2
const CHUNKED_END = '0\r\n\r\n'

/** What each fault looks like to a client that sees the wire. */
const LOOKS: Readonly<Record<FaultName, (raw: Raw) => void>> = {
  refused: ({ end }) => expect(end).toBe('refused'),
  'black-hole': ({ end }) => expect(end).toBe('no connection'),
  hang: ({ head, end }) => expect([head, end]).toEqual(['', 'silent']),
  'headers-then-silence': ({ head, body, end }) => {
    expect(head).toMatch(/^HTTP\/1\.1 206/)
    expect([body.length, end]).toEqual([0, 'silent'])
  },
  'stall-at-half': ({ body, end }) => expect([body.length, end]).toEqual([HALF, 'silent']),
  'status-500': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 500/),
  'status-502': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 502/),
  'status-503-retry-after': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 503[^]*\nretry-after: \d+\r/),
  'status-429-retry-after': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 429[^]*\nretry-after: \d+\r/),
  missing: ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 404/),
  slow: ({ body, end }) => {
    expect(end).toBe('still coming')
    expect(body.length).toBeGreaterThan(5000)
    expect(body.length).toBeLessThanOrEqual(10_000)
  },
  'cut-with-length': ({ head, body, end }) => {
    expect(head).toContain(`content-length: ${PART.length}`)
    expect([body.length, end]).toEqual([HALF, 'closed'])
  },
  'cut-chunked': ({ head, body }) => {
    expect(head).toContain('Transfer-Encoding: chunked')
    expect(body.subarray(-5).toString()).not.toBe(CHUNKED_END)
  },
  'cut-without-length': ({ head, body }) => {
    expect(head).not.toMatch(/^(content-length|transfer-encoding)/im)
    expect(body.length).toBe(HALF)
  },
  'early-end-chunked': ({ body }) => {
    expect(body.subarray(-5).toString()).toBe(CHUNKED_END)
    expect(body.length).toBeLessThan(PART.length)
  },
  'corrupt-byte': ({ body }) => {
    expect(body.length).toBe(PART.length)
    expect([...body].filter((byte, at) => byte !== PART[at])).toHaveLength(1)
  },
  html: ({ head, body }) => {
    expect(head).toMatch(/^HTTP\/1\.1 200[^]*text\/html/)
    expect(body.toString()).toContain('<!doctype html>')
  },
  'no-cors': ({ head, body }) => {
    expect(head).not.toMatch(/access-control/i)
    expect(body.equals(PART)).toBe(true)
  },
  'range-ignored': ({ head, body }) => {
    expect(head).toMatch(/^HTTP\/1\.1 200/)
    expect(body.equals(BODY)).toBe(true)
  },
  'range-wrong': ({ head, body }) => {
    expect(head).toContain(`content-range: bytes ${START + 1}-${END}/${BODY.length}`)
    expect(body.equals(BODY.subarray(START + 1, END + 1))).toBe(true)
  },
  'range-416': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 416/),
  'redirect-loop': ({ head }) => expect(head).toMatch(new RegExp(`^HTTP/1\\.1 302[^]*location: ${PATH}\r`)),
  'gzip-applied': ({ head, body }) => {
    expect(head).toContain('content-encoding: gzip')
    expect(gunzipSync(body).equals(PART)).toBe(true)
  },
  'gzip-lied': ({ head, body }) => {
    expect(head).toContain('content-encoding: gzip')
    expect(body.equals(PART)).toBe(true)
  },
  'gzip-bomb': ({ head, body }) => {
    expect(head).toContain('content-encoding: gzip')
    expect(body.length).toBeLessThan(1024 * 1024)
  },
  endless: ({ end }) => expect(end).toBe('silent'),
  oversize: ({ body }) => expect(body.length).toBeGreaterThan(PART.length),
  empty: ({ head, body }) => {
    expect(head).toMatch(/^HTTP\/1\.1 206/)
    expect(body.length).toBe(0)
  },
  'no-content': ({ head }) => expect(head).toMatch(/^HTTP\/1\.1 204/),
  reset: ({ head, end }) => expect([head, end]).toEqual(['', 'reset']),
  garbage: ({ head }) => expect(head).not.toMatch(/^HTTP/),
  'huge-header': ({ head }) => expect(head.length).toBeGreaterThan(1024 * 1024),
}

describe('what a client sees of', () => {
  // An endless body has no end to wait for: see below.
  test.each(FAULTS.filter((fault) => fault !== 'endless'))('%s', async (fault) => {
    await server.set(fault)
    const { [fault]: look } = LOOKS
    look(await ask())
    expect(server.firstFaultMs).toBeDefined()
    await server.set('none')
    const healed = await ask()
    expect(healed.body.equals(PART)).toBe(true)
  })

  test('endless', async () => {
    await server.set('endless')
    const response = await fetch(`${server.url}${PATH.slice(1)}`, { headers: { range: `bytes=${START}-${END - 1}` } })
    let received = 0
    for await (const chunk of response.body ?? []) {
      received += chunk.length
      if (received > 4 * PART.length) break
    }
    expect(received).toBeGreaterThan(4 * PART.length)
  })
})

test('a fault leaves the rest of the layout alone, unless it is to touch everything', async () => {
  await server.set('status-500')
  expect((await ask('/catalogue.json', '')).head).toMatch(/^HTTP\/1\.1 200/)
  await server.set('status-500', 'everything')
  expect((await ask('/catalogue.json', '')).head).toMatch(/^HTTP\/1\.1 500/)
})

test('dies after so many bytes, and nobody listens any more', async () => {
  await server.set({ dieAfterBytes: 200_000 })
  const first = await ask(PATH, `bytes=0-${BODY.length - 1}`)
  expect(first.body.length).toBeLessThanOrEqual(200_000)
  expect(server.sentBytes).toBe(200_000)
  expect((await ask()).end).toBe('refused')
  await server.set('none')
  expect((await ask()).body.equals(PART)).toBe(true)
})

test('stalls after so many bytes: what is under way stops, and a new request gets no answer', async () => {
  await server.set({ stallAfterBytes: 200_000 })
  const first = await ask(PATH, `bytes=0-${BODY.length - 1}`)
  expect(first.end).toBe('silent')
  expect(first.body.length).toBe(200_000)
  expect(await ask()).toMatchObject({ head: '', end: 'silent' })
})

test('cuts each answer after so many bytes', async () => {
  await server.set({ cutEveryBytes: 200_000 })
  for (const _ of [1, 2]) {
    const { head, body, end } = await ask(PATH, `bytes=0-${BODY.length - 1}`)
    expect(head).toContain(`content-length: ${BODY.length}`)
    expect(end).not.toBe('silent')
    expect(body.length).toBe(200_000)
  }
  expect((await ask()).body.equals(PART)).toBe(true)
})

test.each([
  ['one request', [[0, BODY.length]]],
  [
    'four at once',
    [
      [0, 131_072],
      [131_072, 262_144],
      [262_144, 393_216],
      [393_216, BODY.length],
    ],
  ],
] as const)('its line carries no more and no less than it is told to, over %s', async (_, spans) => {
  const bytesPerSecond = 512 * 1024
  server.setRate(bytesPerSecond)
  const startedMs = performance.now()
  await Promise.all(
    spans.map(async ([start, end]) => {
      const response = await fetch(`${server.url}${PATH.slice(1)}`, { headers: { range: `bytes=${start}-${end - 1}` } })
      await response.arrayBuffer()
    }),
  )
  const ratio = ((performance.now() - startedMs) * bytesPerSecond) / BODY.length / 1000
  expect(ratio).toBeGreaterThan(0.98)
  // On a quiet machine 1.02; a busy one may end a timer late.
  expect(ratio).toBeLessThan(1.15)
})

test('a range beyond the end is cut at the end, and refused when nothing of it is there', async () => {
  const last = await ask(PATH, `bytes=${BODY.length - 10}-${BODY.length + 99}`)
  expect(last.head).toContain(`content-range: bytes ${BODY.length - 10}-${BODY.length - 1}/${BODY.length}`)
  expect(last.body.length).toBe(10)
  expect((await ask(PATH, `bytes=${BODY.length}-${BODY.length + 9}`)).head).toMatch(/^HTTP\/1\.1 416/)
})

test('tells what was asked of it and what it sent', async () => {
  await ask(`${PATH}?refetch=1`)
  await ask('/catalogue.json', '')
  expect(server.requests).toMatchObject([
    { path: PATH, query: 'refetch=1', range: { start: START, end: END }, isArtifact: true, sentBytes: PART.length },
    { path: '/catalogue.json', isArtifact: false, sentBytes: 0 },
  ])
  expect(server.sentBytes).toBe(PART.length)
  server.forget()
  expect([server.requests.length, server.sentBytes]).toEqual([0, 0])
})

test('knows its faults by name', () => {
  expect([isFaultName('hang'), isFaultName('toString'), isFaultName('')]).toEqual([true, false, false])
})
