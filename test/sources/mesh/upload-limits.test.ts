import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BURST_SECONDS, DEFAULT_UPLOAD, UPLOAD_BOUNDS, type UploadLimits } from '../../../src/core/plan/upload-limits.ts'
import { toPieceIndex } from '../../../src/core/model/ids.ts'
import { sha256Of } from '../../../src/core/verify/digest.ts'
import type { PeerMessage } from '../../../src/core/wire/peer-message.ts'
import type { LinkPath } from '../../../src/sources/mesh/peer-link.ts'
import { createUploadSlots, type UploadSlots } from '../../../src/sources/mesh/upload-slots.ts'
import { QUEUE_MS, Uploads } from '../../../src/sources/mesh/uploads.ts'
import { seededBytes } from '../../fakes/seeded-random.ts'
import { createVirtualClock, settle, type VirtualClock } from '../../fakes/virtual-clock.ts'
import { never, seedStore } from './sessions.ts'

const PIECE = 1024 * 1024
const BYTES = seededBytes(1, 4 * PIECE)
const SHA256 = sha256Of(BYTES)
const STORE = seedStore({ sha256: SHA256, bytes: BYTES, pieceLengthBytes: PIECE })

interface Sent {
  readonly atMs: number
  readonly bytes: number
}

/** One peer that we serve, and that asks again for whatever it got or was refused. */
interface Taker {
  readonly uploads: Uploads
  readonly sent: readonly PeerMessage[]
  readonly data: readonly Sent[]
  readonly bytes: number
  ask(requests: number): void
}

function openTaker(slots: UploadSlots, clock: VirtualClock, path: LinkPath, isGreedy = false): Taker {
  const sent: PeerMessage[] = []
  const data: Sent[] = []
  let requestId = 0
  const ask = (requests: number): void => {
    for (let i = 0; i < requests; i++)
      uploads.onRequest({
        type: 'request',
        topic: 0,
        requestId: ++requestId,
        piece: toPieceIndex(requestId % 4),
        fromOffset: 0,
        creditBytes: PIECE,
      })
  }
  const uploads = new Uploads({
    store: STORE,
    slots,
    clock,
    random: () => 0,
    bufferedBytes: () => 0,
    refuse: (detail) => {
      throw new Error(detail)
    },
    send(message) {
      sent.push(message)
      if (message.type === 'data') data.push({ atMs: clock.monotonicMs(), bytes: message.bytes.length })
      if (!isGreedy || (message.type !== 'end' && !(message.type === 'reject' && message.reason === 'busy'))) return
      const waitMs = message.type === 'reject' ? message.retryMs : 0
      void clock.sleep(waitMs, never).then(() => ask(1))
    },
  })
  uploads.setPath(path)
  uploads.onOpen(0, SHA256)
  return {
    uploads,
    sent,
    data,
    ask,
    get bytes() {
      return data.reduce((sum, one) => sum + one.bytes, 0)
    },
  }
}

function open(changes: Partial<UploadLimits> = {}) {
  const clock = createVirtualClock()
  const slots = createUploadSlots({ ...DEFAULT_UPLOAD, ...changes }, { clock, signal: never })
  return { clock, slots, take: (path: LinkPath, isGreedy = false) => openTaker(slots, clock, path, isGreedy) }
}

const all = (takers: readonly Taker[]): number => takers.reduce((sum, taker) => sum + taker.bytes, 0)

describe('pe08.leech', () => {
  test('eight peers that ask without end get in thirty seconds what the limit allows, and 5 % more at most', async () => {
    const { clock, take } = open()
    const takers = Array.from({ length: 8 }, () => take('wan', true))
    for (const taker of takers) taker.ask(4)
    await clock.advance(30_000)
    const allowed = 30 * DEFAULT_UPLOAD.wanBytesPerSecond
    expect(all(takers)).toBeLessThanOrEqual(allowed * 1.05)
    expect(all(takers)).toBeGreaterThan(allowed * 0.95)
    // Whoever asks most does not take it all.
    for (const taker of takers) expect(taker.bytes).toBeGreaterThan(allowed / 8 / 2)
  })

  test('a fifth request at a time is refused, and so is everybody beyond those who are served and those who wait', async () => {
    const { take } = open()
    const takers = Array.from({ length: 13 }, () => take('wan'))
    takers[0]?.ask(5)
    expect(takers[0]?.sent.filter(({ type }) => type === 'reject')).toMatchObject([{ requestId: 5, reason: 'busy' }])
    for (const taker of takers.slice(1)) taker.ask(1)
    await settle()
    expect(takers.map(({ sent }) => sent.some(({ type }) => type === 'reject')).lastIndexOf(true)).toBe(12)
    expect(takers.slice(1, 12).some(({ sent }) => sent.some(({ type }) => type === 'reject'))).toBe(false)
  })
})

test('in the local network there is no limit, and what leaves it is limited all the same', async () => {
  const { clock, take } = open()
  const [near, far] = [take('lan'), take('wan')]
  near.ask(4)
  far.ask(4)
  await settle()
  expect(near.bytes).toBe(4 * PIECE)
  expect(far.bytes).toBeLessThanOrEqual(DEFAULT_UPLOAD.wanBytesPerSecond * BURST_SECONDS)
  await clock.advance(2000)
  expect(far.bytes).toBe(4 * PIECE)
})

