import { describe, expect, test } from 'vitest'
import { choosePeers } from '../../signaling/choose-peers.ts'
import { toPeerId, type ClientSignal, type PeerId } from 'sealift/protocol'
import type { TestClient } from './client.ts'
import { enter, hello, joined, OTHER_SWARM, serve, SWARM, ticket, until } from './members.ts'

const OFFER = { kind: 'offer', sdp: { type: 'offer', sdp: 'v=0\r\n' } } as const

function offerTo(client: TestClient, to: PeerId, swarm = SWARM): void {
  client.send({ type: 'sig', swarm, sid: 'try-1', to, ...OFFER })
}

/** What the proxy in front says of a client. */
const from = (host: number) => ({ 'x-forwarded-for': `203.0.113.${host}` })

describe('in a room', () => {
  test('the newcomer is told of those who are there, and they hear of it when it offers', async () => {
    const server = await serve()
    const seed = await joined(server, 'seed')
    expect((await seed.client.next('peers')).peers).toEqual([])
    const leech = await joined(server)
    expect((await leech.client.next('peers')).peers).toEqual([{ id: seed.welcome.id, role: 'seed', lan: true }])
    offerTo(leech.client, seed.welcome.id)
    expect(await seed.client.take()).toMatchObject({ type: 'sig', from: leech.welcome.id })
  })

  test('a hello joins the rooms that it names, up to what a connection may be in and its ticket allows; a second one joins nothing', async () => {
    const server = await serve()
    const there = await joined(server)
    await there.client.next('peers')
    const rooms = [
      { swarm: SWARM, role: 'leech' },
      { swarm: OTHER_SWARM, role: 'seed' },
    ] as const
    const own = ticket({ role: 'leech' })
    const { client } = await enter(server, { ticket: own, rooms })
    expect((await client.next('peers')).peers.map(({ id }) => id)).toEqual([there.welcome.id])
    expect(await client.next('error')).toEqual({ type: 'error', code: 'role-refused', fatal: false, swarm: OTHER_SWARM })
    client.send(hello({ ticket: own, rooms: [{ swarm: OTHER_SWARM, role: 'leech' }] }))
    await client.next('welcome')
    expect(server.counts()).toMatchObject({ rooms: 1, seats: 2 })
    client.sendText(JSON.stringify({ ...hello(), rooms: Array.from({ length: 17 }, () => rooms[0]) }))
    expect(await client.next('error')).toMatchObject({ code: 'bad-message' })
  })

  test('an offer, an answer, a candidate and an end pass between two peers, word for word', async () => {
    const server = await serve()
    const a = await joined(server)
    const b = await joined(server)
    await b.client.next('peers')
    const candidate = { candidate: '', sdpMid: '0', sdpMLineIndex: 0 }
    const head = { type: 'sig', swarm: SWARM, sid: 'try-1' } as const
    b.client.send({ ...head, to: a.welcome.id, ...OFFER })
    expect(await a.client.next('sig')).toEqual({ ...head, from: b.welcome.id, ...OFFER })
    a.client.send({ ...head, to: b.welcome.id, kind: 'answer', sdp: { type: 'answer', sdp: 'v=0\r\n' } })
    expect(await b.client.next('sig')).toEqual({ ...head, from: a.welcome.id, kind: 'answer', sdp: { type: 'answer', sdp: 'v=0\r\n' } })
    a.client.send({ ...head, to: b.welcome.id, kind: 'candidate', candidate })
    expect(await b.client.next('sig')).toEqual({ ...head, from: a.welcome.id, kind: 'candidate', candidate })
    b.client.send({ ...head, to: a.welcome.id, kind: 'end' })
    expect(await a.client.next('sig')).toEqual({ ...head, from: b.welcome.id, kind: 'end' })
  })

  test('sg06.spoof: the sender is who the server knows it is, whatever it claims', async () => {
    const server = await serve()
    const victim = await joined(server)
    const target = await joined(server)
    const spoofer = await joined(server)
    await spoofer.client.next('peers')
    const claim = { from: victim.welcome.id, id: victim.welcome.id }
    spoofer.client.sendText(JSON.stringify({ type: 'sig', swarm: SWARM, sid: '1', to: target.welcome.id, ...OFFER, ...claim }))
    const got = await target.client.next('sig')
    expect(got.from).toBe(spoofer.welcome.id)
    expect(got).not.toHaveProperty('id')
  })

  test('a peer that goes is reported gone at once, by bye, by close, by leave and by a dead socket', async () => {
    const server = await serve()
    const watcher = await joined(server)
    const goings: ((client: TestClient) => void)[] = [
      (client) => client.send({ type: 'bye' }),
      (client) => client.socket.close(),
      (client) => client.send({ type: 'leave', swarm: SWARM }),
      (client) => client.socket.terminate(),
    ]
    for (const go of goings) {
      const { client, welcome } = await joined(server)
      await client.next('peers')
      go(client)
      expect(await watcher.client.next('peer-left')).toEqual({ type: 'peer-left', swarm: SWARM, id: welcome.id })
    }
  })

  test('who joins again takes another role and gets a fresh list, and the seat is counted once', async () => {
    const server = await serve()
    await joined(server, 'seed')
    const leech = await joined(server)
    await leech.client.next('peers')
    leech.client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    expect((await leech.client.next('peers')).peers).toHaveLength(1)
    expect((await (await joined(server)).client.next('peers')).peers.map(({ role }) => role)).toEqual(['seed', 'seed'])
    expect(server.counts()).toMatchObject({ rooms: 1, seats: 3 })
  })

  test('a signal to somebody who has left is answered with that', async () => {
    const server = await serve()
    const stays = await joined(server)
    const { client, welcome } = await joined(server)
    await client.next('peers')
    await client.close()
    await stays.client.next('peer-left')
    offerTo(stays.client, welcome.id)
    expect((await stays.client.next('peer-left')).id).toBe(welcome.id)
  })

  test('a ticket to leech does not let anybody pose as a seed', async () => {
    const server = await serve()
    const { client } = await enter(server, { ticket: ticket({ role: 'leech' }) })
    client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    expect(await client.next('error')).toEqual({ type: 'error', code: 'role-refused', fatal: false, swarm: SWARM })
    client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    await client.next('peers')
  })

  test('pe03.no-hearsay: complaints are counted and harm nobody, however many addresses they come from', async () => {
    const server = await serve({ trustedProxies: ['127.0.0.1'] })
    const accused = await joined(server, 'leech', from(1))
    for (const host of [2, 3, 4]) {
      const { client } = await joined(server, 'leech', from(host))
      client.send({ type: 'report', peer: accused.welcome.id, swarm: SWARM, reason: 'bad-piece' })
      offerTo(client, accused.welcome.id)
      await accused.client.next('sig')
    }
    accused.client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    expect((await accused.client.next('peers')).peers).toHaveLength(3)
    expect(server.counts().seats).toBe(4)
    const text = await (await fetch(server.metricsUrl ?? '')).text()
    expect(text).toContain('sealift_signaling_reports_total{reason="bad-piece"} 3\n')
  })

  test('who joins again as what it is gets the peers it knows, draws no new ones, and nobody hears of it', async () => {
    const server = await serve({ limits: { chosenPeers: 2, chosenForSeeds: 1 } })
    const others = [await joined(server), await joined(server), await joined(server), await joined(server)]
    for (const { client } of others) await client.next('peers')
    const { client } = await joined(server)
    const idsOf = async (): Promise<readonly PeerId[]> => (await client.next('peers')).peers.map(({ id }) => id).toSorted()
    const first = await idsOf()
    expect(first).toHaveLength(2)
    for (let i = 0; i < 20; i++) client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    for (let i = 0; i < 20; i++) expect(await idsOf()).toEqual(first)
    // The answer to this comes after whatever was sent before.
    const sig: ClientSignal = { type: 'sig', swarm: SWARM, sid: '1', to: toPeerId('nobody-00'), kind: 'end' }
    for (const other of others) other.client.send(sig)
    await until(() => others.every((other) => other.client.pending().some(({ type }) => type === 'peer-left')))
    for (const other of others) expect(other.client.pending()).toEqual([{ type: 'peer-left', swarm: SWARM, id: 'nobody-00' }])
  })

  test('who takes another role shows it to those it knows before it draws anybody new', async () => {
    const server = await serve({ limits: { chosenPeers: 2, chosenForSeeds: 1 } })
    for (let i = 0; i < 5; i++) await (await joined(server)).client.next('peers')
    const { client } = await joined(server)
    const idsOf = async (): Promise<readonly PeerId[]> => (await client.next('peers')).peers.map(({ id }) => id).toSorted()
    const first = await idsOf()
    for (const role of ['seed', 'leech', 'seed'] as const) {
      client.send({ type: 'join', swarm: SWARM, role })
      expect(await idsOf()).toEqual(first)
    }
  })

  test('who comes back over a new socket is told of those who got to know it meanwhile', async () => {
    const server = await serve()
    const own = ticket()
    const first = await enter(server, { ticket: own })
    first.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    expect((await first.client.next('peers')).peers).toEqual([])
    const late = await joined(server)
    await late.client.next('peers')
    const again = await enter(server, { ticket: own, resume: first.welcome.resume })
    again.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
    expect((await again.client.next('peers')).peers).toEqual([{ id: late.welcome.id, role: 'leech', lan: true }])
  })

  test('who comes back from another network is of that network from then on, and leaves nothing behind when it goes', async () => {
    const server = await serve({ trustedProxies: ['127.0.0.1'] })
    const stays = await joined(server, 'leech', from(3))
    await stays.client.next('peers')
    const own = ticket()
    const first = await enter(server, { ticket: own }, from(1))
    first.client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    await first.client.next('peers')
    const again = await enter(server, { ticket: own, resume: first.welcome.resume }, from(2))
    expect(again.welcome.id).toBe(first.welcome.id)
    const isNear = async (host: number): Promise<boolean | undefined> => {
      const { client } = await joined(server, 'leech', from(host))
      const { peers } = await client.next('peers')
      await client.close()
      return peers.find(({ id }) => id === again.welcome.id)?.lan
    }
    expect([await isNear(1), await isNear(2)]).toEqual([false, true])
    again.client.send({ type: 'bye' })
    await until(() => server.counts().seats === 1)
    expect([await isNear(1), await isNear(2)]).toEqual([undefined, undefined])
  })
})

