import { createSocket, type Socket } from 'node:dgram'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { mintTicket } from '../../src/core/wire/ticket.ts'
import { startSignaling, type SignalingServer } from '../../signaling/server.ts'
import { bundleMesh } from './bundle-mesh.ts'
import { launchChromium, type LaunchedBrowser } from './launch.ts'
import { serveFiles, type StaticSite } from './serve.ts'

const KEY = { kid: 'test', secret: new Uint8Array(32).fill(5) }
const SWARM_KEY = new Uint8Array(32).fill(6)
const PIECES = 16

let site: StaticSite
let signaling: SignalingServer
let browsers: LaunchedBrowser[] = []

beforeAll(async () => {
  const { code } = await bundleMesh('./mesh-page.ts')
  site = await serveFiles({ '/index.html': '<!doctype html><script src="/page.js"></script>', '/page.js': code })
  const origin = new URL(site.url).origin
  signaling = await startSignaling({ admission: { kind: 'ticket', keys: [KEY] }, origins: [origin] })
  browsers = [await launchChromium(), await launchChromium()]
})

afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()))
  await signaling?.kill()
  await site?.close()
})

function ticket(swarmKey: Uint8Array = SWARM_KEY): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const jti = `ticket-${Math.random().toString(36).slice(2).padEnd(10, '0')}`
  return mintTicket({ site: new URL(site.url).origin, role: 'seed', swarmKey, lifetimeSeconds: 3600, jti }, KEY, nowSeconds)
}

async function open(profile: number): Promise<Page> {
  const browser = browsers[profile]?.browser
  if (browser === undefined) throw new Error('no browser')
  const page = await browser.newPage()
  await page.goto(site.url)
  return page
}

async function call<T>(page: Page, name: string, ...values: readonly unknown[]): Promise<T> {
  return (await page.evaluate((method, args) => Reflect.get(globalThis, 'meshPage')[method](...args), name, values as unknown[])) as T
}

interface Fetched {
  readonly wrong: number
  readonly connectMs: number
  readonly firstByteMs: number
  readonly megabytesPerSecond: number
  readonly stats: readonly { readonly receivedBytes: number; readonly path: string; readonly windowBytes: number }[]
  readonly catalogue: string
}

test('two browser profiles exchange an artifact, every piece right, and WebRTC counts its bytes', async () => {
  const [seed, leech] = await Promise.all([open(0), open(1)])
  const digest = await call<string>(seed, 'start', { url: signaling.url, ticket: ticket(), seedPieces: PIECES })
  await call(leech, 'start', { url: signaling.url, ticket: ticket(), seedPieces: 0 })
  const fetched = await call<Fetched>(leech, 'fetchAll', digest, PIECES)
  const [peer] = fetched.stats
  console.log(
    `mesh: ${PIECES} MiB at ${fetched.megabytesPerSecond.toFixed(1)} MB/s, connected after ${fetched.connectMs} ms, first byte after ${fetched.firstByteMs} ms, window ${peer?.windowBytes}`,
  )
  expect(fetched.wrong).toBe(0)
  expect(fetched.catalogue).toBe('{"payload":"the newest"}')
  expect(peer?.path).toBe('lan')
  expect(peer?.receivedBytes).toBeGreaterThanOrEqual(PIECES * 1024 * 1024)
  expect(peer?.receivedBytes).toBeLessThan(PIECES * 1024 * 1024 * 1.01)
  const [other] = await call<readonly { sentBytes: number }[]>(seed, 'stats')
  expect(other?.sentBytes).toBeGreaterThanOrEqual(PIECES * 1024 * 1024)

  await leech.close()
  await call(seed, 'waitForPeers', 0)
  await seed.close()
})

test('sg05.late: a link that stands is deaf to a thousand late signals, and knows both certificates', async () => {
  const page = await open(0)
  expect(await call(page, 'lateSignals')).toEqual({ heard: 65_536, isBound: true })
  await page.close()
})

test('sg04.candidates: two hundred ports of this machine that a stranger names hear nothing', async () => {
  const ports: Socket[] = []
  const heard = new Set<number>()
  try {
    for (let i = 0; i < 200; i++) {
      const socket = createSocket('udp4')
      ports.push(socket)
      await new Promise<void>((resolve) => socket.bind(0, resolve))
      const { port } = socket.address()
      socket.on('message', () => heard.add(port))
    }
    const candidates = ports.map((socket, i) => `candidate:${i} 1 udp 2113937151 127.0.0.1 ${socket.address().port} typ host`)
    const page = await open(0)
    await call(page, 'knockAt', candidates, true)
    expect(heard.size).toBe(0)
    // The same without the filter: the stack does knock.
    await call(page, 'knockAt', candidates, false)
    await vi.waitFor(() => expect(heard.size).toBeGreaterThan(20), 20_000)
    await page.close()
  } finally {
    for (const socket of ports) socket.close()
  }
})

test('a silent peer is given up in time, and one that offers audio is refused', async () => {
  const page = await open(0)
  expect(await call(page, 'refusals')).toEqual(['peer-timeout', 'peer-frame'])
  await page.close()
})
