import { afterEach } from 'vitest'
import {
  mintTicket,
  toSha256,
  swarmIdOf,
  type HelloSignal,
  type NewTicket,
  type PeerRole,
  type SwarmId,
  type TicketKey,
  type WelcomeSignal,
} from 'sealift/protocol'
import { startSignaling, type SignalingOptions, type SignalingServer } from '../../signaling/server.ts'
import { connect, ORIGIN, type TestClient } from './client.ts'

export const KEY: TicketKey = { kid: '2026-a', secret: new Uint8Array(32).fill(7) }
export const SWARM_KEY = new Uint8Array(32).fill(9)
export const SWARM: SwarmId = swarmIdOf(SWARM_KEY, toSha256('ab'.repeat(32)))
export const OTHER_SWARM: SwarmId = swarmIdOf(SWARM_KEY, toSha256('cd'.repeat(32)))

let serial = 0

/** A ticket good for a day from now, unless told otherwise. */
export function ticket(changes: Partial<NewTicket> & { readonly key?: TicketKey; readonly nowSeconds?: number } = {}): string {
  const { key = KEY, nowSeconds = Math.floor(Date.now() / 1000), ...rest } = changes
  return mintTicket(
    {
      site: ORIGIN,
      role: 'seed',
      swarmKey: SWARM_KEY,
      lifetimeSeconds: 86_400,
      jti: `ticket-${String(++serial).padStart(6, '0')}`,
      ...rest,
    },
    key,
    nowSeconds,
  )
}

export function hello(changes: Partial<HelloSignal> = {}): HelloSignal {
  return { type: 'hello', v: 1, token: undefined, ticket: undefined, resume: undefined, rooms: [], ...changes }
}

const running: SignalingServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill()))
})

/** A server that is gone when the test ends. */
export async function serve(changes: Partial<SignalingOptions> = {}): Promise<SignalingServer> {
  const server = await startSignaling({
    admission: { kind: 'ticket', keys: [KEY] },
    origins: [ORIGIN],
    ...changes,
  })
  running.push(server)
  return server
}

export interface Member {
  readonly client: TestClient
  readonly welcome: WelcomeSignal
}

/** Connects and says hello with a fresh ticket. */
export async function enter(
  server: SignalingServer,
  changes: Partial<HelloSignal> = {},
  headers: Record<string, string> = {},
): Promise<Member> {
  const client = await connect(server.url, { headers })
  client.send(hello({ ticket: ticket(), ...changes }))
  return { client, welcome: await client.next('welcome') }
}

/** Enters, and joins a swarm. */
export async function joined(server: SignalingServer, role: PeerRole = 'leech', headers: Record<string, string> = {}): Promise<Member> {
  const member = await enter(server, {}, headers)
  member.client.send({ type: 'join', swarm: SWARM, role })
  return member
}

/** Resolves once the server's counts satisfy the condition. Asks between turns of the event loop; the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
