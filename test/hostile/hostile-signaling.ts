import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { startSignaling } from '../../signaling/server.ts'
import type { TicketKey } from '../../src/core/wire/ticket.ts'
import { lie } from './lying-server.ts'

/** What the tickets of test sites are signed with. */
export const TICKET_KEY: TicketKey = { kid: 'test', secret: new Uint8Array(32).fill(5) }

/** Every way in which a signaling server of a test behaves, towards whoever comes from now on unless said otherwise. */
export type SignalingManner =
  | { readonly kind: 'honest' }
  /** Takes so long over each message of a client. */
  | { readonly kind: 'slow'; readonly messageMs: number }
  /** Takes connections, and says nothing. */
  | { readonly kind: 'mute' }
  /** Lets everybody in, and names peers who are dead, or who answer with what is not theirs. */
  | { readonly kind: 'lies' }
  /** Goes on and on, once it has let somebody in. */
  | { readonly kind: 'floods'; readonly perSecond: number }
  /** Sends one message of so many bytes, once it has let somebody in. */
  | { readonly kind: 'bloats'; readonly bytes: number }
  /** At once: the session of who came last has run out, and with it the ticket. Others are not touched, and fresh tickets are good. */
  | { readonly kind: 'expires' }
  /** As `expires`, but no fresh ticket is good either. */
  | { readonly kind: 'refuses' }

export interface SignalingFacts {
  /** Who is let in now. */
  readonly sessions: number
  /** Members summed over rooms. */
  readonly seats: number
  /** Connections that were taken since the start. */
  readonly visits: number
}

export interface HostileSignaling {
  readonly url: string
  readonly port: number
  behave(manner: SignalingManner): void
  facts(): SignalingFacts
  close(): Promise<void>
}

interface Visit {
  readonly socket: WebSocket
  readonly say: (signal: object) => void
  /** What was shown last. */
  credential: string | undefined
}

const EXPIRED = { type: 'error', code: 'admission-expired', fatal: true }
const LEFT = { type: 'peer-left', swarm: 'A'.repeat(43), id: 'nobody-00' }
const FLOOD_MS = 20

/** The product's server, behind one that does with each message what its manner says. */
export async function startHostileSignaling(options: {
  readonly origins: readonly string[]
  readonly port?: number
}): Promise<HostileSignaling> {
  const real = await startSignaling({ admission: { kind: 'ticket', keys: [TICKET_KEY] }, origins: options.origins })
  const front = new WebSocketServer({ host: '127.0.0.1', port: options.port ?? 0, perMessageDeflate: false })
  await once(front, 'listening')
  const visits: Visit[] = []
  const known = new Set<string>()
  const spent = new Set<string>()
  let manner: SignalingManner = { kind: 'honest' }
  const isGood = (credential: string): boolean => !spent.has(credential) && (manner.kind !== 'refuses' || known.has(credential))
  front.on('connection', (socket, { headers }) => {
    const visit: Visit = { socket, say: (signal) => socket.send(JSON.stringify(signal)), credential: undefined }
    visits.push(visit)
    serve(visit, {
      manner,
      upstream: () => new WebSocket(real.url, { origin: headers.origin }),
      lets(credential) {
        visit.credential = credential
        const isLetIn = isGood(credential)
        if (isLetIn) known.add(credential)
        return isLetIn
      },
    })
  })
  const { port } = front.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}/`,
    port,
    behave(next) {
      manner = next
      if (next.kind !== 'expires' && next.kind !== 'refuses') return
      const last = visits.findLast(({ socket }) => socket.readyState === socket.OPEN)
      if (last?.credential !== undefined) spent.add(last.credential)
      if (last !== undefined) turnAway(last)
    },
    facts() {
      const { sessions, seats } = real.counts()
      return { sessions, seats, visits: visits.length }
    },
    async close() {
      for (const { socket } of visits) socket.terminate()
      front.close()
      await real.kill()
    },
  }
}

function turnAway({ socket, say }: Visit): void {
  say(EXPIRED)
  socket.close(4401)
}

interface House {
  readonly manner: SignalingManner
  readonly upstream: () => WebSocket
  readonly lets: (credential: string) => boolean
}

function serve(visit: Visit, { manner, upstream, lets }: House): void {
  const { socket } = visit
  if (manner.kind === 'mute') return
  if (manner.kind === 'lies') return lie(socket, visit.say)
  const real = upstream()
  const opened = once(real, 'open')
  let last: Promise<unknown> = opened
  socket.on('message', (data) => {
    const text = textOf(data)
    const shown = credentialIn(text)
    if (shown !== undefined && !lets(shown)) return turnAway(visit)
    const delay = manner.kind === 'slow' ? new Promise((resolve) => setTimeout(resolve, manner.messageMs)) : undefined
    last = Promise.all([last, delay]).then(() => real.send(text))
    last.catch(() => real.terminate())
  })
  let isWelcome = false
  real.on('message', (data) => {
    const text = textOf(data)
    socket.send(text)
    if (isWelcome || !text.includes('"type":"welcome"')) return
    isWelcome = true
    if (manner.kind === 'bloats') visit.say({ ...LEFT, more: 'x'.repeat(manner.bytes) })
    if (manner.kind === 'floods') flood(visit, manner.perSecond)
  })
  real.on('error', () => socket.terminate())
  real.on('close', () => socket.close())
  socket.on('close', () => real.terminate())
}

function flood({ socket, say }: Visit, perSecond: number): void {
  const timer = setInterval(() => {
    for (let i = 0; i < (perSecond * FLOOD_MS) / 1000; i++) say(LEFT)
  }, FLOOD_MS)
  socket.on('close', () => clearInterval(timer))
}

function textOf(data: RawData): string {
  if (!Buffer.isBuffer(data)) throw new TypeError('expected one buffer')
  return data.toString('utf8')
}

/** What a `hello` shows for itself; undefined for any other message. */
function credentialIn(text: string): string | undefined {
  const message: { readonly type?: string; readonly ticket?: string; readonly token?: string } = JSON.parse(text)
  return message.type === 'hello' ? (message.token ?? message.ticket ?? '') : undefined
}
