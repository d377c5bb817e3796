import { describe, expect, test } from 'vitest'
import { credentialOf, mintSessionToken, verifyTicket, type HelloSignal, type TicketKey } from 'sealift/protocol'
import { connect, ORIGIN, refusedStatus } from './client.ts'
import { createManualClock } from './manual-clock.ts'
import { enter, hello, joined, KEY, serve, SWARM, ticket } from './members.ts'

const OTHER_KEY: TicketKey = { kid: KEY.kid, secret: new Uint8Array(32).fill(8) }
const NEXT_KEY: TicketKey = { kid: '2026-b', secret: new Uint8Array(32).fill(10) }
const NOW = Math.floor(Date.now() / 1000)

function sessionToken(nowSeconds: number, changes: Parameters<typeof ticket>[0] = {}): string {
  const verdict = verifyTicket(credentialOf(ticket({ ...changes, nowSeconds })), [KEY], nowSeconds)
  if (verdict.kind === 'refused') throw new Error(verdict.reason)
  return mintSessionToken(verdict.claims, KEY, nowSeconds).text
}

/** The same credential with other claims, under its old MAC or another one. */
function reclaimed(credential: string, changes: object, mac?: string): string {
  const [claims = '', own = ''] = credential.split('.')
  const changed = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), ...changes }
  return `${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${mac ?? own}`
}

function scopeOf(swarmKey: Uint8Array): string {
  return JSON.parse(Buffer.from(ticket({ swarmKey }).split('.', 1)[0] ?? '', 'base64url').toString()).scope
}

describe('a client is let in', () => {
  test.each<[string, Partial<HelloSignal>]>([
    ['with a ticket', { ticket: ticket() }],
    ['with a session token', { token: sessionToken(NOW) }],
    ['with an expired token and a valid ticket', { token: sessionToken(NOW - 3600), ticket: ticket() }],
    [
      'with an expired ticket and a valid token',
      { token: sessionToken(NOW), ticket: ticket({ nowSeconds: NOW - 3600, lifetimeSeconds: 60 }) },
    ],
    ['with a ticket by the second of two keys', { ticket: ticket({ key: NEXT_KEY }) }],
  ])('%s', async (_, credentials) => {
    const server = await serve({ admission: { kind: 'ticket', keys: [KEY, NEXT_KEY] } })
    const client = await connect(server.url)
    client.send(hello(credentials))
    const welcome = await client.next('welcome')
    expect(welcome.id).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(Math.abs(welcome.serverTime - NOW)).toBeLessThan(60)
    expect(server.counts()).toMatchObject({ connections: 1, sessions: 1 })
  })

  test('without any ticket where admission is open', async () => {
    const server = await serve({ admission: { kind: 'open' } })
    const client = await connect(server.url)
    client.send(hello())
    const welcome = await client.next('welcome')
    expect(welcome).toMatchObject({ token: undefined, tokenExpiresAtSeconds: undefined })
    client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    expect((await client.next('peers')).peers).toEqual([])
  })

  test('with a ticket and no origin, since then it is no browser', async () => {
    const server = await serve()
    const client = await connect(server.url, { origin: undefined })
    client.send(hello({ ticket: ticket() }))
    await client.next('welcome')
  })

  test('with a ticket by a server whose clock is an hour ahead, though every session token is expired there', async () => {
    const server = await serve()
    const { client, welcome } = await enter(server)
    await client.close()
    await server.kill()
    const later = await serve({ clock: createManualClock(Date.now() + 3_600_000) })
    const refused = await connect(later.url)
    refused.send(hello({ token: welcome.token }))
    expect(await refused.next('error')).toMatchObject({ code: 'admission-expired', fatal: true })
    const { welcome: again } = await enter(later, { token: welcome.token })
    expect(again.tokenExpiresAtSeconds).toBeGreaterThanOrEqual(NOW + 3600 + 600)
  })
})

