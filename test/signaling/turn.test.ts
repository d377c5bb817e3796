import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { toPeerId, type IceServer } from 'sealift/protocol'
import { createIce } from '../../signaling/turn.ts'
import { signalingOptionsFromEnv } from '../../signaling/main.ts'
import { startSignaling } from '../../signaling/server.ts'
import { createManualClock } from './manual-clock.ts'
import { enter, hello, KEY, serve, ticket } from './members.ts'
import { ORIGIN } from './client.ts'

const SECRET = 'a secret that two servers share'
const TURN = { urls: ['turn:192.0.2.1:3478', 'turns:turn.example:5349'], secret: SECRET } as const
const STUN: IceServer = { urls: 'stun:192.0.2.1:3478', username: undefined, credential: undefined }
const NOW = Math.floor(Date.now() / 1000)

/** What coturn does with a name under `use-auth-secret`: `turnserver(1)`, TURN REST API. */
function isTaken({ username = '', credential }: IceServer, nowSeconds: number): boolean {
  const [expiry] = username.split(':')
  return Number(expiry) > nowSeconds && credential === createHmac('sha1', SECRET).update(username).digest('base64')
}

test('sg12.turn-cred: every welcome brings credentials of its own that end when they say, and the relay can check them', async () => {
  const clock = createManualClock(NOW * 1000)
  const server = await serve({ clock, ice: [STUN], turn: { ...TURN, lifetimeSeconds: 600 } })
  const [one, other] = [await enter(server), await enter(server)]
  const [stun, ...relays] = one.welcome.ice
  expect(stun).toEqual(STUN)
  expect(relays.map(({ urls }) => urls)).toEqual(TURN.urls)
  for (const relay of relays) {
    expect(relay.username).toBe(`${NOW + 600}:${one.welcome.id}`)
    expect([isTaken(relay, NOW), isTaken(relay, NOW + 599), isTaken(relay, NOW + 600)]).toEqual([true, true, false])
    expect(isTaken({ ...relay, username: `${NOW + 86_400}:${one.welcome.id}` }, NOW)).toBe(false)
  }
  expect(other.welcome.ice[1]?.credential).not.toBe(relays[0]?.credential)
  // A client shows its ticket again before its session ends, and so gets the next ones before these are over.
  await clock.advance(540_000)
  one.client.send(hello({ ticket: ticket() }))
  expect((await one.client.next('welcome')).ice[1]?.username).toBe(`${NOW + 1140}:${one.welcome.id}`)
  expect(JSON.stringify(other.welcome)).not.toContain(SECRET)
})

test('sg12.turn-cred: the recipe is that of the TURN REST API', () => {
  const [relay] = createIce([], { ...TURN })(toPeerId('k3vQ0aWm1ZpTn8Lx'), 1_790_000_000)
  // printf '1790003600:k3vQ0aWm1ZpTn8Lx' | openssl dgst -sha1 -hmac 'a secret that two servers share' -binary | base64
  expect(relay).toEqual({ urls: TURN.urls[0], username: '1790003600:k3vQ0aWm1ZpTn8Lx', credential: 'Y1GxyDm0sH3mnmxaQWz2LZBhqIo=' })
})

describe('a TURN server', () => {
  const P = 'SEALIFT_SIGNALING_'
  const env = { [`${P}ORIGINS`]: ORIGIN, [`${P}KEYS`]: `a:${Buffer.alloc(32, 3).toString('base64url')}` }

  test('comes from the environment', () => {
    const turn = { [`${P}TURN_URLS`]: TURN.urls.join(', '), [`${P}TURN_SECRET`]: SECRET, [`${P}TURN_LIFETIME`]: '600' }
    expect(signalingOptionsFromEnv({ ...env, ...turn }).turn).toEqual({ ...TURN, lifetimeSeconds: 600 })
    expect(signalingOptionsFromEnv(env).turn).toBeUndefined()
  })

  test.each([
    ['TURN_URLS', { TURN_URLS: 'turn:192.0.2.1' }],
    ['TURN_SECRET', { TURN_SECRET: SECRET }],
    ['TURN_URLS', { TURN_URLS: 'stun:192.0.2.1', TURN_SECRET: SECRET }],
    ['TURN_LIFETIME', { TURN_URLS: 'turn:192.0.2.1', TURN_SECRET: SECRET, TURN_LIFETIME: 'long' }],
  ])('is refused by name (%s) when half of it is missing or it is wrong, and no secret is quoted', (name, values) => {
    const named = Object.fromEntries(Object.entries(values).map(([key, value]) => [P + key, value]))
    const run = () => signalingOptionsFromEnv({ ...env, ...named })
    expect(run).toThrow(new RegExp(P + name))
    expect(run).not.toThrow(SECRET)
  })

  test.each([{ secret: 'short' }, { lifetimeSeconds: 0 }, { lifetimeSeconds: 86_401 }])('with %o is found at the start', async (wrong) => {
    const options = { admission: { kind: 'ticket', keys: [KEY] }, origins: [ORIGIN], turn: { ...TURN, ...wrong } } as const
    await expect(startSignaling(options)).rejects.toThrow(RangeError)
  })
})
