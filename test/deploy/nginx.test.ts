import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import type { SignalingOptions, SignalingServer } from '../../signaling/server.ts'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { packageRoot } from '../../src/node/package-root.ts'
import { hasOpenssl, makeCertificate, type TestCertificate } from '../drills/matrix/certificate.ts'
import { connect, refusedStatus } from '../signaling/client.ts'
import { hello, serve, SWARM, ticket, until } from '../signaling/members.ts'

const nginx = findNginx()
const isPossible = nginx !== undefined && hasOpenssl()
if (!isPossible) console.warn('NOT RUN: signaling behind nginx, because nginx or openssl is missing. apt-get install nginx-light openssl')

const PROXIED = { trustedProxies: ['127.0.0.1'] } as const

describe.skipIf(!isPossible)('signaling behind the shipped nginx configuration', () => {
  let shipped: string
  let certificate: TestCertificate
  let running: { readonly child: ChildProcess; readonly dir: string } | undefined

  beforeAll(async () => {
    shipped = await readFile(join(packageRoot(), 'deploy', 'nginx-signaling.conf'), 'utf8')
    certificate = await makeCertificate(['localhost'])
  })
  afterEach(() => stopFront())

  /** The shipped file with the addresses and files of this test in it. @returns the URL that clients use */
  async function startFront(ports: readonly [number, number], change: (config: string) => string = (config) => config): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'sealift-front-'))
    const port = await freePort()
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    await writeFile(cert, certificate.certificate)
    await writeFile(key, certificate.key)
    const site = replaced(change(shipped), [
      ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
      ['/etc/ssl/sealift/signal.example.pem', cert],
      ['/etc/ssl/sealift/signal.example.key', key],
      ['127.0.0.1:8787', `127.0.0.1:${ports[0]}`],
      ['127.0.0.1:8788', `127.0.0.1:${ports[1]}`],
    ])
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir};`).join(' ')
    await writeFile(join(dir, 'nginx.conf'), `pid ${dir}/pid;\nevents {}\nhttp {\naccess_log off; ${temp}\n${site}\n}\n`)
    const child = spawn(nginx ?? '', ['-p', dir, '-e', 'stderr', '-c', join(dir, 'nginx.conf'), '-g', 'daemon off; master_process off;'])
    running = { child, dir }
    let words = ''
    child.stderr?.on('data', (text: Buffer) => (words += text.toString()))
    await vi.waitFor(async () => {
      if (child.exitCode !== null) throw new Error(words)
      await expect(fetchStatus(port)).resolves.toBeGreaterThan(0)
    }, 10_000)
    return `wss://127.0.0.1:${port}/`
  }

  const from = (localAddress: string, headers = {}) => ({ rejectUnauthorized: false, localAddress, headers })
  const start = (options: Partial<SignalingOptions> = {}): Promise<SignalingServer> => serve({ ...PROXIED, ...options })

  test('clients meet over wss, and each counts by the address that nginx saw, whatever it claims', async () => {
    const server = await start({ limits: { connectionsPerAddress: 1 } })
    const url = await startFront([server.port, server.port])
    const [one, other] = [await connect(url, from('127.0.0.2')), await connect(url, from('127.0.0.3'))]
    for (const client of [one, other]) {
      client.send(hello({ ticket: ticket() }))
      await client.next('welcome')
      client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    }
    expect((await other.next('peers')).peers).toHaveLength(1)
    expect(await refusedStatus(url, from('127.0.0.2'))).toBe(429)
    expect(await refusedStatus(url, from('127.0.0.2', { 'x-forwarded-for': '203.0.113.9' }))).toBe(429)
    await connect(url, from('127.0.0.4'))
    expect(await fetchStatus(new URL(url).port, '/metrics')).toBe(404)
    expect(await fetchStatus(new URL(url).port, '/healthz')).toBe(200)
  })

  test('a client that says nothing stays for as long as it answers pings', async () => {
    const seconds = Number(/proxy_read_timeout (\d+)s;/.exec(shipped)?.[1])
    const { pingIntervalMs, missedPings } = SIGNALING_LIMITS
    expect(seconds * 1000).toBeGreaterThan(pingIntervalMs * (missedPings + 1))
    const shortened = (config: string): string => replaced(config, [['proxy_read_timeout 90s;', 'proxy_read_timeout 1s;']])
    const [pinging, silent] = [await start({ limits: { pingIntervalMs: 100 } }), await start()]
    const client = await enter(await startFront([pinging.port, pinging.port], shortened))
    const startedMs = Date.now()
    let pings = 0
    client.socket.on('ping', () => pings++)
    await until(() => Date.now() - startedMs > 2000)
    expect([client.socket.readyState, pings > 2]).toEqual([client.socket.OPEN, true])
    client.socket.terminate()
    await stopFront()
    // The same without pings: nginx does cut it.
    const other = await enter(await startFront([silent.port, silent.port], shortened))
    expect((await other.closed).code).toBe(1006)
  })

  test('a second process takes over when the first is killed', async () => {
    const [first, spare] = [await start(), await start()]
    const url = await startFront([first.port, spare.port])
    const before = await enter(url)
    expect([first.counts().sessions, spare.counts().sessions]).toEqual([1, 0])
    await first.kill()
    await before.closed
    await enter(url)
    expect(spare.counts().sessions).toBe(1)
  })

  async function enter(url: string) {
    const client = await connect(url, from('127.0.0.2'))
    client.send(hello({ ticket: ticket() }))
    await client.next('welcome')
    return client
  }

  async function stopFront(): Promise<void> {
    if (running === undefined) return
    const { child, dir } = running
    running = undefined
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await rm(dir, { recursive: true, force: true })
  }
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function fetchStatus(port: number | string, path = '/healthz'): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, rejectUnauthorized: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })
}

/** @throws {Error} when a text to replace is not there: the shipped file has changed */
function replaced(text: string, changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((result, [from, to]) => {
    if (!result.includes(from)) throw new Error(`expected ${from} in the configuration`)
    return result.replaceAll(from, to)
  }, text)
}
