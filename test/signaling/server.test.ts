import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { runSignaling, signalingOptionsFromEnv } from '../../signaling/main.ts'
import { startSignaling, type SignalingServer } from '../../signaling/server.ts'
import { credentialOf } from 'sealift/protocol'
import { connect, ORIGIN, refusedStatus } from './client.ts'
import { enter, hello, joined, KEY, serve, SWARM, ticket, until } from './members.ts'

const pageOf = (server: SignalingServer, path: string) => fetch(`http://127.0.0.1:${server.port}${path}`)

describe('going down', () => {
  test('sg10.drain: tells everybody to come back at different times, closes with 1012, and frees the port', async () => {
    let draw = 0
    const server = await serve({ random: () => draw++ / 10 })
    const members = [await joined(server), await joined(server), await joined(server)]
    await members[2]?.client.next('peers')
    draw = 0
    const closing = server.close()
    const retries = await Promise.all(members.map(async ({ client }) => (await client.next('drain')).retryMs))
    expect(retries).toEqual([0, 1000, 2000])
    for (const { client } of members) expect(await client.closed).toEqual({ code: 1012, reason: 'drain' })
    await closing
    expect(server.counts()).toMatchObject({ connections: 0, sessions: 0, rooms: 0, seats: 0 })
    const next = await serve({ port: server.port })
    await enter(next)
  })

  test('takes nobody new, says so to a load balancer, and does not wait for ever for one who will not close', async () => {
    const server = await serve({ limits: { closeTimeoutMs: 500 } })
    const { client } = await enter(server)
    expect((await pageOf(server, '/readyz')).status).toBe(200)
    client.socket.pause()
    const closing = server.close()
    expect(await refusedStatus(server.url)).toBe(503)
    expect((await pageOf(server, '/readyz')).status).toBe(503)
    expect((await pageOf(server, '/healthz')).status).toBe(200)
    await closing
    expect(server.counts().connections).toBe(0)
    client.socket.terminate()
  })

  test('by kill is felt as a crash: no word, no code', async () => {
    const server = await serve()
    const { client } = await enter(server)
    await server.kill()
    expect((await client.closed).code).toBe(1006)
    expect(client.pending()).toEqual([])
  })

  test('sg10.restart-herd: and up again on the same port, members meet again with the tickets they have', async () => {
    const first = await serve()
    const own = [ticket(), ticket()]
    const before = await Promise.all(own.map((each) => enter(first, { ticket: each })))
    await first.kill()
    const second = await serve({ port: first.port })
    const after = await Promise.all(
      own.map((each, i) => enter(second, { ticket: each, resume: before[i]?.welcome.resume, token: before[i]?.welcome.token })),
    )
    for (const { client } of after) client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await until(() => second.counts().seats === 2)
    const met = await Promise.all(after.map(({ client }) => client.next('peers')))
    expect(met.flatMap(({ peers }) => peers)).toHaveLength(1)
  })
})

describe('the pages beside the socket', () => {
  test('tell health, readiness and counts, and nothing else', async () => {
    const server = await serve()
    await joined(server)
    await until(() => server.counts().seats === 1)
    const metrics = await pageOf(server, '/metrics')
    expect(metrics.headers.get('content-type')).toContain('version=0.0.4')
    const text = await metrics.text()
    for (const line of [
      'connections 1',
      'sessions 1',
      'rooms 1',
      'seats 1',
      'admissions_total{outcome="admitted"} 1',
      'messages_total{type="join"} 1',
    ]) {
      expect(text).toContain(`sealift_signaling_${line}\n`)
    }
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) sealift_signaling_\w+ .+|sealift_signaling_\w+(\{\w+="[\w-]+"\})? [\d.e+-]+)$/)
    expect((await pageOf(server, '/')).status).toBe(426)
    expect((await pageOf(server, '/rooms')).status).toBe(426)
    expect((await fetch(`http://127.0.0.1:${server.port}/healthz`, { method: 'POST' })).status).toBe(405)
  })

  test('count what was refused, by reason', async () => {
    const server = await serve()
    await refusedStatus(server.url, { origin: 'https://evil.example' })
    const client = await connect(server.url)
    client.send(hello())
    await client.closed
    const text = await (await pageOf(server, '/metrics')).text()
    expect(text).toContain('sealift_signaling_upgrades_refused_total{reason="origin"} 1\n')
    expect(text).toContain('sealift_signaling_admissions_total{outcome="missing"} 1\n')
  })

  test('say how busy the process is now, not since it began', async () => {
    const server = await serve()
    const busy = async (): Promise<number> => {
      const text = await (await pageOf(server, '/metrics')).text()
      return Number(/^sealift_signaling_event_loop_utilization (\S+)$/m.exec(text)?.[1])
    }
    const isIdle = () => expect.poll(busy, { timeout: 2000, interval: 100 }).toBeLessThan(0.5)
    await isIdle()
    const until = performance.now() + 500
    while (performance.now() < until);
    expect(await busy()).toBeGreaterThan(0.7)
    await isIdle()
  })

  test('keep the counts to a port of their own, or to themselves, where asked to', async () => {
    const apart = await serve({ metrics: { port: 0 } })
    expect((await pageOf(apart, '/metrics')).status).toBe(426)
    expect(apart.metricsUrl).not.toContain(`:${apart.port}/`)
    expect((await fetch(apart.metricsUrl ?? '')).status).toBe(200)
    const off = await serve({ metrics: 'off' })
    expect(off.metricsUrl).toBeUndefined()
    expect((await pageOf(off, '/metrics')).status).toBe(426)
  })
})

