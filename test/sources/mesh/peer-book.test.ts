import { describe, expect, test } from 'vitest'
import { DeliveryError, failureOf, type Failure } from '../../../src/core/errors.ts'
import { toPeerId, toPieceIndex, toSha256, toSwarmId, type PeerId } from '../../../src/core/model/ids.ts'
import { createBitfield, type Bitfield } from '../../../src/core/model/bitfield.ts'
import { encodePeerMessage } from '../../../src/core/wire/encode-peer-message.ts'
import type { ClientSignal } from '../../../src/core/wire/signal-message.ts'
import { createPeerBook, type PeerBook } from '../../../src/sources/mesh/peer-book.ts'
import type { PeerLink } from '../../../src/sources/mesh/peer-link.ts'
import { openPeerSession, type PeerSession } from '../../../src/sources/mesh/peer-session.ts'
import type { SignalingClient } from '../../../src/sources/mesh/signaling-client.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'
import { createLinkPair, FINGERPRINT_A, type MemoryLink } from './memory-link.ts'
import { never, sessionOptions, SWARM_KEY } from './sessions.ts'

const SWARM = toSwarmId('s'.repeat(43))
const ALICE = toPeerId('alice-of-the-room')
const BOB = toPeerId('bob-of-the-room')
const LEFT: Failure = { code: 'peer-closed', detail: 'left' }

/** One attempt of the book's to connect. */
interface Attempt {
  /** The peer answers, with this certificate. @returns its end of the link, and of the session */
  greet(fingerprint: Uint8Array, swarmKey?: Uint8Array): Promise<{ readonly link: MemoryLink; readonly session: PeerSession | undefined }>
  fail(reason: unknown): Promise<void>
}

interface Bench {
  readonly book: PeerBook
  readonly clock: VirtualClock
  readonly attempts: Attempt[]
  /** A signaling server, and what the book said to it. */
  server(name: string): SignalingClient & { readonly said: ClientSignal[] }
  /** The server names a peer; the book is expected to try it. */
  meet(server: SignalingClient, peer: PeerId): Attempt | undefined
}

function createBench(): Bench {
  const clock = createVirtualClock()
  const attempts: Attempt[] = []
  const { swarmKey, store, random, randomBytes } = sessionOptions(clock)
  const book = createPeerBook(
    {
      swarmKey,
      seedStore: store,
      clock,
      random,
      randomBytes,
      onOffer: () => undefined,
      onSession: () => undefined,
      createLink: (_request, signal) => {
        let ends = { resolve: (_link: PeerLink): void => undefined, reject: (_reason: unknown): void => undefined }
        const connected = new Promise<PeerLink>((resolve, reject) => (ends = { resolve, reject }))
        connected.catch(() => undefined)
        signal.addEventListener('abort', () => ends.reject(signal.reason), { once: true })
        attempts.push({
          async greet(fingerprint, key = SWARM_KEY) {
            const { a, b } = createLinkPair(undefined, FINGERPRINT_A, fingerprint)
            const work = openPeerSession(b, sessionOptions(clock, { swarmKey: key }), never).catch(() => undefined)
            ends.resolve(a)
            await settle()
            if (a.isClosed) b.close()
            return { link: b, session: await work }
          },
          async fail(reason) {
            ends.reject(reason)
            await settle()
          },
        })
        return { connected, accept: () => undefined }
      },
    },
    never,
  )
  return {
    book,
    clock,
    attempts,
    server(name) {
      const said: ClientSignal[] = []
      const state = { url: `wss://${name}`, isOnline: true, failure: undefined }
      const nothing = (): void => undefined
      return { said, state, welcome: undefined, join: nothing, leave: nothing, send: (signal) => void said.push(signal), close: nothing }
    },
    meet(server, peer) {
      const before = attempts.length
      book.meet(server, { peer, swarm: SWARM })
      return attempts.length > before ? attempts.at(-1) : undefined
    },
  }
}

function allOf(count: number): Bitfield {
  const pieces = createBitfield(count)
  for (let at = 0; at < count; at++) pieces.add(toPieceIndex(at))
  return pieces
}

const print = (value: number): Uint8Array => new Uint8Array(32).fill(value)
const names = (book: PeerBook): readonly string[] => book.connected().map(({ source }) => source.id)

describe('what one signaling server can do', () => {
  test('it cannot take the place of a peer that another server names, by giving out the same id', async () => {
    const bench = createBench()
    const [one, two] = [bench.server('one'), bench.server('two')]
    await bench.meet(one, ALICE)?.greet(print(1))
    await bench.meet(two, ALICE)?.greet(print(2))
    expect(new Set(names(bench.book)).size).toBe(2)
    bench.book.onLeft(two, { peer: ALICE, swarm: SWARM })
    expect(names(bench.book)).toHaveLength(2)
  })

  test('a description that it spoils costs one attempt, and bans nobody', async () => {
    const bench = createBench()
    const server = bench.server('one')
    await bench.meet(server, ALICE)?.fail(new DeliveryError({ code: 'peer-frame', detail: 'a description of two data channels' }))
    await bench.clock.advance(20_000)
    expect(bench.attempts).toHaveLength(1)
    await bench.meet(server, ALICE)?.greet(print(1))
    expect(names(bench.book)).toHaveLength(1)
  })

  test('a stranger that it introduces costs one attempt, and bans neither the id nor anybody else', async () => {
    const bench = createBench()
    const server = bench.server('one')
    await bench.meet(server, ALICE)?.greet(print(1), new Uint8Array(32).fill(8))
    expect(names(bench.book)).toEqual([])
    await bench.clock.advance(20_000)
    expect(bench.attempts).toHaveLength(1)
    await bench.meet(server, ALICE)?.greet(print(2))
    expect(names(bench.book)).toHaveLength(1)
  })
})

