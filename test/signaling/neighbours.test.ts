import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PeerRole } from 'sealift/protocol'
import type { Bus } from '../../signaling/bus.ts'
import { createRedisBus } from '../../signaling/redis-bus.ts'
import { startSignaling, type SignalingOptions, type SignalingServer } from '../../signaling/server.ts'
import { ORIGIN } from './client.ts'
import { joined, KEY, SWARM, until, type Member } from './members.ts'
import { startRedis, type TestRedis } from './redis.ts'

const OFFER = { kind: 'offer', sdp: { type: 'offer', sdp: 'v=0\r\n' } } as const
/** A process that died is noticed, and rooms that were apart are whole again, within this. */
const LEFT_MS = 5000
const WHOLE_MS = 10_000

let redis: TestRedis
let prefix = 0
const running: SignalingServer[] = []

beforeAll(async () => {
  redis = await startRedis()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill()))
})
afterAll(() => redis.kill())

async function busOf(name: string): Promise<Bus> {
  return await createRedisBus({ url: redis.url, prefix: name })
}

/** Processes of one deployment that hear each other. */
async function serveTogether(count: number, changes: Partial<SignalingOptions> = {}): Promise<readonly SignalingServer[]> {
  const name = `test-${++prefix}`
  const servers: SignalingServer[] = []
  for (let at = 0; at < count; at++) {
    servers.push(
      await startSignaling({ admission: { kind: 'ticket', keys: [KEY] }, origins: [ORIGIN], bus: await busOf(name), ...changes }),
    )
  }
  running.push(...servers)
  await until(() => servers.every((server) => server.counts().neighbours === count - 1))
  return servers
}

async function pair(): Promise<readonly [SignalingServer, SignalingServer]> {
  const [here, there] = await serveTogether(2)
  if (here === undefined || there === undefined) throw new Error('expected two')
  return [here, there]
}

/** Until one of the two was told of the other. */
async function untilTold(one: Member, other: Member): Promise<void> {
  const isNamed = ({ client }: Member, { welcome }: Member): boolean =>
    client.pending().some((said) => said.type === 'peers' && said.peers.some(({ id }) => id === welcome.id))
  await until(() => isNamed(one, other) || isNamed(other, one))
}

describe('two processes', () => {
  test('share a room: a newcomer is told of members of the other, and signals pass both ways', async () => {
    const [here, there] = await pair()
    const seed = await joined(here, 'seed')
    await until(() => there.counts().guests === 1)
    const leech = await joined(there)
    expect((await leech.client.next('peers')).peers).toEqual([{ id: seed.welcome.id, role: 'seed', lan: true }])
    const head = { type: 'sig', swarm: SWARM, sid: 'try-1' } as const
    leech.client.send({ ...head, to: seed.welcome.id, ...OFFER })
    expect(await seed.client.next('sig')).toEqual({ ...head, from: leech.welcome.id, ...OFFER })
    seed.client.send({ ...head, to: leech.welcome.id, kind: 'answer', sdp: { type: 'answer', sdp: 'v=0\r\n' } })
    expect(await leech.client.next('sig')).toMatchObject({ from: seed.welcome.id, kind: 'answer' })
  })

  test('tell of who leaves, once, and of who takes another role', async () => {
    const [here, there] = await pair()
    const stays = await joined(here)
    await until(() => there.counts().guests === 1)
    const goes = await joined(there)
    goes.client.send({ type: 'join', swarm: SWARM, role: 'seed' })
    for (let answers = 0; answers < 2; answers++) await goes.client.next('peers')
    // Asked again until the other process has heard, and no faster than it answers.
    const roleOfOther = async (): Promise<PeerRole | undefined> => {
      stays.client.send({ type: 'join', swarm: SWARM, role: 'leech' })
      return (await stays.client.next('peers')).peers[0]?.role
    }
    await expect.poll(roleOfOther, { interval: 100, timeout: 10_000 }).toBe('seed')
    await goes.client.close()
    expect((await stays.client.next('peer-left')).id).toBe(goes.welcome.id)
    await until(() => here.counts().guests === 0)
    expect(stays.client.pending()).toEqual([])
  })

  test('one that comes later learns who is there', async () => {
    const name = `test-${++prefix}`
    const start = async (): Promise<SignalingServer> =>
      await startSignaling({ admission: { kind: 'ticket', keys: [KEY] }, origins: [ORIGIN], bus: await busOf(name) })
    const early = await start()
    running.push(early)
    const members = [await joined(early), await joined(early), await joined(early)]
    for (const { client } of members) await client.next('peers')
    const late = await start()
    running.push(late)
    await until(() => late.counts().guests === 3)
    const newcomer = await joined(late)
    expect((await newcomer.client.next('peers')).peers).toHaveLength(3)
  })

  test('one that is drained says so, and its members are told of as gone at once', async () => {
    const [here, there] = await pair()
    const stays = await joined(here)
    await until(() => there.counts().guests === 1)
    const goes = await joined(there)
    await goes.client.next('peers')
    await until(() => here.counts().guests === 1)
    await there.close()
    expect((await stays.client.next('peer-left')).id).toBe(goes.welcome.id)
    expect(here.counts()).toMatchObject({ neighbours: 0, guests: 0 })
  })

  test('one that dies leaves no ghosts: its members are told of as gone within five seconds', async () => {
    const [here, there] = await pair()
    const stays = await joined(here)
    await until(() => there.counts().guests === 1)
    const goes = await joined(there)
    await goes.client.next('peers')
    await until(() => here.counts().guests === 1)
    const diedAtMs = performance.now()
    await there.kill()
    expect((await stays.client.next('peer-left')).id).toBe(goes.welcome.id)
    expect(performance.now() - diedAtMs).toBeLessThan(LEFT_MS)
    expect(here.counts()).toMatchObject({ neighbours: 0, guests: 0, seats: 1 })
  })

  test('deployments with another prefix share nothing', async () => {
    const [here] = await serveTogether(1)
    const [elsewhere] = await serveTogether(1)
    if (here === undefined || elsewhere === undefined) throw new Error('expected one each')
    const own = await joined(here)
    await own.client.next('peers')
    const other = await joined(elsewhere)
    expect((await other.client.next('peers')).peers).toEqual([])
    expect(here.counts()).toMatchObject({ neighbours: 0, guests: 0 })
  })
})