describe('an option that is wrong is found at the start', () => {
  const good = { admission: { kind: 'open' }, origins: [ORIGIN] } as const
  test.each([
    ['an origin with a path', { ...good, origins: [`${ORIGIN}/`] }, TypeError],
    ['a limit of nothing', { ...good, limits: { roomPeers: 0 } }, RangeError],
    ['a short secret', { ...good, admission: { kind: 'ticket', keys: [{ kid: 'a', secret: new Uint8Array(8) }] } }, RangeError],
    ['a kid used twice', { ...good, admission: { kind: 'ticket', keys: [KEY, KEY] } }, RangeError],
    [
      'an ICE server that is a page',
      { ...good, ice: [{ urls: 'https://x.example', username: undefined, credential: undefined }] },
      TypeError,
    ],
  ] as const)('%s', async (_, options, error) => {
    await expect(startSignaling(options)).rejects.toThrow(error)
  })

  test('a port that is taken', async () => {
    const server = await serve()
    await expect(startSignaling({ ...good, port: server.port })).rejects.toThrow(/EADDRINUSE/)
    await expect(startSignaling({ ...good, metrics: { port: server.port } })).rejects.toThrow(/EADDRINUSE/)
  })
})

describe('from the environment', () => {
  const secret = Buffer.alloc(32, 3).toString('base64url')
  const P = 'SEALIFT_SIGNALING_'
  const env = { [`${P}ORIGINS`]: `${ORIGIN}, https://second.example`, [`${P}KEYS`]: `a:${secret},b:${secret}` }

  test('come origins, keys, and everything else that may be set', () => {
    expect(signalingOptionsFromEnv(env)).toMatchObject({
      origins: [ORIGIN, 'https://second.example'],
      admission: { kind: 'ticket', keys: [{ kid: 'a' }, { kid: 'b' }] },
      port: 8787,
      host: '0.0.0.0',
      metrics: 'off',
    })
    const more = {
      PORT: '0',
      HOST: '::1',
      METRICS: '9100',
      TRUSTED_PROXIES: '10.0.0.1',
      LIMIT_roomPeers: '32',
      ADMISSION: 'open',
      ICE: '[{"urls":"stun:192.0.2.1"}]',
      REDIS_URL: 'redis://user:secret@192.0.2.2:6380/1',
      REDIS_PREFIX: 'blue',
    }
    const all = Object.fromEntries(Object.entries(more).map(([name, value]) => [P + name, value]))
    expect(signalingOptionsFromEnv({ ...env, ...all })).toMatchObject({
      admission: { kind: 'open' },
      port: 0,
      host: '::1',
      metrics: { port: 9100 },
      trustedProxies: ['10.0.0.1'],
      ice: [{ urls: 'stun:192.0.2.1' }],
      limits: { roomPeers: 32 },
      redis: { url: 'redis://user:secret@192.0.2.2:6380/1', prefix: 'blue' },
    })
  })

  test.each([
    ['ORIGINS', ''],
    ['KEYS', ''],
    ['KEYS', 'a'],
    ['KEYS', `a:${'A'.repeat(20)}`],
    ['ADMISSION', 'none'],
    ['PORT', 'x'],
    ['METRICS', 'x'],
    ['ICE', '{'],
    ['LIMIT_roomPeers', '-1'],
    ['TLS_CERT_FILE', '/cert.pem'],
    ['REDIS_URL', 'AAAA://192.0.2.2'],
  ])('%s=%s is refused by name, and no secret is quoted', (name, value) => {
    const run = () => signalingOptionsFromEnv({ ...env, [P + name]: value })
    expect(run).toThrow(TypeError)
    expect(run).toThrow(new RegExp(P + name))
    expect(run).not.toThrow(/AAAA/)
  })

  test('a server runs until it is told to stop, then drains', async () => {
    const stop = new AbortController()
    const listening = new EventTarget()
    const started = once(listening, 'started')
    let server: SignalingServer | undefined
    const options = { ...signalingOptionsFromEnv({ ...env, [`${P}PORT`]: '0', [`${P}HOST`]: '127.0.0.1' }), log: () => {} }
    const running = runSignaling(
      options,
      (up) => {
        server = up
        listening.dispatchEvent(new Event('started'))
      },
      stop.signal,
    )
    await started
    const client = await connect(server?.url ?? '')
    client.send(hello({ ticket: credentialOf(ticket({ key: { kid: 'b', secret: new Uint8Array(32).fill(3) } })) }))
    await client.next('welcome')
    stop.abort()
    await client.next('drain')
    await running
    await expect(runSignaling(options, () => {}, stop.signal)).rejects.toBe(stop.signal.reason)
  })
})