describe('a ban', () => {
  test('holds the certificate of a member that broke the protocol, under any id and at any server', async () => {
    const bench = createBench()
    const met = await bench.meet(bench.server('one'), ALICE)?.greet(print(1))
    met?.link.send(Uint8Array.of(1, 2, 3))
    await settle()
    expect(names(bench.book)).toEqual([])
    const again = await bench.meet(bench.server('two'), BOB)?.greet(print(1))
    expect([again?.session, names(bench.book)]).toEqual([undefined, []])
  })

  test('pe02.rejoin: reaches a peer that has left already, under whatever name it comes back', async () => {
    const bench = createBench()
    const server = bench.server('one')
    const met = await bench.meet(server, ALICE)?.greet(print(1))
    const [source] = bench.book.connected()
    if (source === undefined) throw new Error('expected a peer')
    met?.session?.close('leaving')
    bench.book.onLeft(server, { peer: ALICE, swarm: SWARM })
    await settle()
    expect(names(bench.book)).toEqual([])
    bench.book.ban(source.source.id, 'bad-piece')
    expect(bench.meet(server, ALICE)).toBeUndefined()
    await bench.meet(server, BOB)?.greet(print(1))
    expect(names(bench.book)).toEqual([])
  })

  test('throws out whoever shows the same certificate', async () => {
    const bench = createBench()
    const server = bench.server('one')
    await bench.meet(server, ALICE)?.greet(print(1))
    await bench.meet(server, BOB)?.greet(print(1))
    const [first] = bench.book.connected()
    if (first === undefined) throw new Error('expected a peer')
    bench.book.ban(first.source.id, 'bad-piece')
    expect(names(bench.book)).toEqual([])
    expect(server.said.filter(({ type }) => type === 'report')).toHaveLength(2)
  })
})

describe('a peer that was struck out', () => {
  /** The peer says that it has what it does not have, and is asked for it three times. */
  async function lie(bench: Bench, link: MemoryLink): Promise<void> {
    const [peer] = bench.book.connected()
    if (peer === undefined) throw new Error('expected a peer')
    const blob = { sha256: toSha256('ab'.repeat(32)), sizeBytes: 4 * 65_536 }
    peer.session.openTopic(blob.sha256)
    await settle()
    link.send(encodePeerMessage({ type: 'opened', topic: 0, pieceLengthBytes: 65_536, pieces: allOf(4) }))
    await settle()
    for (const piece of [0, 1, 2]) {
      const reading = peer.session.read(blob, { start: piece * 65_536, end: (piece + 1) * 65_536 }, never)
      const failure = reading[Symbol.asyncIterator]().next().catch(failureOf)
      await settle()
      expect(await failure).toMatchObject({ code: 'source-missing' })
    }
    await settle()
  }

  test('is left alone for a minute, under any name and whoever offers, and then let in again', async () => {
    const bench = createBench()
    const server = bench.server('one')
    const met = await bench.meet(server, ALICE)?.greet(print(1))
    if (met === undefined) throw new Error('expected a link')
    await lie(bench, met.link)
    expect(names(bench.book)).toEqual([])
    await bench.clock.advance(30_000)
    expect(bench.attempts).toHaveLength(1)
    await bench.meet(server, BOB)?.greet(print(1))
    expect(names(bench.book)).toEqual([])
    await bench.clock.advance(40_000)
    await bench.attempts.at(-1)?.greet(print(1))
    expect(names(bench.book)).toHaveLength(1)
  })
})

describe('what ends an attempt', () => {
  /** What nobody caught while `work` ran. */
  async function uncaught(work: () => Promise<void>): Promise<unknown> {
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    const caught: unknown[] = []
    process.on('unhandledRejection', (reason) => caught.push(reason))
    try {
      await work()
      await settle()
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of others) process.on('unhandledRejection', listener)
    }
    return caught
  }

  test('a mistake of our own is not hidden', async () => {
    const bench = createBench()
    const mistake = new TypeError('this simple-peer keeps its channel elsewhere')
    expect(await uncaught(async () => await bench.meet(bench.server('one'), ALICE)?.fail(mistake))).toEqual([mistake])
    expect(bench.book.pending).toBe(0)
  })

  test('our own wish, and what the peer did, are no mistakes', async () => {
    const bench = createBench()
    const server = bench.server('one')
    const work = async (): Promise<void> => {
      bench.meet(server, ALICE)
      bench.meet(server, BOB)
      await bench.attempts[1]?.fail(new DeliveryError(LEFT))
      bench.book.close()
    }
    expect(await uncaught(work)).toEqual([])
  })
})
