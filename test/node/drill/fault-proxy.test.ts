import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startFaultProxy, type FaultProxy } from '../../../src/node/drill/fault-proxy.ts'
import { authorityOf, faultFor, type NetworkFault } from '../../../src/node/drill/network-fault.ts'
import { systemClock } from '../../../src/node/system-clock.ts'

const BODY = 'x'.repeat(20_000)
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function open(): Promise<{
  readonly proxy: FaultProxy
  readonly authority: string
  readonly url: string
  readonly asked: () => number
}> {
  let asked = 0
  const server = createServer((_, response) => {
    asked++
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write(BODY.slice(0, 100))
    setImmediate(() => response.end(BODY.slice(100)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startFaultProxy(systemClock)
  ends.push(
    () => proxy.close(),
    () => (server.closeAllConnections(), server.close()),
  )
  const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { proxy, authority, url: `http://${authority}/file`, asked: () => asked }
}

/** As a browser asks a proxy for a plain URL. */
async function get(proxy: FaultProxy, url: string): Promise<{ readonly answer: IncomingMessage; readonly text: Promise<string> }> {
  const { hostname, port } = new URL(proxy.url)
  const asking = request({ host: hostname, port, path: url, headers: { host: new URL(url).host } })
  asking.end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const text = (async () => {
    let all = ''
    for await (const chunk of answer) all += String(chunk)
    return all
  })()
  return { answer, text }
}

/** As it asks for anything else. */
async function tunnel(proxy: FaultProxy, authority: string): Promise<{ readonly line: Socket; readonly heard: () => string }> {
  const { hostname, port } = new URL(proxy.url)
  const line = connect(Number(port), hostname)
  ends.push(() => line.destroy())
  let heard = ''
  line.on('data', (data) => (heard += data.toString('latin1')))
  line.on('error', () => undefined)
  line.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  await expect.poll(() => heard).toContain('\r\n\r\n')
  return { line, heard: () => heard }
}

describe('a proxy with nothing wrong', () => {
  test('passes on plain requests and tunnels, every byte', async () => {
    const { proxy, authority, url } = await open()
    const { answer, text } = await get(proxy, url)
    expect(answer.statusCode).toBe(200)
    expect(await text).toBe(BODY)
    const { line, heard } = await tunnel(proxy, authority)
    line.write(`GET /file HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`)
    await once(line, 'close')
    expect(heard()).toContain('200 Connection Established')
    expect(
      heard()
        .match(/x{10,}/g)
        ?.join(''),
    ).toBe(BODY)
  })
})

describe('a place that is', () => {
  const setAll = (proxy: FaultProxy, fault: NetworkFault | undefined): void => proxy.setFaults(() => fault)

  test('refused ends every connection, and those that are open', async () => {
    const { proxy, authority, url, asked } = await open()
    const { line } = await tunnel(proxy, authority)
    setAll(proxy, { kind: 'refused' })
    await once(line, 'close')
    await expect(get(proxy, url)).rejects.toThrow()
    const second = await tunnel(proxy, authority)
    expect(second.heard()).toMatch(/^HTTP\/1\.1 502 /)
    expect(asked()).toBe(0)
  })

  test('silent says nothing, not even a header, until it speaks again', async () => {
    const { proxy, authority, url, asked } = await open()
    const healthy = await open()
    proxy.setFaults((one) => (one === authority ? { kind: 'silent' } : undefined))
    let isAnswered = false
    const waiting = get(proxy, url).finally(() => (isAnswered = true))
    await expect.poll(asked).toBe(1)
    // By then an answer would have come.
    expect(await (await get(proxy, healthy.url)).text).toBe(BODY)
    expect(isAnswered).toBe(false)
    setAll(proxy, undefined)
    expect(await (await waiting).text).toBe(BODY)
  })

  test('slow sends all of it, at its rate', async () => {
    const { proxy, url } = await open()
    setAll(proxy, { kind: 'slow', bytesPerSecond: 40_000 })
    const startMs = performance.now()
    const { text } = await get(proxy, url)
    expect(await text).toBe(BODY)
    expect(performance.now() - startMs).toBeGreaterThan(400)
  })

  test('refused in the middle of an answer cuts it short', async () => {
    const { proxy, url } = await open()
    setAll(proxy, { kind: 'slow', bytesPerSecond: 10_000 })
    const { text } = await get(proxy, url)
    setAll(proxy, { kind: 'refused' })
    await expect(text).rejects.toThrow('aborted')
  })
})

test.each(['nowhere', 'nowhere:', '127.0.0.1:0', '127.0.0.1:99999', ':80', 'a b:80'])(
  'a tunnel to %j is refused, and the proxy goes on',
  async (authority) => {
    const { proxy, url } = await open()
    expect((await tunnel(proxy, authority)).heard()).toMatch(/^HTTP\/1\.1 (?:400|502) /)
    expect(await (await get(proxy, url)).text).toBe(BODY)
  },
)

test('whatever is neither portal, gateway nor signaling is a CDN, and an address may be several', () => {
  const roles = new Map([
    [authorityOf('https://portal.example/'), ['portal', 'signaling']],
    [authorityOf('http://gateway.lan:8080/'), ['gateway']],
  ] as const)
  const plan = { cdn: { kind: 'silent' }, signaling: { kind: 'refused' } } as const
  expect(faultFor('portal.example:443', roles, plan)).toEqual({ kind: 'refused' })
  expect(faultFor('gateway.lan:8080', roles, plan)).toBeUndefined()
  expect(faultFor('mirror.example:443', roles, plan)).toEqual({ kind: 'silent' })
})
