import { describe, expect, test } from 'vitest'
import { toPieceIndex, toSourceId } from '../../../src/core/model/ids.ts'
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