describe('sg07.tokens: a client is sent away', () => {
  test.each<[string, Partial<HelloSignal>, string]>([
    ['without a ticket', {}, 'admission-refused'],
    ['with a ticket signed by somebody else', { ticket: ticket({ key: OTHER_KEY }) }, 'admission-refused'],
    ['with a ticket by an unknown key', { ticket: ticket({ key: NEXT_KEY }) }, 'admission-refused'],
    ['with a ticket of another site', { ticket: ticket({ site: 'https://elsewhere.example' }) }, 'admission-refused'],
    ['with a ticket of another site of ours', { ticket: ticket({ site: 'https://second.example' }) }, 'admission-refused'],
    ['with a ticket that has run out', { ticket: ticket({ nowSeconds: NOW - 3600, lifetimeSeconds: 60 }) }, 'admission-expired'],
    ['with a token that has run out', { token: sessionToken(NOW - 3600) }, 'admission-expired'],
    ['with a ticket in place of a token', { token: credentialOf(ticket()) }, 'admission-refused'],
    ['with a token in place of a ticket', { ticket: sessionToken(NOW) }, 'admission-refused'],
    ['with a token of another site', { token: sessionToken(NOW, { site: 'https://elsewhere.example' }) }, 'admission-refused'],
    ['with a token that lasts longer than any', { token: reclaimed(sessionToken(NOW), { exp: NOW + 7200 }) }, 'admission-refused'],
    ['with a ticket that names no algorithm', { ticket: reclaimed(ticket(), { alg: 'none' }, 'A'.repeat(43)) }, 'admission-refused'],
    ['with a ticket whose claims were changed', { ticket: reclaimed(ticket({ role: 'leech' }), { role: 'seed' }) }, 'admission-refused'],
    [
      'with a ticket of another swarm put into it',
      { ticket: reclaimed(ticket(), { scope: scopeOf(new Uint8Array(32)) }) },
      'admission-refused',
    ],
  ])('%s', async (_, credentials, code) => {
    const server = await serve({ origins: [ORIGIN, 'https://second.example'] })
    const client = await connect(server.url)
    client.send(hello(credentials))
    expect(await client.next('error')).toMatchObject({ code, fatal: true })
    expect(await client.closed).toMatchObject({ code: 4401 })
    expect(server.counts().sessions).toBe(0)
  })

  test.each([
    ['no MAC', ''],
    ['a MAC that is cut', 'AAAA'],
    ['a MAC of nothing but padding', '='.repeat(43)],
  ])('with a ticket of %s, which is no message at all', async (_, mac) => {
    const server = await serve()
    const client = await connect(server.url)
    client.sendText(JSON.stringify({ type: 'hello', v: 1, ticket: reclaimed(ticket(), {}, mac) }))
    expect(await client.closed).toMatchObject({ code: 4400 })
    expect(server.counts().sessions).toBe(0)
  })

  test('with a ticket of another site, where no origin tells which page it is', async () => {
    const server = await serve()
    const client = await connect(server.url, { origin: undefined })
    client.send(hello({ ticket: ticket({ site: 'https://elsewhere.example' }) }))
    expect(await client.next('error')).toMatchObject({ code: 'admission-refused', fatal: true })
    expect(await client.closed).toMatchObject({ code: 4401 })
  })

  test('when it speaks before it says hello', async () => {
    const server = await serve()
    const client = await connect(server.url)
    client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    expect(await client.next('error')).toMatchObject({ code: 'hello-expected', fatal: true })
    expect(await client.closed).toMatchObject({ code: 4401 })
  })

  test('when it says nothing for five seconds', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock })
    const client = await connect(server.url)
    await clock.advance(4500)
    expect(server.counts().connections).toBe(1)
    await clock.advance(500)
    expect(await client.closed).toEqual({ code: 4401, reason: 'hello-timeout' })
  })

  test('sg08.origin: before the upgrade, when its page is of another origin', async () => {
    const server = await serve()
    expect(await refusedStatus(server.url, { origin: 'https://evil.example' })).toBe(403)
    expect(await refusedStatus(server.url, { origin: 'null' })).toBe(403)
    expect(await refusedStatus(server.url, { origin: `${ORIGIN}.evil.example` })).toBe(403)
    const open = await serve({ admission: { kind: 'open' } })
    expect(await refusedStatus(open.url, { origin: undefined })).toBe(403)
  })

  test('in the middle of a session when its token runs out, unless it showed a ticket', async () => {
    const clock = createManualClock(NOW * 1000)
    const server = await serve({ clock })
    const token = await connect(server.url)
    token.send(hello({ token: sessionToken(NOW) }))
    expect(await token.next('welcome')).toMatchObject({ token: undefined, tokenExpiresAtSeconds: NOW + 600 })
    const { client: member } = await enter(server)
    await clock.advance(599_000)
    expect(server.counts().sessions).toBe(2)
    await clock.advance(1000)
    expect(await token.next('error')).toMatchObject({ code: 'admission-expired', fatal: true })
    expect(await token.closed).toMatchObject({ code: 4401 })
    member.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await member.next('peers')
  })
})

