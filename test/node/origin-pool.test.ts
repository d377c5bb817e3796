import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import { createOriginPool, type OriginRequest } from '../../src/node/origin-pool.ts'
import type { Clock } from '../../src/core/ports.ts'
import { systemClock } from '../../src/node/system-clock.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

const FIRST_MIB: OriginRequest = { path: 'a', range: { start: 0, end: 2 ** 20 }, maxBytes: 2 ** 20 }
const HEAD = { 'content-type': 'application/octet-stream', 'content-range': 'bytes 0-4/5' }
const never = new AbortController().signal
const servers: Server[] = []

async function startServer(listener: RequestListener): Promise<URL> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address')
  return new URL(`http://127.0.0.1:${address.port}/`)
}

const poolOf = (origins: readonly URL[], clock: Clock = systemClock) => createOriginPool(origins, { clock, log: () => undefined })

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

test.each([
  ['from the start', () => undefined],
  ['in the middle of the body', (_, response) => void response.writeHead(206, HEAD).write('abc')],
] satisfies [string, RequestListener][])(
  'gives up on an origin that is silent %s, also when memory is collected meanwhile',
  async (_, listener) => {
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('gc')
    const collecting = setInterval(() => (typeof collect === 'function' ? collect() : expect.unreachable()), 50)
    try {
      const startMs = performance.now()
      expect(await poolOf([await startServer(listener)]).fetch(FIRST_MIB, never)).toEqual({ kind: 'unreachable' })
      expect(performance.now() - startMs).toBeGreaterThan(2900)
    } finally {
      clearInterval(collecting)
    }
  },
  10_000,
)

test('waits for an origin that is slow and never silent for long', async () => {
  const slow = await startServer((_, response) => {
    response.writeHead(206, HEAD)
    let sent = 0
    const sending = setInterval(() => {
      response.write('x')
      if (++sent < 5) return
      clearInterval(sending)
      response.end()
    }, 700)
  })
  expect(await poolOf([slow]).fetch(FIRST_MIB, never)).toMatchObject({ kind: 'bytes', bytes: Buffer.from('xxxxx') })
}, 10_000)

test('leaves an origin that failed alone for 10 s, then asks it again', async () => {
  const clock = createVirtualClock()
  const asked: string[] = []
  const failing = await startServer((_, response) => void (asked.push('failing'), response.writeHead(503).end()))
  const good = await startServer((_, response) => void (asked.push('good'), response.writeHead(206, HEAD).end('abcde')))
  const pool = poolOf([failing, good], clock)
  await pool.fetch(FIRST_MIB, never)
  await clock.advance(9_999)
  await pool.fetch(FIRST_MIB, never)
  expect(asked).toEqual(['failing', 'good', 'good'])
  await clock.advance(1)
  await pool.fetch(FIRST_MIB, never)
  expect(asked).toEqual(['failing', 'good', 'good', 'failing', 'good'])
})

test('answers at once while every origin is left alone, and asks an only one each time', async () => {
  let asked = 0
  const listener: RequestListener = (_, response) => void (asked++, response.writeHead(500).end())
  const [one, other] = [await startServer(listener), await startServer(listener)]
  const pair = poolOf([one, other], createVirtualClock())
  for (let i = 0; i < 3; i++) expect(await pair.fetch(FIRST_MIB, never)).toEqual({ kind: 'unreachable' })
  expect(asked).toBe(2)
  const only = poolOf([one], createVirtualClock())
  for (let i = 0; i < 3; i++) await only.fetch(FIRST_MIB, never)
  expect(asked).toBe(5)
})

test('prefers the bytes of one origin to the claim of another that the file has ended', async () => {
  const ended = await startServer((_, response) => void response.writeHead(200, { 'content-length': 0 }).end())
  const good = await startServer((_, response) => void response.writeHead(206, HEAD).end('abcde'))
  expect(await poolOf([ended, good]).fetch(FIRST_MIB, never)).toMatchObject({ kind: 'bytes' })
  expect(await poolOf([ended]).fetch(FIRST_MIB, never)).toEqual({ kind: 'past-end', sizeBytes: 0 })
})

test('stops with the reason of its caller', async () => {
  const stop = new AbortController()
  const reason = new Error('closing')
  const silent = await startServer(() => stop.abort(reason))
  await expect(poolOf([silent]).fetch(FIRST_MIB, stop.signal)).rejects.toBe(reason)
})
