import { once } from 'node:events'
import {
  credentialOf,
  encodeClientSignal,
  mintTicket,
  parseServerSignal,
  swarmIdOf,
  toSha256,
  type TicketKey,
  type WelcomeSignal,
} from 'sealift/protocol'
import { WebSocket } from 'ws'
import { signalTextOf, type SignalParts } from './signals-target.ts'

export interface SignalsRun {
  readonly url: string
  readonly origin: string
  readonly key: TicketKey
  readonly seed: number
}

/** What became of it, as the attackers see it. */
export interface SignalsTally {
  sent: number
  /** Connections that the server closed, and an attacker opened again. */
  reopened: number
}

const ATTACKERS = 4
/** Sent before the server is given time to read: else a queue would be measured. */
const BURST = 64
const HANG_MS = 20_000
const DAY_SECONDS = 86_400
const SWARM_KEY = new Uint8Array(32).fill(9)
const SWARMS = ['ab', 'cd'].map((byte) => swarmIdOf(SWARM_KEY, toSha256(byte.repeat(32))))

interface Attacker {
  readonly socket: WebSocket
  readonly welcome: WelcomeSignal
}

/** Says the texts to a live server, by several members in turn; whoever is put out comes back with a new ticket. */
export async function saySignals(run: SignalsRun, indices: Iterable<number>, tally: SignalsTally): Promise<void> {
  const nowSeconds = Math.floor(Date.now() / 1000)
  let serial = 0
  const ticket = (key = run.key, issuedAtSeconds = nowSeconds): string =>
    credentialOf(
      mintTicket(
        {
          site: run.origin,
          role: 'seed',
          swarmKey: SWARM_KEY,
          lifetimeSeconds: DAY_SECONDS,
          jti: `fuzz-${String(++serial).padStart(8, '0')}`,
        },
        key,
        issuedAtSeconds,
      ),
    )
  const strange = ticket({ kid: run.key.kid, secret: new Uint8Array(32).fill(1) })
  const attackers = await Promise.all(Array.from({ length: ATTACKERS }, () => enter(run, ticket())))
  let parts = partsOf(attackers, [ticket(), strange, ticket(run.key, nowSeconds - 2 * DAY_SECONDS)])
  for (const index of indices) {
    const at = tally.sent % ATTACKERS
    let attacker = attackers[at]
    if (attacker?.socket.readyState !== WebSocket.OPEN) {
      attackers[at] = attacker = await enter(run, ticket())
      tally.reopened++
      // What the one before was given is worth trying now: it is spent.
      parts = partsOf(attackers, parts.credentials.slice(-8))
    }
    attacker.socket.send(signalTextOf(parts, run.seed, index))
    if (++tally.sent % BURST === 0) await readBy(attacker.socket)
  }
  for (const { socket } of attackers) {
    if (socket.readyState === WebSocket.CLOSED) continue
    const closed = once(socket, 'close')
    socket.close()
    await closed
  }
}

function partsOf(attackers: readonly Attacker[], credentials: readonly string[]): SignalParts {
  const welcomes = attackers.map(({ welcome }) => welcome)
  return {
    swarms: SWARMS,
    peers: [...welcomes.map(({ id }) => id), 'nobody-00'],
    credentials: [...credentials, ...welcomes.flatMap(({ token }) => token ?? [])],
    resumes: ['x', ...welcomes.map(({ resume }) => resume)],
  }
}

async function enter({ url, origin }: SignalsRun, ticket: string): Promise<Attacker> {
  const socket = new WebSocket(url, { origin, perMessageDeflate: false })
  // Its closing follows.
  socket.on('error', () => {})
  await once(socket, 'open')
  socket.send(encodeClientSignal({ type: 'hello', v: 1, token: undefined, ticket, resume: undefined, rooms: [] }))
  const gone = once(socket, 'close').then(([code]) => Promise.reject(new Error(`an honest member was put out with ${code}`)))
  const [data] = await Promise.race([once(socket, 'message'), gone])
  // Later it may well be put out, for what it says.
  gone.catch(() => {})
  const welcome = parseServerSignal(String(data))
  if (welcome.type !== 'welcome') throw new Error(`expected a welcome, got ${welcome.type}`)
  for (const swarm of SWARMS) socket.send(encodeClientSignal({ type: 'join', swarm, role: 'leech' }))
  return { socket, welcome }
}

/** Until the system has taken what was sent, so that the server can read. */
async function readBy(socket: WebSocket): Promise<void> {
  const endMs = performance.now() + HANG_MS
  do await new Promise((resolve) => setImmediate(resolve))
  while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > 0 && performance.now() < endMs)
  if (performance.now() >= endMs) throw new Error(`the server has read nothing for ${HANG_MS} ms`)
}