describe('nothing passes', () => {
  test('from one room to another', async () => {
    const server = await serve()
    const inside = await joined(server)
    const { client: outside } = await enter(server)
    outside.send({ type: 'join', swarm: OTHER_SWARM, role: 'leech' })
    offerTo(outside, inside.welcome.id)
    expect(await outside.next('error')).toEqual({ type: 'error', code: 'not-in-room', fatal: false, swarm: SWARM })
    offerTo(outside, inside.welcome.id, OTHER_SWARM)
    expect(await outside.next('peer-left')).toMatchObject({ swarm: OTHER_SWARM, id: inside.welcome.id })
    outside.send({ type: 'report', peer: inside.welcome.id, swarm: SWARM, reason: 'proof' })
    expect(await outside.next('error')).toMatchObject({ code: 'not-in-room' })
    await inside.client.next('peers')
    expect(inside.client.pending()).toEqual([])
  })

  test('between members of different swarm keys, even if one learns the other’s swarm id', async () => {
    const server = await serve()
    const inside = await joined(server)
    const { client: stranger } = await enter(server, { ticket: ticket({ swarmKey: new Uint8Array(32) }) })
    stranger.send({ type: 'join', swarm: SWARM, role: 'leech' })
    expect((await stranger.next('peers')).peers).toEqual([])
    offerTo(stranger, inside.welcome.id)
    expect(await stranger.next('peer-left')).toMatchObject({ id: inside.welcome.id })
    expect(server.counts()).toMatchObject({ rooms: 2, seats: 2 })
  })
})

