import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { ClientSignal } from 'sealift/protocol'
import { createNewsRound } from '../../signaling/news.ts'
import { createRandomKeys } from '../../signaling/random-keys.ts'
import { createManualClock } from './manual-clock.ts'
import { enter, joined, serve, SWARM, until } from './members.ts'

const LIMITS = { newsDelayMs: 1000 }

test('who joins is told of at once to nobody, and to all within a second', async () => {
  const clock = createManualClock(Date.now())
  const server = await serve({ clock, limits: LIMITS })
  const first = await joined(server)
  await first.client.next('peers')
  const others = [await joined(server), await joined(server), await joined(server)]
  for (const { client } of others) await client.next('peers')
  await clock.advance(999)
  expect(first.client.pending()).toEqual([])
  const arrived = once(first.client.socket, 'message')
  await clock.advance(1)
  await arrived
  await until(() => first.client.pending().length === 3)
  expect(first.client.pending().map((signal) => signal.type === 'peer-joined' && signal.peer.id)).toEqual(
    others.map(({ welcome }) => welcome.id),
  )
  // And so again, with the next.
  const last = await joined(server)
  await last.client.next('peers')
  await clock.advance(1000)
  await until(() => first.client.pending().length === 4)
})

test('what waits comes before whatever else is said to the same peer', async () => {
  const server = await serve({ clock: createManualClock(Date.now()), limits: LIMITS })
  const first = await joined(server)
  await first.client.next('peers')
  const { client, welcome } = await joined(server)
  await client.next('peers')
  const offer: ClientSignal = { type: 'sig', swarm: SWARM, sid: '1', to: first.welcome.id, kind: 'end' }
  client.send(offer)
  expect(await first.client.take()).toMatchObject({ type: 'peer-joined', peer: { id: welcome.id } })
  expect(await first.client.take()).toMatchObject({ type: 'sig', from: welcome.id })
})

test('what waits counts as queued, and is dropped beyond that', async () => {
  const server = await serve({ clock: createManualClock(Date.now()), limits: { ...LIMITS, queuedBytes: 600 } })
  const first = await joined(server)
  await first.client.next('peers')
  for (let i = 0; i < 6; i++) await (await joined(server)).client.next('peers')
  const text = await (await fetch(server.metricsUrl ?? '')).text()
  expect(Number(/dropped_total (\d+)/.exec(text)?.[1])).toBeGreaterThan(0)
})

test('nobody is told what waited for one who is gone', async () => {
  const clock = createManualClock(Date.now())
  const server = await serve({ clock, limits: LIMITS })
  const first = await joined(server)
  await first.client.next('peers')
  await (await joined(server)).client.next('peers')
  first.client.send({ type: 'bye' })
  await first.client.closed
  await clock.advance(1000)
  expect(first.client.pending()).toEqual([])
  await enter(server)
})

test('one timer runs, however often the same one is told of somebody', async () => {
  const clock = createManualClock(0)
  let sleeps = 0
  const told: string[] = []
  const counting = { ...clock, sleep: (ms: number, signal: AbortSignal) => (sleeps++, clock.sleep(ms, signal)) }
  const round = createNewsRound(counting, 1000, new AbortController().signal)
  const one = { deliverNews: () => told.push('one') }
  const other = { deliverNews: () => told.push('other') }
  for (let i = 0; i < 20; i++) round.expect(one)
  round.expect(other)
  expect(sleeps).toBe(1)
  await clock.advance(1000)
  expect(told).toEqual(['one', 'other'])
  round.expect(one)
  expect(sleeps).toBe(2)
})

test('keys are as long as asked for, all different, and never made of the same bytes', () => {
  const next = createRandomKeys()
  const keys = Array.from({ length: 2000 }, (_, i) => next(i % 2 === 0 ? 12 : 24))
  expect(new Set(keys).size).toBe(2000)
  for (const [i, key] of keys.entries()) expect(key).toMatch(i % 2 === 0 ? /^[\w-]{16}$/ : /^[\w-]{32}$/)
  expect(keys.filter((key) => key.includes('AAAAAAAA'))).toEqual([])
  expect(() => next(4097)).toThrow(RangeError)
})
