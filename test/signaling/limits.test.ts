import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { LIMITS, toPeerId, type ClientSignal } from 'sealift/protocol'
import { withLimits } from '../../signaling/limits.ts'
import { connect, refusedStatus } from './client.ts'
import { createManualClock } from './manual-clock.ts'
import { enter, hello, joined, OTHER_SWARM, serve, SWARM, ticket, until } from './members.ts'

const LEAVE: ClientSignal = { type: 'leave', swarm: OTHER_SWARM }

describe('sg10.limits-table: at its limit, the server', () => {
  test('answers an upgrade beyond all sockets with 503, and takes the next once one is gone', async () => {
    const server = await serve({ limits: { connections: 2 } })
    const first = await connect(server.url)
    await connect(server.url)
    expect(await refusedStatus(server.url)).toBe(503)
    await first.close()
    await until(() => server.counts().connections === 1)
    await connect(server.url)
  })

  test('answers an upgrade beyond an address’s sockets with 429, and counts a whole IPv6 /64 as one', async () => {
    const server = await serve({ limits: { connectionsPerAddress: 2 }, trustedProxies: ['127.0.0.1'] })
    const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
    await connect(server.url, from('2001:db8:1:2::1'))
    await connect(server.url, from('2001:db8:1:2:ffff::1'))
    expect(await refusedStatus(server.url, from('2001:db8:1:2::3'))).toBe(429)
    await connect(server.url, from('2001:db8:1:3::1'))
    await connect(server.url, from('203.0.113.5'))
  })

  test('answers an address that connects too often with 429, until time has passed', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock, limits: { upgradeBurst: 3, upgradesPerSecond: 1 } })
    for (let i = 0; i < 3; i++) await (await connect(server.url)).close()
    expect(await refusedStatus(server.url)).toBe(429)
    await clock.advance(1000)
    await (await connect(server.url)).close()
    expect(await refusedStatus(server.url)).toBe(429)
  })

  test('does not let a client choose its own address', async () => {
    const server = await serve({ limits: { connectionsPerAddress: 1 } })
    await connect(server.url, { headers: { 'x-forwarded-for': '203.0.113.1' } })
    expect(await refusedStatus(server.url, { headers: { 'x-forwarded-for': '203.0.113.2' } })).toBe(429)
  })

  test('takes forty messages at once and refuses the next, then twenty a second', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock })
    const { client } = await enter(server)
    for (let i = 0; i < LIMITS.signalBurst - 1; i++) client.send(LEAVE)
    client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    expect(await client.next('error')).toMatchObject({ code: 'rate-limited', fatal: false })
    expect(server.counts().seats).toBe(0)
    await clock.advance(1000)
    for (let i = 0; i < LIMITS.signalsPerSecond - 1; i++) client.send(LEAVE)
    client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await client.next('peers')
    client.send(LEAVE)
    expect(await client.next('error')).toMatchObject({ code: 'rate-limited' })
  })

  test('closes on a client that goes on too fast', async () => {
    const server = await serve({ clock: createManualClock(Date.now()) })
    const { client } = await enter(server)
    for (let i = 0; i < 39 + 40; i++) client.send(LEAVE)
    await until(() => client.pending().length === 40)
    expect(server.counts().connections).toBe(1)
    client.send(LEAVE)
    expect(await client.closed).toEqual({ code: 4429, reason: 'rate-limited' })
  })

  test('lets a client into sixteen rooms', async () => {
    const server = await serve()
    const { client } = await enter(server)
    const swarm = (i: number) => ({ type: 'join', swarm: `${String(i).padStart(2, '0')}${SWARM.slice(2)}`, role: 'leech' })
    for (let i = 0; i < 17; i++) client.sendText(JSON.stringify(swarm(i)))
    expect(await client.next('error')).toMatchObject({ code: 'too-many-rooms', swarm: swarm(16).swarm })
    expect(server.counts().rooms).toBe(16)
    client.sendText(JSON.stringify({ type: 'leave', swarm: swarm(0).swarm }))
    client.sendText(JSON.stringify(swarm(16)))
    await client.next('peers')
  })

  test('lets one client trouble the others with eight joins of a room at once, then one in ten seconds, however it turns', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock, limits: { messageBurst: 1e6 } })
    const watcher = await joined(server)
    await watcher.client.next('peers')
    const { client } = await enter(server)
    const turns: readonly ClientSignal[] = [
      { type: 'join', swarm: SWARM, role: 'leech' },
      { type: 'join', swarm: SWARM, role: 'seed' },
      { type: 'leave', swarm: SWARM },
    ]
    const heard = async (): Promise<number> => {
      // The answer to this comes after whatever was sent before.
      watcher.client.send({ type: 'sig', swarm: SWARM, sid: '1', to: toPeerId('nobody-00'), kind: 'end' })
      let goings = 0
      for (;;) {
        const { id } = await watcher.client.next('peer-left')
        if (id === 'nobody-00') return goings
        goings++
      }
    }
    for (let i = 0; i < 39; i++) for (const turn of turns) client.send(turn)
    for (let i = 0; i < 2 * 39 - 8; i++) expect(await client.next('error')).toMatchObject({ code: 'rate-limited', swarm: SWARM })
    // Two of the eight that it may go before each time that it leaves.
    expect(await heard()).toBe(4)
    await clock.advance(10_000)
    for (const turn of turns) client.send(turn)
    expect(await client.next('error')).toMatchObject({ code: 'rate-limited' })
    expect(await heard()).toBe(1)
    client.send({ type: 'join', swarm: OTHER_SWARM, role: 'leech' })
    await client.next('peers')
  })

  test('lets no client hop from room to room for ever', async () => {
    const server = await serve({ clock: createManualClock(Date.now()), limits: { messageBurst: 1e6, roomsPerConnection: 2 } })
    const { client } = await enter(server)
    for (let i = 0; i < 9; i++) {
      const swarm = `${String(i).padStart(2, '0')}${SWARM.slice(2)}`
      client.sendText(JSON.stringify({ type: 'join', swarm, role: 'leech' }))
      client.sendText(JSON.stringify({ type: 'leave', swarm }))
    }
    expect(await client.next('error')).toMatchObject({ code: 'rate-limited', swarm: `08${SWARM.slice(2)}` })
  })

  test('closes on a message of more than 16 KiB, before reading it', async () => {
    const server = await serve()
    const { client } = await enter(server)
    client.sendText(' '.repeat(16 * 1024 - 14) + '{"type":"bye"}')
    expect((await client.closed).code).toBe(1000)
    const { client: other } = await enter(server)
    other.sendText(' '.repeat(16 * 1024 - 13) + '{"type":"bye"}')
    expect((await other.closed).code).toBe(1009)
  })

  test('closes on binary', async () => {
    const server = await serve()
    const { client } = await enter(server)
    client.socket.send(Buffer.from('{"type":"bye"}'))
    expect(await client.closed).toEqual({ code: 1003, reason: 'binary' })
  })

  test('forgives seven messages that make no sense, not eight, and none before hello', async () => {
    const server = await serve()
    const { client } = await enter(server)
    for (let i = 0; i < 7; i++) client.sendText('{}')
    client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await client.next('peers')
    client.sendText('{}')
    expect(await client.closed).toEqual({ code: 4400, reason: 'bad-message' })
    const stranger = await connect(server.url)
    stranger.sendText('{}')
    expect(await stranger.closed).toEqual({ code: 4400, reason: 'bad-message' })
  })

  test('drops a client that answers no ping, after two were missed', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock })
    const alive = await enter(server)
    const dead = await connect(server.url, { autoPong: false })
    dead.send(hello({ ticket: ticket() }))
    const { id } = await dead.next('welcome')
    dead.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await dead.next('peers')
    alive.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await alive.client.next('peers')
    for (let i = 0; i < 2; i++) {
      const pinged = Promise.all([once(alive.client.socket, 'ping'), once(dead.socket, 'ping')])
      await clock.advance(25_000)
      await pinged
      alive.client.send({ type: 'report', swarm: SWARM, peer: toPeerId('nobody-00'), reason: 'protocol' })
      alive.client.send({ type: 'sig', swarm: SWARM, sid: '1', to: toPeerId('nobody-00'), kind: 'end' })
      await alive.client.next('peer-left')
    }
    expect(server.counts().connections).toBe(2)
    await clock.advance(25_000)
    expect((await alive.client.next('peer-left')).id).toBe(id)
    expect(server.counts().connections).toBe(1)
  })

  test('sg10.slow-consumer: queues no more than 64 KiB for a slow reader, and disconnects it after eight drops', async () => {
    const server = await serve({ limits: { messageBurst: 1e6 } })
    const slow = await joined(server)
    await slow.client.next('peers')
    slow.client.socket.pause()
    const { client } = await joined(server)
    await client.next('peers')
    const sdp = { type: 'offer', sdp: 'x'.repeat(LIMITS.sdpBytes) } as const
    const offer: ClientSignal = { type: 'sig', swarm: SWARM, sid: '1', to: slow.welcome.id, kind: 'offer', sdp }
    const before = process.memoryUsage.rss()
    let sent = 0
    while (server.counts().connections === 2) {
      for (let i = 0; i < 10; i++) client.send(offer)
      sent += 10 * LIMITS.sdpBytes
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await client.next('peer-left')).toMatchObject({ id: slow.welcome.id })
    expect(sent).toBeGreaterThan(64 * 1024)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
    const text = await (await fetch(server.metricsUrl ?? '')).text()
    expect(text).toContain('sealift_signaling_dropped_total 8\n')
    expect(text).toContain('sealift_signaling_closed_total{reason="slow-reader"} 1\n')
  })

  test('queues answers to pings no further than anything else, and disconnects who reads none', async () => {
    const server = await serve({ limits: { messageBurst: 1e6 } })
    const { client } = await enter(server)
    client.socket.pause()
    let sent = 0
    const payload = Buffer.alloc(125)
    while (server.counts().connections === 1) {
      for (let i = 0; i < 1000; i++) client.socket.ping(payload)
      sent += 1000 * payload.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeGreaterThan(64 * 1024)
    const text = await (await fetch(server.metricsUrl ?? '')).text()
    expect(text).toContain('sealift_signaling_closed_total{reason="slow-reader"} 1\n')
  })

  test('cuts connections of one address beyond its share before a byte is read, and those that say nothing soon', async () => {
    const limits = { connectionsPerAddress: 4, requestsPerAddress: 4, headersTimeoutMs: 300 }
    const server = await serve({ limits })
    const quiet = Array.from({ length: 20 }, () =>
      connectTcp(server.port, '127.0.0.1')
        .on('error', () => {})
        .resume(),
    )
    const elsewhere = connectTcp({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => {})
    await Promise.all(quiet.slice(8).map((socket) => once(socket, 'close')))
    expect(quiet.filter((socket) => socket.destroyed)).toHaveLength(12)
    elsewhere.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(String((await once(elsewhere, 'data'))[0])).toContain('200 OK')
    elsewhere.destroy()
    await Promise.all(quiet.slice(0, 8).map((socket) => once(socket, 'close')))
    await enter(server)
    const text = await (await fetch(server.metricsUrl ?? '')).text()
    expect(text).toContain('sealift_signaling_lines_cut_total 12\n')
  })

  test('waits no longer for a TLS handshake than for a header', async () => {
    // No certificate is needed: nobody here gets as far as being shown it.
    const server = await serve({ tls: { cert: '', key: '' }, limits: { headersTimeoutMs: 300 } })
    const quiet = connectTcp(server.port, '127.0.0.1').on('error', () => {})
    await once(quiet.resume(), 'close')
  })

  test('does not count the connections of a proxy, behind which are many clients', async () => {
    const server = await serve({ limits: { connectionsPerAddress: 1, requestsPerAddress: 1 }, trustedProxies: ['127.0.0.1'] })
    for (let i = 0; i < 5; i++) await connect(server.url, { headers: { 'x-forwarded-for': `203.0.113.${i}` } })
    expect(server.counts().connections).toBe(5)
  })

  test('sg10.slowloris: lets nobody hold a request open by sending it slowly, while an honest client joins', async () => {
    const server = await serve({ limits: { headersTimeoutMs: 300 } })
    const sockets: Socket[] = []
    for (let i = 0; i < 200; i++) {
      const socket = connectTcp(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
      sockets.push(socket)
    }
    await enter(server)
    await Promise.all(sockets.filter((socket) => !socket.destroyed).map((socket) => once(socket.resume(), 'close')))
    expect(server.counts().connections).toBe(1)
  })
})

test('a limit of nothing is a mistake, found at the start', () => {
  expect(() => withLimits({ roomPeers: 0 })).toThrow(RangeError)
  expect(() => withLimits({ pingIntervalMs: Number.NaN })).toThrow(RangeError)
  expect(withLimits({ roomPeers: 32 })).toMatchObject({ roomPeers: 32, chosenPeers: 8 })
})
