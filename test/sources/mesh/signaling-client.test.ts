import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/limits.ts'
import { toPeerId, toSwarmId } from '../../../src/core/model/ids.ts'
import { encodeServerSignal } from '../../../src/core/wire/signal-encoding.ts'
import { parseClientSignal, type HelloSignal, type ServerSignal } from '../../../src/core/wire/signal-message.ts'
import {
  HEARD,
  startSignalingClient,
  type SignalingClient,
  type SignalingClientOptions,
} from '../../../src/sources/mesh/signaling-client.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'
import { credentialOf } from '../../../src/core/wire/ticket.ts'
import { ticket } from './site.ts'

const TOKEN = `eyJ2IjoxfQ.${'A'.repeat(43)}`
const FRESH = `eyJ2IjoxfQ.${'B'.repeat(43)}`
const NOW_SECONDS = 1_790_000_000

/** The client's end of a connection that lives in memory. */
class MemorySocket extends EventTarget {
  static made: MemorySocket[] = []
  readonly sent: string[] = []
  isClosed = false
  readonly url: string

  constructor(url: string) {
    super()
    this.url = url
    MemorySocket.made.push(this)
    setImmediate(() => this.dispatchEvent(new Event('open')))
  }

  send(text: string): void {
    this.sent.push(text)
  }

  close(): void {
    this.isClosed = true
    this.dispatchEvent(new Event('close'))
  }

  say(signal: ServerSignal): void {
    this.dispatchEvent(new MessageEvent('message', { data: encodeServerSignal(signal) }))
  }

  hellos(): readonly HelloSignal[] {
    return this.sent.map(parseClientSignal).filter((signal) => signal.type === 'hello')
  }
}

const stops: AbortController[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
  MemorySocket.made = []
})

function start(clock: VirtualClock, more: Partial<SignalingClientOptions> = {}): SignalingClient {
  const stop = new AbortController()
  stops.push(stop)
  return startSignalingClient(
    {
      url: 'wss://signal.example',
      ticket: ticket(),
      WebSocket: MemorySocket as unknown as typeof WebSocket,
      clock,
      random: () => 0,
      onSignal: () => undefined,
      ...more,
    },
    stop.signal,
  )
}

function socket(): MemorySocket {
  const newest = MemorySocket.made.at(-1)
  if (newest === undefined) throw new Error('expected a connection')
  return newest
}

async function welcome(token: string | undefined, lifetimeSeconds: number): Promise<void> {
  socket().say({
    type: 'welcome',
    id: toPeerId('peer-number-one'),
    resume: 'resume-key',
    token,
    tokenExpiresAtSeconds: NOW_SECONDS + lifetimeSeconds,
    ice: [],
    serverTime: NOW_SECONDS,
  })
  await settle()
}

/** The connection breaks, and the next one is there. */
async function reconnect(clock: VirtualClock): Promise<void> {
  const before = MemorySocket.made.length
  socket().close()
  for (let step = 0; step < 200 && MemorySocket.made.length === before; step++) await clock.advance(100)
  expect(MemorySocket.made.length).toBe(before + 1)
}

describe('what a client shows for itself', () => {
  test('first its ticket, and the session token within its life', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    expect(socket().hellos()).toMatchObject([{ token: undefined }])
    expect(socket().hellos()[0]?.ticket).toBeDefined()
    await welcome(TOKEN, 600)
    await reconnect(clock)
    expect(socket().hellos()).toMatchObject([{ token: TOKEN, ticket: undefined, resume: 'resume-key' }])
  })

  test('the ticket again once the token is nearly over', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await welcome(TOKEN, 60)
    await reconnect(clock)
    expect(socket().hellos()[0]?.token).toBeUndefined()
    expect(socket().hellos()[0]?.ticket).toBeDefined()
  })

  test('the ticket, to renew a session that the token began, and then the fresh token', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await welcome(TOKEN, 600)
    await reconnect(clock)
    await welcome(undefined, 580)
    await clock.advance(519_000)
    expect(socket().hellos()).toHaveLength(1)
    await clock.advance(2000)
    expect(socket().hellos()[1]).toMatchObject({ token: undefined })
    expect(socket().hellos()[1]?.ticket).toBeDefined()
    await welcome(FRESH, 600)
    await reconnect(clock)
    expect(socket().hellos()[0]?.token).toBe(FRESH)
  })

  test('the ticket after a token was refused', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await welcome(TOKEN, 600)
    await reconnect(clock)
    socket().say({ type: 'error', code: 'admission-refused', fatal: true, swarm: undefined })
    await reconnect(clock)
    expect(socket().hellos()[0]?.token).toBeUndefined()
    expect(socket().hellos()[0]?.ticket).toBeDefined()
  })
})

test('a client that is closed leaves nothing behind at the signal that would have closed it', async () => {
  const page = new AbortController()
  const client = startSignalingClient(
    {
      url: 'wss://signal.example',
      ticket: undefined,
      WebSocket: MemorySocket as unknown as typeof WebSocket,
      clock: createVirtualClock(),
      random: () => 0,
      onSignal: () => undefined,
    },
    page.signal,
  )
  expect(getEventListeners(page.signal, 'abort').length).toBe(1)
  client.close()
  expect(getEventListeners(page.signal, 'abort')).toEqual([])
})

