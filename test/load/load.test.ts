import { describe, expect, test } from 'vitest'
import { Crowd } from './crowd.ts'
import { readLoadOptions } from './options.ts'
import { requireLoopback, withinLimit } from './plan.ts'
import { ORIGIN } from '../signaling/client.ts'
import { KEY, serve, until } from '../signaling/members.ts'

describe('the load generator', () => {
  test.each(['ws://127.0.0.1:1/', 'ws://127.8.9.1:1/', 'ws://localhost:1/', 'ws://[::1]:1/'])('goes to %s', (url) => {
    expect(requireLoopback(url)).toBe(url)
  })

  test.each([
    'ws://192.0.2.1:1/',
    'ws://portal.example/',
    'wss://127.0.0.1:1/',
    'ws://127.0.0.1.portal.example/',
    'ws://127.0.0.1@portal.example/',
    'ws://localhost.portal.example/',
    'ws://[::ffff:192.0.2.1]/',
    '',
  ])('goes not to %s', (url) => {
    expect(() => readLoadOptions(['--url', url])).toThrow(/this machine alone/)
  })

  test.each([
    ['sockets', '0'],
    ['rate', '1e9'],
    ['idle', '-1'],
    ['churn', 'x'],
    ['room', '1.5'],
  ])('refuses --%s=%s by name', (name, value) => {
    expect(() => readLoadOptions(['--url', 'ws://127.0.0.1:1/', `--${name}=${value}`])).toThrow(new RegExp(`--${name}: `))
  })

  test('quotes no secret that it refuses', () => {
    expect(() => readLoadOptions(['--url', 'ws://127.0.0.1:1/', '--key', 'a:AAAA'])).toThrow(/^--key: (?!.*AAAA)/)
  })

  test('opens no more sockets than a process may, and says so', () => {
    expect(withinLimit(10, 10)).toEqual({ sockets: 10, remark: undefined })
    expect(withinLimit(11, 10)).toEqual({ sockets: 10, remark: expect.stringMatching(/^11 sockets are more .*ulimit/) })
  })

  test('joins, relays and leaves as members with tickets do', async () => {
    const server = await serve({ limits: { connectionsPerAddress: 100 } })
    const crowd = new Crowd({ url: server.url, dialect: 'sealift', origin: ORIGIN, roomSize: 5, sdpBytes: 1500, key: KEY })
    const all = { from: 0, end: 21 }
    await crowd.open(all)
    expect(server.counts()).toMatchObject({ connections: 21, sessions: 21, rooms: 5, seats: 21 })
    await crowd.offer(all)
    // The last one is alone in its room.
    expect(crowd.tally()).toMatchObject({ open: 21, joined: 21, answered: 20, failed: 0, lost: 0 })
    await crowd.churn(10)
    await until(() => server.counts().seats === 21)
    const churned = crowd.tally()
    expect(churned).toMatchObject({ open: 21, failed: 0, lost: 0 })
    expect(churned.joined).toBeGreaterThan(21)
    await crowd.close()
    await until(() => server.counts().connections === 0)
    expect(server.counts()).toMatchObject({ sessions: 0, rooms: 0, seats: 0 })
  })

  test('counts who was told before the server went, and who was not', async () => {
    const server = await serve()
    const crowd = new Crowd({ url: server.url, dialect: 'sealift', origin: ORIGIN, roomSize: 5, sdpBytes: 10, key: KEY })
    await crowd.open({ from: 0, end: 10 })
    await server.close()
    await until(() => crowd.tally().open === 0)
    expect(crowd.tally()).toMatchObject({ lost: 10, told: 10 })
    const other = await serve({ port: server.port })
    await crowd.open({ from: 0, end: 10 })
    await other.kill()
    await until(() => crowd.tally().open === 0)
    expect(crowd.tally()).toMatchObject({ lost: 20, told: 10 })
  })
})