describe('the peers a newcomer is told of', () => {
  const lan = { 'x-forwarded-for': '198.51.100.7' }
  const far = { 'x-forwarded-for': '203.0.113.9' }
  const isNear = (one: { readonly lan: boolean }): boolean => one.lan

  test('are those of its own network first, by what the proxy in front saw', async () => {
    const server = await serve({ trustedProxies: ['127.0.0.1'], limits: { chosenPeers: 2, chosenForSeeds: 1 } })
    const distant = await joined(server, 'leech', far)
    await joined(server, 'leech', far)
    const near = await joined(server, 'leech', lan)
    const seed = await joined(server, 'seed', far)
    await joined(server, 'leech', lan)
    const newcomer = await joined(server, 'leech', lan)
    const { peers } = await newcomer.client.next('peers')
    expect(peers).toHaveLength(2)
    expect(peers[0]?.lan).toBe(true)
    expect(peers[1]).toEqual({ id: seed.welcome.id, role: 'seed', lan: false })
    expect(near.welcome.id).not.toBe(distant.welcome.id)
  })

  test('are not more than eight', async () => {
    const server = await serve()
    for (let i = 0; i < 12; i++) await joined(server)
    const newcomer = await joined(server)
    expect((await newcomer.client.next('peers')).peers).toHaveLength(8)
  })

  test('leave two places to seeds elsewhere, then are of the LAN, then seeds, then by chance', () => {
    const make = (id: number, lan: boolean, role: 'leech' | 'seed') => ({ id, lan, role, known: { length: 8 } })
    const all = [
      ...Array.from({ length: 20 }, (_, i) => make(i, false, 'leech')),
      ...Array.from({ length: 5 }, (_, i) => make(100 + i, false, 'seed')),
      ...Array.from({ length: 10 }, (_, i) => make(200 + i, true, i === 9 ? 'seed' : 'leech')),
    ]
    const draws = [0.9, 0.1, 0.5, 0.3, 0.7]
    let at = 0
    const random = (): number => draws[at++ % draws.length] ?? 0
    const chosen = choosePeers(all, { limit: 8, forSeeds: 2, isNear, random })
    expect(chosen.map(({ lan }) => lan)).toEqual([true, true, true, true, true, true, false, false])
    expect(chosen[0]).toMatchObject({ id: 209 })
    expect(chosen.slice(6).map(({ role }) => role)).toEqual(['seed', 'seed'])
    expect(
      choosePeers(
        all.filter(({ role }) => role === 'leech'),
        { limit: 12, forSeeds: 2, isNear, random },
      ).filter(({ lan }) => lan),
    ).toHaveLength(9)
    expect(
      choosePeers(all, { limit: 100, forSeeds: 2, isNear, random })
        .map(({ id }) => id)
        .toSorted((a, b) => a - b),
    ).toEqual(all.map(({ id }) => id).toSorted((a, b) => a - b))
    const firsts = new Set(
      Array.from({ length: 50 }, () => choosePeers(all.slice(0, 20), { limit: 1, forSeeds: 0, isNear, random: Math.random })[0]?.id),
    )
    expect(firsts.size).toBeGreaterThan(1)
  })

  test('are seeds for half of the places at most, while others are there: anybody may say that it is one', () => {
    const room = (seeds: number, leeches: number) => [
      ...Array.from({ length: seeds }, () => ({ lan: false, role: 'seed' as const, known: { length: 8 } })),
      ...Array.from({ length: leeches }, () => ({ lan: false, role: 'leech' as const, known: { length: 8 } })),
    ]
    const seedsOf = (seeds: number, leeches: number): number =>
      choosePeers(room(seeds, leeches), { limit: 8, forSeeds: 2, isNear, random: Math.random }).filter(({ role }) => role === 'seed').length
    // By chance there may be more of them; with so many others it is not likely, and fewer never are.
    expect(seedsOf(4, 4000)).toBe(4)
    const drawn = Array.from({ length: 200 }, () => seedsOf(20, 40))
    expect(Math.min(...drawn)).toBe(4)
    expect(drawn.reduce((sum, count) => sum + count, 0) / drawn.length).toBeLessThan(6)
  })
})

describe('a room', () => {
  test('is open to more than sixty-four, and each is told of eight', async () => {
    const server = await serve({ trustedProxies: ['127.0.0.1'] })
    for (let i = 0; i < 64; i++) await joined(server, 'leech', from(i % 16))
    const late = await joined(server, 'leech', from(99))
    expect((await late.client.next('peers')).peers).toHaveLength(8)
    expect(server.counts().seats).toBe(65)
  })

  test('that a deployment keeps small says so once it is full, and the connection lasts', async () => {
    const server = await serve({ limits: { roomPeers: 2 } })
    await joined(server)
    await joined(server)
    const { client } = await joined(server)
    expect(await client.next('error')).toEqual({ type: 'error', code: 'room-full', fatal: false, swarm: SWARM })
    client.send({ type: 'join', swarm: OTHER_SWARM, role: 'leech' })
    expect(await client.next('peers')).toMatchObject({ swarm: OTHER_SWARM })
  })
})