describe('a session', () => {
  test('is renewed by a second hello, under the same id', async () => {
    const clock = createManualClock(NOW * 1000)
    const server = await serve({ clock })
    const client = await connect(server.url)
    client.send(hello({ token: sessionToken(NOW) }))
    const first = await client.next('welcome')
    client.send(hello({ ticket: ticket() }))
    const second = await client.next('welcome')
    expect(second.id).toBe(first.id)
    await clock.advance(700_000)
    expect(server.counts().sessions).toBe(1)
  })

  test('cannot become a member of another swarm', async () => {
    const server = await serve()
    const { client } = await enter(server)
    client.send(hello({ ticket: ticket({ swarmKey: new Uint8Array(32) }) }))
    expect(await client.next('error')).toMatchObject({ code: 'admission-refused', fatal: true })
  })

  test('is taken over by its resume key, and its room does not notice', async () => {
    const server = await serve()
    const watcher = await joined(server)
    await watcher.client.next('peers')
    const own = ticket()
    const old = await enter(server, { ticket: own })
    old.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await old.client.next('peers')
    const fresh = await enter(server, { ticket: own, resume: old.welcome.resume })
    expect(fresh.welcome.id).toBe(old.welcome.id)
    expect(fresh.welcome.resume).not.toBe(old.welcome.resume)
    expect(await old.client.closed).toMatchObject({ code: 4409 })
    watcher.client.send({ type: 'sig', swarm: SWARM, sid: '1', to: old.welcome.id, kind: 'end' })
    expect(await fresh.client.next('sig')).toMatchObject({ from: watcher.welcome.id })
    expect(watcher.client.pending()).toEqual([])
    expect(server.counts()).toMatchObject({ sessions: 2, seats: 2 })
  })

  test('is not taken over with a key used before, nor by a member of another swarm', async () => {
    const server = await serve()
    const first = await enter(server)
    const second = await enter(server, { resume: first.welcome.resume })
    expect(second.welcome.id).toBe(first.welcome.id)
    const third = await enter(server, { resume: first.welcome.resume })
    expect(third.welcome.id).not.toBe(first.welcome.id)
    const stranger = await enter(server, { ticket: ticket({ swarmKey: new Uint8Array(32) }), resume: second.welcome.resume })
    expect(stranger.welcome.id).not.toBe(first.welcome.id)
    expect(server.counts().sessions).toBe(3)
  })

  test('per ticket is one of four, and a fifth is refused until one goes', async () => {
    const server = await serve()
    const own = ticket()
    const members = []
    for (let i = 0; i < 4; i++) members.push(await enter(server, { ticket: own }))
    const fifth = await connect(server.url)
    fifth.send(hello({ ticket: own }))
    expect(await fifth.next('error')).toMatchObject({ code: 'admission-refused' })
    const token = await connect(server.url)
    token.send(hello({ token: members[0]?.welcome.token }))
    expect(await token.next('error')).toMatchObject({ code: 'admission-refused' })
    await members[0]?.client.close()
    await enter(server, { ticket: own })
  })
})
