import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { dirname, join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { findFreePort } from '../../demo/stack/switchable-server.ts'
import { findNginx } from '../../src/node/nginx-gateway.ts'
import { runCli } from '../cli/run-cli.ts'
import { hasOpenssl, makeCertificate, type TestCertificate } from '../drills/matrix/certificate.ts'
import { temporaryFolder } from '../node/temporary-folder.ts'
import { connect, refusedStatus } from '../signaling/client.ts'
import { hello, serve, SWARM, ticket } from '../signaling/members.ts'
import { startOrigin } from './origin.ts'
import { startNginx } from './run-nginx.ts'

// A starved machine takes its time to start nginx.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const isPossible = findNginx() !== undefined && hasOpenssl()
if (!isPossible) console.warn('NOT RUN: the page of the gateway, because nginx or openssl is missing. apt-get install nginx-light openssl')

const PORTAL = ['--portal', 'https://downloads.example.com']
const FILES: Readonly<Record<string, string>> = {
  'index.html': '<title>recovery</title>',
  'sw.js': 'self.x = 1',
  'sealift.json': '{}',
  'docs/index.html': 'docs',
  'chunks/hasher.wasm': 'wasm',
  '.git/config': 'secret',
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method, rejectUnauthorized: false, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
      .on('error', reject)
      .end()
  })
}

describe.skipIf(!isPossible)('a gateway over https', () => {
  let certificate: TestCertificate
  let dir: string
  let tls: readonly string[]

  beforeAll(async () => {
    certificate = await makeCertificate(['localhost'])
  })
  beforeEach(async () => {
    dir = await temporaryFolder()
    const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
    await writeFile(cert, certificate.certificate)
    await writeFile(key, certificate.key)
    tls = ['--tls-cert', cert, '--tls-key', key]
    for (const [name, content] of Object.entries(FILES)) {
      await mkdir(dirname(join(dir, 'public', name)), { recursive: true })
      await writeFile(join(dir, 'public', name), content)
    }
  })

  const start = async (flags: readonly string[]): Promise<number> => {
    const port = await findFreePort([])
    await startNginx({ dir, port }, [...PORTAL, ...tls, ...flags])
    return port
  }

  test('shows the pages of the portal to machines that never visited it', async () => {
    const origin = await startOrigin(Buffer.from('a file'))
    onTestFinished(() => origin.kill())
    const port = await start(['--origin', origin.url, '--public', join(dir, 'public')])
    const page = await ask(port, '/')
    expect([page.status, page.body]).toEqual([200, FILES['index.html']])
    expect(page.headers).toMatchObject({ 'content-type': 'text/html', 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' })
    expect(page.headers['content-security-policy']).toBeUndefined()
    expect((await ask(port, '/docs/')).body).toBe('docs')
    expect((await ask(port, '/sw.js')).headers['content-type']).toBe('text/javascript')
    expect((await ask(port, '/chunks/hasher.wasm')).headers['content-type']).toBe('application/wasm')
    expect((await ask(port, '/sealift.json?x=1')).body).toBe('{}')
    for (const path of ['/.git/config', '/docs', '/absent', '/../cert.pem', '/%2e%2e/key.pem', '/_sealift/name/agent/agent.tgz'])
      expect([400, 404]).toContain((await ask(port, path)).status)
    expect((await ask(port, '/', 'POST')).status).toBe(405)
    // And files of the origins are still no pages of it, whatever they say they are.
    expect((await ask(port, `/by-hash/sha256/${origin.digest}`)).body).toBe('a file')
    origin.mode = 'html'
    const posing = await ask(port, `/by-hash/sha256/${'0'.repeat(64)}`)
    expect([posing.headers['content-type'], posing.headers['content-security-policy']]).toEqual([
      'text/html',
      "sandbox; default-src 'none'",
    ])
    expect((await ask(port, '/healthz')).body).toContain('lan-gateway')
  })

  test('without https there is no such page', async () => {
    const result = await runCli(['gateway', 'config', ...PORTAL, '--origin', 'http://127.0.0.1/', '--public', '/srv/portal'])
    expect(result).toMatchObject({ exitCode: 2, out: '' })
    expect(result.err).toMatch(/--public.*needs tls/)
  })

  test('takes clients to the signaling server beside it, and to nothing else of that server', async () => {
    const server = await serve({ trustedProxies: ['127.0.0.1'], limits: { connectionsPerAddress: 1 } })
    const port = await start(['--origin', 'http://127.0.0.1:1/', '--signaling', `127.0.0.1:${server.port}`])
    const url = `wss://127.0.0.1:${port}/signaling`
    const from = (localAddress: string, headers = {}) => ({ rejectUnauthorized: false, localAddress, headers })
    const [one, other] = [await connect(url, from('127.0.0.2')), await connect(url, from('127.0.0.3'))]
    for (const client of [one, other]) {
      client.send(hello({ ticket: ticket() }))
      await client.next('welcome')
      client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    }
    expect((await other.next('peers')).peers).toHaveLength(1)
    expect(await refusedStatus(url, from('127.0.0.2', { 'x-forwarded-for': '203.0.113.9' }))).toBe(429)
    expect((await ask(port, '/signaling')).status).toBe(426)
    for (const path of ['/signaling/metrics', '/signaling/', '/metrics', '/readyz']) expect((await ask(port, path)).status).toBe(404)
  })
})
