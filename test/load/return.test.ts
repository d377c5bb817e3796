import { afterEach, expect, test } from 'vitest'
import type { SignalingClient } from '../../src/sources/mesh/signaling-client.ts'
import { ORIGIN } from '../signaling/client.ts'
import { serve, until } from '../signaling/members.ts'
import { Crowd } from './crowd.ts'
import type { LoadPlan } from './plan.ts'
import { startReturningClient } from './returning-client.ts'

const OPEN = { admission: { kind: 'open' } } as const
const MANY = { connectionsPerAddress: 1000, upgradeBurst: 10_000 } as const
const planFor = (url: string): LoadPlan => ({
  url,
  dialect: 'sealift',
  origin: ORIGIN,
  roomSize: 8,
  sdpBytes: 1500,
  key: undefined,
})

const running: SignalingClient[] = []
afterEach(() => {
  for (const client of running.splice(0)) client.close()
})

test('three hundred sockets are all told before a server goes, and none is left', async () => {
  const server = await serve({ ...OPEN, limits: MANY })
  const crowd = new Crowd(planFor(server.url))
  await crowd.open({ from: 0, end: 300 })
  expect(server.counts().seats).toBe(300)
  await server.close()
  await until(() => crowd.tally().open === 0)
  expect(crowd.tally()).toMatchObject({ lost: 300, told: 300, failed: 0 })
  expect(server.counts()).toMatchObject({ connections: 0, sessions: 0, rooms: 0, seats: 0 })
})

test.each(['drain', 'crash'] as const)('forty clients are back in their rooms after a %s, and meet one who comes late', async (how) => {
  const limits = { ...MANY, drainSpreadMs: 1000 }
  const first = await serve({ ...OPEN, limits })
  const clients = Array.from({ length: 40 }, (_, i) => startReturningClient({ url: first.url, origin: ORIGIN, room: Math.floor(i / 8) }))
  running.push(...clients)
  await until(() => first.counts().seats === 40)
  await (how === 'drain' ? first.close() : first.kill())
  const second = await serve({ ...OPEN, port: first.port, limits })
  await until(() => second.counts().seats === 40 && clients.every(({ state }) => state.isOnline))
  const late = new Crowd(planFor(second.url))
  await late.open({ from: 0, end: 1 })
  await late.offer({ from: 0, end: 1 })
  expect(late.tally()).toMatchObject({ joined: 1, answered: 1, failed: 0 })
  await late.close()
})
