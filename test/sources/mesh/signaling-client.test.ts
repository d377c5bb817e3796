import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { toPeerId } from '../../../src/core/model/ids.ts'
import { encodeServerSignal, parseClientSignal, type HelloSignal, type ServerSignal } from '../../../src/core/wire/signal-message.ts'
import { startSignalingClient } from '../../../src/sources/mesh/signaling-client.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'
import { ticket } from './site.ts'

const TOKEN = `eyJ2IjoxfQ.${'A'.repeat(43)}`
const FRESH = `eyJ2IjoxfQ.${'B'.repeat(43)}`
const NOW_SECONDS = 1_790_000_000

/** The client's end of a connection that lives in memory. */
class MemorySocket extends EventTarget {
  static made: MemorySocket[] = []
  readonly sent: string[] = []
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

function start(clock: VirtualClock): void {
  const stop = new AbortController()
  stops.push(stop)
  startSignalingClient(
    {
      url: 'wss://signal.example',
      ticket: ticket(),
      WebSocket: MemorySocket as unknown as typeof WebSocket,
      clock,
      random: () => 0,
      onSignal: () => undefined,
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
