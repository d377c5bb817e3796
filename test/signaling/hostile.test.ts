import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toPeerId, type ServerSignal } from 'sealift/protocol'
import type { Member } from '../../signaling/room.ts'
import { createRooms } from '../../signaling/rooms.ts'
import { SIGNALING_LIMITS } from '../../signaling/limits.ts'
import { KNOWN_SEED, NEW_SEED } from '../fuzz/landing.ts'
import { saySignals } from '../fuzz/signals-session.ts'
import { NEVER_MESSAGES } from '../fuzz/signals-target.ts'
import { connect, ORIGIN } from './client.ts'
import { createManualClock } from './manual-clock.ts'
import { enter, hello, joined, KEY, OTHER_SWARM, serve, SWARM, ticket, until } from './members.ts'

const EVERY = { messageBurst: 1e9, badMessages: 1e9, messagesTooFast: 1e9, upgradeBurst: 1e9 } as const

describe('hostile messages', () => {
  test.each([KNOWN_SEED, NEW_SEED])(
    'sg11.badmsg: fifty thousand of them take no server down, harm no neighbour and leave nothing behind: seed %i',
    async (seed) => {
      const server = await serve({ limits: EVERY })
      const neighbour = await joined(server)
      await neighbour.client.next('peers')
      const tally = { sent: 0, reopened: 0 }
      await saySignals({ url: server.url, origin: ORIGIN, key: KEY, seed }, Array(50_000).keys(), tally)
      neighbour.client.send({ type: 'join', swarm: OTHER_SWARM, role: 'seed' })
      await neighbour.client.next('peers')
      await neighbour.client.close()
      await until(() => server.counts().connections === 0)
      expect(server.counts()).toMatchObject({ connections: 0, sessions: 0, rooms: 0, seats: 0 })
      expect(tally.sent).toBe(50_000)
      const metrics = await (await fetch(server.metricsUrl ?? '')).text()
      expect(metrics).toContain('sealift_signaling_faults_total 0\n')
      // Both happen, or nothing was tried.
      expect(Number(/messages_refused_total\{reason="bad-message"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(10_000)
      expect(Number(/messages_total\{type="sig"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(1000)
    },
    120_000,
  )

  test('as the very first message end the connection and nothing else', async () => {
    const server = await serve({ limits: EVERY })
    for (const text of NEVER_MESSAGES) {
      const client = await connect(server.url)
      client.sendText(text)
      expect((await client.closed).code).toBe(Buffer.byteLength(text) > 16_384 ? 1009 : 4400)
    }
    await until(() => server.counts().connections === 0)
    expect(server.counts().sessions).toBe(0)
  })

  test('sg10.fuzz: that are no UTF-8, or broken frames, end the connection and nothing else', async () => {
    const server = await serve()
    const raw: Buffer[] = [
      Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
      Buffer.from([0x89, 0xfe, 0xff, 0xff, 0, 0, 0, 0]),
    ]
    for (const bytes of raw) {
      const { client } = await enter(server)
      Reflect.get(client.socket, '_socket').write(bytes)
      expect((await client.closed).code).toBeGreaterThanOrEqual(1002)
    }
    await until(() => server.counts().connections === 0)
    expect(server.counts().sessions).toBe(0)
  })
})

describe('what the server counts', () => {
  test('sg10.leak: is zero again after any sequence of arrivals, joins, takeovers and departures', async () => {
    const clock = createManualClock(Date.now())
    const server = await serve({ clock, limits: { ...EVERY, upgradesPerSecond: 1e9, roomPeers: 3 } })
    const step = fc.record({
      act: fc.constantFrom('enter', 'join', 'leave', 'resume', 'bye', 'terminate', 'junk'),
      who: fc.nat(5),
      where: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const members: Awaited<ReturnType<typeof enter>>[] = []
        for (const { act, who, where } of steps) {
          const member = members[who % Math.max(1, members.length)]
          const swarm = where ? SWARM : OTHER_SWARM
          if (act === 'enter' || member === undefined) members.push(await enter(server))
          else if (member.client.socket.readyState !== member.client.socket.OPEN) continue
          else if (act === 'join') member.client.send({ type: 'join', swarm, role: 'leech' })
          else if (act === 'leave') member.client.send({ type: 'leave', swarm })
          else if (act === 'bye') member.client.send({ type: 'bye' })
          else if (act === 'terminate') member.client.socket.terminate()
          else if (act === 'resume') members.push(await enter(server, { resume: member.welcome.resume }))
          else member.client.sendText('{"type":"scrape"}')
        }
        for (const { client } of members) client.socket.terminate()
        await until(() => server.counts().connections === 0)
        await clock.advance(1000)
        expect(server.counts()).toEqual({ connections: 0, sessions: 0, rooms: 0, seats: 0, addresses: 0, neighbours: 0, guests: 0 })
      }),
      { numRuns: 40 },
    )
  })

  test('never lets a message reach anybody who is not in the room it names', () => {
    const act = fc.record({
      kind: fc.constantFrom('join', 'leave', 'relay', 'gone', 'turn'),
      who: fc.nat(4),
      other: fc.nat(4),
      where: fc.nat(1),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const swarms = [SWARM, OTHER_SWARM]
        const rooms = createRooms({ ...SIGNALING_LIMITS, roomPeers: 3, chosenPeers: 2 }, Math.random)
        const seated = new Set<string>()
        const people = Array.from({ length: 5 }, (_, i): Member => {
          const id = toPeerId(`peer-000${i}`)
          const send = (signal: ServerSignal): void => {
            if (signal.type === 'sig') expect(seated).toContain(`${i} ${signal.swarm}`)
          }
          return { id, scope: 'one', addressKey: `203.0.113.${i}`, lanKey: '', send }
        })
        for (const { kind, who, other, where } of acts) {
          const [member, swarm, target] = [people[who], swarms[where], people[other]]
          if (member === undefined || swarm === undefined || target === undefined) continue
          const seat = `${who} ${swarm}`
          if (kind === 'join' && rooms.join(member, swarm, 'leech') === undefined) seated.add(seat)
          else if (kind === 'leave') {
            rooms.leave(member, swarm)
            seated.delete(seat)
          } else if (kind === 'gone') {
            rooms.leaveAll(member)
            for (const each of swarms) seated.delete(`${who} ${each}`)
          } else if (kind === 'relay') {
            const refusal = rooms.relay(member, target.id, { type: 'sig', swarm, sid: '1', from: member.id, kind: 'end' })
            expect(refusal === undefined).toBe(seated.has(seat))
          } else if (kind === 'turn' && seated.has(seat)) expect(rooms.join(member, swarm, 'seed')).toBeUndefined()
          expect(rooms.seatCount).toBe(seated.size)
        }
        for (const person of people) rooms.leaveAll(person)
        expect(rooms.roomCount).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})

test('a fault of our own ends one connection, is counted, and is told to the log', async () => {
  const events: string[] = []
  const server = await serve({
    log: (event) => events.push(event),
    random: () => {
      throw new Error('no chance')
    },
  })
  const first = await enter(server)
  first.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
  await first.client.next('peers')
  const second = await enter(server)
  second.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
  expect(await second.client.closed).toMatchObject({ code: 1011 })
  expect(events).toContain('fault')
  const third = await connect(server.url)
  third.send(hello({ ticket: ticket() }))
  await third.next('welcome')
})