test('without the package that speaks to Redis, it says how to install it', async () => {
  const failure = { code: 'tool-missing', tool: '@redis/client 6.3.1' }
  await expect(createRedisBus({ url: redis.url }, () => Promise.reject(new Error('Cannot find package')))).rejects.toMatchObject({
    failure,
  })
})

describe('without Redis', () => {
  test.each([
    ['that is killed', () => redis.kill(), () => redis.start()],
    ['that answers nothing', () => redis.freeze(), () => redis.thaw()],
  ])(
    'each process goes on alone, and rooms are whole again within ten seconds: one %s',
    async (_how, lose, restore) => {
      const [here, there] = await pair()
      const before = await joined(here)
      await before.client.next('peers')
      await until(() => there.counts().guests === 1)
      await lose()
      await until(() => here.counts().neighbours === 0 && there.counts().neighbours === 0)
      const near = await joined(here)
      expect((await near.client.next('peers')).peers.map(({ id }) => id)).toEqual([before.welcome.id])
      const far = await joined(there)
      expect((await far.client.next('peers')).peers).toEqual([])
      await restore()
      const restoredAtMs = performance.now()
      for (const member of [before, near]) await untilTold(far, member)
      expect(performance.now() - restoredAtMs).toBeLessThan(WHOLE_MS)
      far.client.send({ type: 'sig', swarm: SWARM, sid: 'try-1', to: near.welcome.id, ...OFFER })
      expect((await near.client.next('sig')).from).toBe(far.welcome.id)
    },
    30_000,
  )

  test('that answers and says no, as while it loads, processes find each other once it says yes', async () => {
    expect(await redis.say('ACL SETUSER default -set')).toBe('+OK')
    const name = `test-${++prefix}`
    let refused = 0
    const start = async (): Promise<SignalingServer> =>
      await startSignaling({
        admission: { kind: 'ticket', keys: [KEY] },
        origins: [ORIGIN],
        bus: await busOf(name),
        log: (event) => void (event === 'bus-offline' && refused++),
      })
    const [here, there] = [await start(), await start()]
    running.push(here, there)
    await until(() => refused >= 2)
    expect(await redis.say('ACL SETUSER default +set')).toBe('+OK')
    await until(() => here.counts().neighbours === 1 && there.counts().neighbours === 1)
  })

  test('a process starts, and finds the others once it is there', async () => {
    await redis.kill()
    const name = `test-${++prefix}`
    const start = async (): Promise<SignalingServer> =>
      await startSignaling({ admission: { kind: 'ticket', keys: [KEY] }, origins: [ORIGIN], bus: await busOf(name) })
    const [here, there] = [await start(), await start()]
    running.push(here, there)
    const one = await joined(here)
    expect((await one.client.next('peers')).peers).toEqual([])
    const other = await joined(there)
    expect((await other.client.next('peers')).peers).toEqual([])
    await redis.start()
    await untilTold(one, other)
    expect(here.counts().guests).toBe(1)
  }, 30_000)
})
