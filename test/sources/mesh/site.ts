import { afterEach } from 'vitest'
import { mintTicket, type TicketKey } from '../../../src/core/wire/ticket.ts'
import { startSignaling, type SignalingOptions, type SignalingServer } from '../../../signaling/server.ts'

export const ORIGIN = 'https://portal.example'
export const KEY: TicketKey = { kid: 'mesh', secret: new Uint8Array(32).fill(7) }
const SWARM_KEY = new Uint8Array(32).fill(9)

let serial = 0

/** A member's ticket, good for an hour. */
export function ticket(changes: { readonly key?: TicketKey } = {}): string {
  const jti = `mesh-ticket-${++serial}`
  const member = { site: ORIGIN, role: 'seed', swarmKey: SWARM_KEY, lifetimeSeconds: 3600, jti } as const
  return mintTicket(member, changes.key ?? KEY, Math.floor(Date.now() / 1000))
}

const running: SignalingServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.kill()))
})

/** A signaling server that is gone when the test ends. */
export async function serve(changes: Partial<SignalingOptions> = {}): Promise<SignalingServer> {
  const server = await startSignaling({ admission: { kind: 'ticket', keys: [KEY] }, origins: [ORIGIN], ...changes })
  running.push(server)
  return server
}
