import { mintTicket } from 'sealift/protocol'
import { WebSocket } from 'ws'
import { createSeededRandom } from '../fakes/seeded-random.ts'
import { sdpOf, type Heard, type LoadPeer } from './peer.ts'
import type { LoadPlan } from './plan.ts'
import { createSealiftPeer } from './sealift-peer.ts'
import { createTrackerPeer } from './tracker-peer.ts'

/** Sockets by their numbers: `from` up to, and without, `end`. */
export interface Span {
  readonly from: number
  readonly end: number
}

/** What came of it so far. */
export interface CrowdTally {
  /** Open now. */
  readonly open: number
  readonly joined: number
  readonly answered: number
  /** Sockets that did not open or join, offers without an answer, and messages of refusal. */
  readonly failed: number
  /** Sockets that somebody else closed, and how many of them had been told. */
  readonly lost: number
  readonly told: number
  /** Of the latest joins and offers, in milliseconds. */
  readonly joinMs: readonly number[]
  readonly answerMs: readonly number[]
}

/** `moot`: there is nobody to answer any more, which is nobody's fault. */
type Outcome = 'heard' | 'moot' | 'missed'

interface Member {
  readonly socket: WebSocket
  readonly peer: LoadPeer
  isLeaving: boolean
  isTold: boolean
  waiting: { readonly for: Heard; readonly settle: (outcome: Outcome) => void } | undefined
}

/** Sockets that open, and offers that are on their way, at once. */
const AT_ONCE = 32
const PATIENCE_MS = 20_000
const LATENCIES_KEPT = 20_000
const TICKET_SECONDS = 86_400

/** The sockets of one process. */
export class Crowd {
  readonly #plan: LoadPlan
  readonly #sdp: string
  readonly #members = new Map<number, Member>()
  readonly #random = createSeededRandom(1)
  readonly #joinMs: number[] = []
  readonly #answerMs: number[] = []
  #count = { joined: 0, answered: 0, failed: 0, lost: 0, told: 0 }

  constructor(plan: LoadPlan) {
    this.#plan = plan
    this.#sdp = sdpOf(plan.sdpBytes)
  }

  /** Opens sockets and has them join. */
  async open(span: Span): Promise<void> {
    await this.#each(numbersOf(span), (index) => this.#join(index))
  }

  /** Each asks one other for a connection, and waits for its answer. Who came first to a room knows nobody until it is asked, and asks then. */
  async offer(span: Span): Promise<void> {
    const knewNobody: number[] = []
    await this.#each(numbersOf(span), async (index) => {
      if (!(await this.#offer(index))) knewNobody.push(index)
    })
    await this.#each(knewNobody, async (index) => void (await this.#offer(index)))
  }

  /** So many leave, every second one without a word, and come again as others: they join, and ask for a connection. */
  async churn(count: number): Promise<void> {
    const all = [...this.#members.keys()]
    const chosen = new Set(Array.from({ length: Math.min(count, all.length) }, () => all[Math.floor(this.#random() * all.length)] ?? 0))
    await this.#each([...chosen], async (index) => {
      const member = this.#members.get(index)
      if (member !== undefined) await leave(member, index % 2 === 0)
      await this.#join(index)
      await this.#offer(index)
    })
  }

  async close(): Promise<void> {
    await this.#each([...this.#members.values()], (member) => leave(member, true))
  }

  tally(): CrowdTally {
    return { ...this.#count, open: this.#members.size, joinMs: this.#joinMs, answerMs: this.#answerMs }
  }

  async #join(index: number): Promise<void> {
    const startMs = performance.now()
    const member = this.#connect(index)
    if ((await this.#hears(member, 'joined')) !== 'heard') {
      this.#count.failed++
      member.isLeaving = true
      return member.socket.terminate()
    }
    this.#count.joined++
    keep(this.#joinMs, performance.now() - startMs)
  }

  /** False when it knows nobody to ask. */
  async #offer(index: number): Promise<boolean> {
    const startMs = performance.now()
    const member = this.#members.get(index)
    if (member === undefined) return true
    const answered = this.#hears(member, 'answered')
    // Alone in its room, as the last one may be: there is nothing to relay.
    if (!member.peer.offer()) {
      member.waiting?.settle('moot')
      return false
    }
    const outcome = await answered
    if (outcome === 'missed') this.#count.failed++
    if (outcome !== 'heard') return true
    this.#count.answered++
    keep(this.#answerMs, performance.now() - startMs)
    return true
  }

  #connect(index: number): Member {
    const { url, origin, dialect, roomSize } = this.#plan
    const socket = new WebSocket(url, { origin, perMessageDeflate: false })
    const say = (text: string): void => socket.send(text)
    const options = { index, roomSize, sdp: this.#sdp, ticket: this.#ticket(index), say }
    const peer = dialect === 'sealift' ? createSealiftPeer(options) : createTrackerPeer(options)
    const member: Member = { socket, peer, isLeaving: false, isTold: false, waiting: undefined }
    this.#members.set(index, member)
    socket.on('open', () => peer.greet())
    socket.on('message', (data) => {
      if (!Buffer.isBuffer(data)) throw new TypeError('expected one buffer')
      this.#hear(member, peer.hear(data.toString('utf8')))
    })
    // Its closing follows.
    socket.on('error', () => {})
    socket.on('close', () => {
      member.waiting?.settle(member.isLeaving ? 'moot' : 'missed')
      if (this.#members.get(index) === member) this.#members.delete(index)
      if (member.isLeaving) return
      this.#count.lost++
      if (member.isTold) this.#count.told++
    })
    return member
  }

  #ticket(index: number): string | undefined {
    const { key, origin } = this.#plan
    if (key === undefined) return undefined
    const jti = `load-${process.pid}-${index}-${Math.floor(this.#random() * 2 ** 32)}`
    const claims = { site: origin, role: 'leech', swarmKey: new Uint8Array(32).fill(1), lifetimeSeconds: TICKET_SECONDS, jti } as const
    return mintTicket(claims, key, Math.floor(Date.now() / 1000))
  }

  #hear(member: Member, heard: Heard): void {
    if (heard === 'refused') this.#count.failed++
    if (heard === 'drained') member.isTold = true
    if (heard !== undefined && member.waiting?.for === heard) member.waiting.settle('heard')
    if (heard === 'gone' && member.waiting?.for === 'answered') member.waiting.settle('moot')
  }

  #hears(member: Member, what: Heard): Promise<Outcome> {
    return new Promise((resolve) => {
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer)
        member.waiting = undefined
        resolve(outcome)
      }
      const timer = setTimeout(() => settle('missed'), PATIENCE_MS)
      member.waiting = { for: what, settle }
    })
  }

  async #each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < items.length) {
        const item = items[next++]
        if (item !== undefined) await act(item)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
  }
}

async function leave(member: Member, isPolite: boolean): Promise<void> {
  member.isLeaving = true
  const { socket } = member
  if (socket.readyState === WebSocket.CLOSED) return
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  if (isPolite) socket.close(1000)
  else socket.terminate()
  await closed
}

function numbersOf({ from, end }: Span): readonly number[] {
  return Array.from({ length: Math.max(0, end - from) }, (_, i) => from + i)
}

function keep(latencies: number[], ms: number): void {
  if (latencies.length < LATENCIES_KEPT) latencies.push(ms)
}
