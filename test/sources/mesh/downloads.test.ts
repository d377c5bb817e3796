import { describe, expect, test } from 'vitest'
import { toPieceIndex, toSourceId } from '../../../src/core/model/ids.ts'
import { FRAME_PAYLOAD_BYTES } from '../../../src/core/wire/peer-frame.ts'
import type { PeerMessage } from '../../../src/core/wire/peer-message.ts'
import { CANCEL_MS, Downloads } from '../../../src/sources/mesh/downloads.ts'
import { createSeededRandom } from '../../fakes/seeded-random.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'

const PIECE = 64 * 1024

interface Bench {
  readonly downloads: Downloads
  readonly clock: VirtualClock
  readonly sent: PeerMessage[]
  /** How often a cancel went unanswered. */
  readonly deaf: number[]
  /** Asks for a piece and gives it up at once. @returns its request id */
  abandon(): Promise<number>
}

function createBench(): Bench {
  const clock = createVirtualClock()
  const sent: PeerMessage[] = []
  const deaf: number[] = []
  const downloads = new Downloads({
    source: toSourceId('peer:deaf'),
    clock,
    random: createSeededRandom(3),
    send: (message) => void sent.push(message),
    refuse: (detail) => expect.unreachable(detail),
    onBusy: () => undefined,
    onRefused: () => undefined,
    onSilence: () => undefined,
    onDeaf: (elapsedMs) => {
      deaf.push(elapsedMs)
      downloads.close({ code: 'peer-timeout', phase: 'gap', elapsedMs })
    },
  })
  return {
    downloads,
    clock,
    sent,
    deaf,
    async abandon() {
      const stop = new AbortController()
      const work = downloads.read({ topic: 0, piece: toPieceIndex(0), lengthBytes: PIECE }, stop.signal)
      const first = work.next().catch(() => undefined)
      await settle()
      stop.abort()
      await first
      const asked = sent.findLast((message) => message.type === 'request')
      if (asked?.type !== 'request') throw new Error('expected a request')
      return asked.requestId
    },
  }
}

describe('a read that was given up', () => {
  test('costs a peer that does not answer the cancel its connection, after fifteen seconds', async () => {
    const bench = createBench()
    for (let turn = 0; turn < 4; turn++) await bench.abandon()
    const waiting = bench.downloads.read({ topic: 0, piece: toPieceIndex(1), lengthBytes: PIECE }, new AbortController().signal).next()
    waiting.catch(() => undefined)
    await bench.clock.advance(CANCEL_MS - 1)
    expect(bench.deaf).toEqual([])
    await bench.clock.advance(1)
    expect(bench.deaf).toEqual([CANCEL_MS])
    await expect(waiting).rejects.toMatchObject({ failure: { code: 'peer-timeout' } })
    expect(bench.clock.sleeping).toBe(0)
  })

  test('costs a peer nothing that ends it', async () => {
    const bench = createBench()
    bench.downloads.onEnd(await bench.abandon())
    expect(bench.clock.sleeping).toBe(0)
    await bench.clock.advance(2 * CANCEL_MS)
    expect(bench.deaf).toEqual([])
  })
})

test('credit is given in whole frames, and to the end of a piece, so that no peer has to send many small ones', async () => {
  const bench = createBench()
  const lengthBytes = 4 * FRAME_PAYLOAD_BYTES + 256
  const reader = bench.downloads.read({ topic: 0, piece: toPieceIndex(0), lengthBytes }, new AbortController().signal)
  const drain = (async () => {
    for await (const chunk of reader) expect(chunk.length).toBeGreaterThan(0)
  })()
  await settle()
  const credits: number[] = []
  let offset = 0
  const serve = async (bytes: number): Promise<void> => {
    const [request] = bench.sent
    if (request?.type !== 'request') throw new Error('expected a request')
    bench.downloads.onData({ type: 'data', requestId: request.requestId, piece: request.piece, offset, bytes: new Uint8Array(bytes) })
    offset += bytes
    await settle()
    if (offset === lengthBytes) bench.downloads.onEnd(request.requestId)
  }
  // A peer may send what it likes within its credit: the window then has room for less than a frame.
  for (const bytes of [1000, FRAME_PAYLOAD_BYTES - 1000, FRAME_PAYLOAD_BYTES, FRAME_PAYLOAD_BYTES, FRAME_PAYLOAD_BYTES, 256])
    await serve(bytes)
  await drain
  for (const message of bench.sent) {
    if (message.type === 'request') credits.push(message.creditBytes)
    if (message.type === 'credit') credits.push(message.bytes)
  }
  expect(credits.slice(0, -1).map((bytes) => bytes % FRAME_PAYLOAD_BYTES)).toEqual(credits.slice(0, -1).map(() => 0))
  expect(credits.reduce((sum, bytes) => sum + bytes, 0)).toBe(lengthBytes)
})