const SWARM = toSwarmId('A'.repeat(43))
const OTHER = toSwarmId('B'.repeat(43))
const LEFT = { type: 'peer-left', swarm: SWARM, id: toPeerId('nobody-00') } as const
const REFUSED = { type: 'error', code: 'admission-refused', fatal: true, swarm: undefined } as const

test('a client names its rooms in its hello, on every connection, and what it joins and leaves before the welcome right behind it', async () => {
  const clock = createVirtualClock()
  const client = start(clock)
  client.join(SWARM, 'leech')
  await settle()
  client.join(OTHER, 'seed')
  client.leave(OTHER)
  await settle()
  expect(socket().sent.map(parseClientSignal)).toMatchObject([
    { type: 'hello', rooms: [{ swarm: SWARM, role: 'leech' }] },
    { type: 'join', swarm: OTHER, role: 'seed' },
    { type: 'leave', swarm: OTHER },
  ])
  await welcome(TOKEN, 600)
  expect(socket().sent).toHaveLength(3)
  await reconnect(clock)
  expect(socket().sent.map(parseClientSignal)).toMatchObject([{ type: 'hello', token: TOKEN, rooms: [{ swarm: SWARM, role: 'leech' }] }])
})

describe('a server that hangs is left', () => {
  test('after three seconds, when it says nothing to a hello', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await clock.advance(2900)
    expect(socket().isClosed).toBe(false)
    await clock.advance(200)
    expect(MemorySocket.made[0]?.isClosed).toBe(true)
  })

  test('after three seconds without any word, when it owes the peers of a room, and not while it says something', async () => {
    const clock = createVirtualClock()
    const client = start(clock)
    await settle()
    await welcome(TOKEN, 600)
    await clock.advance(60_000)
    expect(socket().isClosed).toBe(false)
    client.join(SWARM, 'leech')
    await settle()
    for (let second = 0; second < 4; second++) {
      await clock.advance(2000)
      socket().say(LEFT)
    }
    expect(MemorySocket.made).toHaveLength(1)
    await clock.advance(6000)
    expect(MemorySocket.made[0]?.isClosed).toBe(true)
    expect(MemorySocket.made.length).toBeGreaterThan(1)
  })

  test('and one that has answered owes nothing', async () => {
    const clock = createVirtualClock()
    const client = start(clock)
    await settle()
    await welcome(TOKEN, 600)
    client.join(SWARM, 'leech')
    await settle()
    socket().say({ type: 'peers', swarm: SWARM, peers: [] })
    client.join(SWARM, 'seed')
    await settle()
    socket().say({ type: 'error', code: 'room-full', fatal: false, swarm: SWARM })
    await clock.advance(60_000)
    expect(MemorySocket.made).toHaveLength(1)
  })
})

describe('a server that floods is left', () => {
  test('when more comes than all others of full rooms could say at once', async () => {
    const heard: ServerSignal[] = []
    const clock = createVirtualClock()
    const client = start(clock, { onSignal: (signal) => heard.push(signal) })
    await settle()
    await welcome(TOKEN, 600)
    for (let i = 0; i < 2000; i++) socket().say(LEFT)
    expect(heard).toHaveLength(HEARD.burst)
    expect(socket().isClosed).toBe(true)
    expect(client.state.failure).toEqual({ code: 'signal-invalid', path: '$', detail: 'too many messages' })
  })

  test('not when it goes on at fifty messages a second', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await welcome(TOKEN, 600)
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < HEARD.perSecond; i++) socket().say(LEFT)
      await clock.advance(1000)
    }
    expect(MemorySocket.made).toHaveLength(1)
  })

  test('after one message that is too long, and nothing more of it is read', async () => {
    const clock = createVirtualClock()
    start(clock)
    await settle()
    await welcome(TOKEN, 600)
    socket().dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ ...LEFT, more: 'x'.repeat(LIMITS.signalBytes) }) }))
    expect(socket().isClosed).toBe(true)
  })
})

describe('a client whose ticket is refused', () => {
  test('gets a fresh one, and comes back with it', async () => {
    const [clock, fresh] = [createVirtualClock(), ticket()]
    let asked = 0
    start(clock, {
      async freshTicket() {
        asked++
        return fresh
      },
    })
    await settle()
    socket().say(REFUSED)
    await reconnect(clock)
    expect(socket().hellos()[0]?.ticket).toBe(credentialOf(fresh))
    expect(asked).toBe(1)
  })

  test.each([
    ['there is no fresh one', async () => undefined, 1],
    ['the fresh one is refused too', async () => ticket(), 2],
  ])('stays away for ten minutes when %s, and asks for it once', async (_, freshTicket, visits) => {
    const clock = createVirtualClock()
    let asked = 0
    start(clock, { freshTicket: () => (asked++, freshTicket()) })
    for (let visit = 0; visit < visits; visit++) {
      await settle()
      socket().say(REFUSED)
      socket().close()
      await clock.advance(1000)
    }
    await clock.advance(590_000)
    expect([MemorySocket.made.length, asked]).toEqual([visits, 1])
    await clock.advance(20_000)
    expect(MemorySocket.made.length).toBeGreaterThan(visits)
  })

  test('comes back with what it has where nobody gives another', async () => {
    const clock = createVirtualClock()
    start(clock)
    for (let visit = 0; visit < 3; visit++) {
      await settle()
      socket().say(REFUSED)
      await reconnect(clock)
    }
    expect(MemorySocket.made).toHaveLength(4)
  })
})