test('a limit for the local network is kept there', async () => {
  const { clock, take } = open({ lanBytesPerSecond: PIECE })
  const near = take('lan', true)
  near.ask(4)
  await clock.advance(10_000)
  expect(near.bytes).toBeLessThanOrEqual(10 * PIECE * 1.05)
  expect(near.bytes).toBeGreaterThan(9 * PIECE)
})

test('a link that is not known yet counts as one that leaves the local network', async () => {
  const { take } = open()
  const taker = take('unknown')
  taker.ask(4)
  await settle()
  expect(taker.bytes).toBeLessThanOrEqual(DEFAULT_UPLOAD.wanBytesPerSecond * BURST_SECONDS)
  taker.uploads.setPath('lan')
  expect(taker.bytes).toBe(4 * PIECE)
})

test('when the budget of the session is used up, far peers are told that there is nothing here, and near ones are served on', async () => {
  const { clock, take } = open({ sessionBytes: 2 * PIECE })
  const [far, near] = [take('wan', true), take('lan')]
  far.ask(4)
  await clock.advance(20_000)
  expect(far.bytes).toBe(2 * PIECE)
  expect(far.sent.filter(({ type }) => type === 'absent' || type === 'opened').at(-1)).toEqual({ type: 'absent', topic: 0 })
  // The request that was cut off has ended: nothing of it follows.
  expect(far.sent.at(-1)?.type).toBe('reject')
  near.ask(1)
  await settle()
  expect(near.bytes).toBe(PIECE)
})

test('a site that lets nothing leave the local network offers nothing to far peers', () => {
  const { take } = open({ wanBytesPerSecond: 0 })
  const [far, near] = [take('wan'), take('lan')]
  expect([far.sent.at(-1)?.type, near.sent.at(-1)?.type]).toEqual(['absent', 'opened'])
})

describe('whoever waits for a slot', () => {
  /** Two are served, for half a minute. */
  function crowded() {
    const room = open({ slots: 2, wanBytesPerSecond: PIECE / 4 })
    const [busy, other] = [room.take('wan'), room.take('wan')]
    busy.ask(4)
    other.ask(4)
    return { ...room, busy }
  }

  test('is told to come again after a second, before its own patience ends', async () => {
    const { clock, take } = crowded()
    const waiting = take('wan')
    waiting.ask(1)
    await clock.advance(QUEUE_MS - 1)
    expect(waiting.sent.some(({ type }) => type === 'reject')).toBe(false)
    await clock.advance(1)
    expect(waiting.sent.at(-1)).toMatchObject({ type: 'reject', reason: 'busy' })
  })

  test('is served in this order: the local network first, then whoever was given least', async () => {
    const { clock, take, busy } = crowded()
    const [rich, poor, near] = [take('wan'), take('wan'), take('lan')]
    rich.uploads.servedBytes = PIECE
    for (const taker of [rich, poor, near]) taker.ask(1)
    await clock.advance(500)
    expect([rich.bytes, poor.bytes, near.bytes]).toEqual([0, 0, 0])
    for (let id = 1; id <= 4; id++) busy.uploads.onCancel(id)
    await clock.advance(400)
    expect([rich.bytes, poor.bytes > 0, near.bytes]).toEqual([0, true, PIECE])
  })

  test('gets its turn while another goes on asking', async () => {
    const { clock, take } = open({ slots: 1, lanBytesPerSecond: undefined })
    const greedy = take('wan', true)
    greedy.ask(4)
    await clock.advance(500)
    const late = take('wan', true)
    late.ask(1)
    await clock.advance(20_000)
    expect(late.bytes).toBeGreaterThan(5 * PIECE)
  })
})

test('I26: whoever asks for what, whenever, no stretch of time sees more than the limit and one burst, and no session more than its budget', async () => {
  const act = fc.record({
    who: fc.nat(5),
    afterMs: fc.nat(900),
    requests: fc.integer({ min: 1, max: 5 }),
    path: fc.constantFrom('lan', 'wan', 'relay'),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: UPLOAD_BOUNDS.bytesPerSecondLeast, max: 3_000_000 }),
      fc.integer({ min: 100_000, max: 8 * PIECE }),
      async (acts, wanBytesPerSecond, sessionBytes) => {
        const { clock, take } = open({ wanBytesPerSecond, sessionBytes })
        const far: Sent[] = []
        const takers = Array.from({ length: 6 }, () => take('wan'))
        const isFar = takers.map(() => true)
        const counted = takers.map(() => 0)
        const count = (): void =>
          takers.forEach((taker, at) => {
            for (const sent of taker.data.slice(counted[at])) if (isFar[at] === true) far.push(sent)
            counted[at] = taker.data.length
          })
        for (const { who, afterMs, requests, path } of acts) {
          const taker = takers[who]
          count()
          if (taker === undefined) continue
          isFar[who] = path !== 'lan'
          taker.uploads.setPath(path)
          taker.ask(requests)
          await clock.advance(afterMs)
        }
        await clock.advance(5000)
        count()
        far.sort((a, b) => a.atMs - b.atMs)
        const burst = wanBytesPerSecond * BURST_SECONDS
        expect(far.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(sessionBytes)
        far.forEach((from, first) => {
          let sum = 0
          for (const { atMs, bytes } of far.slice(first)) {
            sum += bytes
            expect(sum).toBeLessThanOrEqual(((atMs - from.atMs) * wanBytesPerSecond) / 1000 + burst)
          }
        })
      },
    ),
    { numRuns: 60 },
  )
})
