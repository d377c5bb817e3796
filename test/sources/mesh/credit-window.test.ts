import { describe, expect, test } from 'vitest'
import {
  createCreditWindow,
  WINDOW_MAX_BYTES,
  WINDOW_MIN_BYTES,
  WINDOW_START_BYTES,
  type CreditWindow,
} from '../../../src/sources/mesh/credit-window.ts'
import { race, type Flow } from './line-race.ts'

const KIB = 1024
const QUEUE_BYTES = 256 * KIB
/** 100 Mbit/s. */
const BYTES_PER_MS = 12_500
const FRAME = 65_520

/** What nobody should do: as much as it likes under way, always. */
function fixedWindow(bytes: number): CreditWindow {
  return { bytes, onUsed: () => undefined }
}

function flows(...starts: readonly number[]): readonly Flow[] {
  return starts.map((startMs) => ({ startMs, window: createCreditWindow() }))
}

test('the window starts at 128 KiB', () => {
  expect(createCreditWindow().bytes).toBe(WINDOW_START_BYTES)
})

describe.each([5, 15, 30])('on a line of 100 Mbit/s with a queue of 256 KiB, round trip %i ms', (roundTripMs) => {
  const line = { bytesPerMs: BYTES_PER_MS, queueBytes: QUEUE_BYTES, delayMs: roundTripMs / 2 }

  test('it fills the line within a second, and loses no packet while it learns', () => {
    const {
      flows: [only],
      dropped,
    } = race(line, flows(0), { forMs: 1000, fromMs: 0 })
    expect(only?.bytesPerMs).toBeGreaterThan(0.8 * BYTES_PER_MS)
    expect(dropped).toBe(0)
  })

  test('it then keeps the line full, and most of the queue free, for as long as it lasts', () => {
    const result = race(line, flows(0), { forMs: 60_000, fromMs: 1000 })
    expect(result.flows[0]?.bytesPerMs).toBeGreaterThan(0.97 * BYTES_PER_MS)
    expect(result.dropped / ((60_000 * BYTES_PER_MS) / 1200)).toBeLessThan(0.0001)
    expect(result.flows[0]?.windowBytes).toBeLessThan(BYTES_PER_MS * roundTripMs + QUEUE_BYTES)
  })

  test.each([0, 3000])('two share it, the second one coming after %i ms', (lateMs) => {
    const result = race(line, flows(0, lateMs), { forMs: 40_000, fromMs: 5000 })
    const shares = result.flows.map(({ bytesPerMs }) => bytesPerMs / BYTES_PER_MS)
    expect(Math.min(...shares)).toBeGreaterThan(0.35)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeGreaterThan(0.95)
  })
})

test('a fixed window that suits a longer line drowns a shorter one, which is why none is fixed', () => {
  const line = { bytesPerMs: BYTES_PER_MS, queueBytes: QUEUE_BYTES, delayMs: 2.5 }
  const span = { forMs: 20_000, fromMs: 1000 }
  expect(race(line, [{ window: fixedWindow(640 * KIB) }], span).dropped).toBeGreaterThan(1000)
  expect(race(line, flows(0), span).dropped).toBe(0)
})

test.each([
  ['10 Mbit/s over 20 ms', { bytesPerMs: 1250, roundTripMs: 20 }, 128 * KIB, 256 * KIB],
  ['100 Mbit/s over 5 ms', { bytesPerMs: 12_500, roundTripMs: 5 }, 128 * KIB, 320 * KIB],
  ['100 Mbit/s over 30 ms', { bytesPerMs: 12_500, roundTripMs: 30 }, 384 * KIB, 640 * KIB],
  ['1 Gbit/s over 50 ms', { bytesPerMs: 125_000, roundTripMs: 50 }, WINDOW_MAX_BYTES, WINDOW_MAX_BYTES],
])('on %s it settles where the line is full and its queue short', (_name, { bytesPerMs, roundTripMs }, least, most) => {
  const line = { bytesPerMs, queueBytes: 4 * WINDOW_MAX_BYTES, delayMs: roundTripMs / 2 }
  const bytes = race(line, flows(0), { forMs: 9000, fromMs: 0 }).flows[0]?.windowBytes
  expect(bytes).toBeGreaterThanOrEqual(least)
  expect(bytes).toBeLessThanOrEqual(most)
})

test('over a longer way than before it learns the longer delay, and is as large again', () => {
  const window = createCreditWindow()
  let nowMs = 0
  const use = (delayMs: number, count: number): void => {
    for (let at = 0; at < count; at++) window.onUsed({ bytes: FRAME, delayMs, wasFull: true }, (nowMs += 20))
  }
  use(5, 100)
  use(40, 100)
  expect(window.bytes).toBeLessThanOrEqual(WINDOW_START_BYTES)
  use(40, 2000)
  expect(window.bytes).toBeGreaterThan(512 * KIB)
})

test('one late answer of a busy machine changes nothing, a queue that stays does', () => {
  const window = createCreditWindow()
  const use = (delayMs: number, nowMs: number): void => window.onUsed({ bytes: FRAME, delayMs, wasFull: false }, nowMs)
  for (let at = 0; at < 4; at++) use(10, at * 10)
  use(300, 340)
  expect(window.bytes).toBe(WINDOW_START_BYTES)
  for (let at = 0; at < 4; at++) use(300, 1000 + at * 10)
  expect(window.bytes).toBeLessThan(WINDOW_START_BYTES)
})

test('a window that was not the limit does not grow', () => {
  const window = createCreditWindow()
  for (let at = 0; at < 50; at++) window.onUsed({ bytes: FRAME, delayMs: 10, wasFull: false }, at * 10)
  expect(window.bytes).toBe(WINDOW_START_BYTES)
})

test('it never grows beyond 1 MiB, and leaves a peer that answers late enough for a line in use', () => {
  const [small, large] = [createCreditWindow(), createCreditWindow()]
  small.onUsed({ bytes: FRAME, delayMs: 1, wasFull: true }, 0)
  for (let at = 0; at < 200; at++) small.onUsed({ bytes: FRAME, delayMs: 1000, wasFull: true }, 40 * at)
  for (let at = 0; at < 200; at++) large.onUsed({ bytes: FRAME, delayMs: 1, wasFull: true }, at)
  expect(small.bytes).toBeGreaterThanOrEqual(WINDOW_MIN_BYTES)
  expect(small.bytes).toBeLessThan(WINDOW_START_BYTES)
  expect(large.bytes).toBe(WINDOW_MAX_BYTES)
})

test('every ten seconds it lets its own packets run dry, so that the way can be measured without them', () => {
  const window = createCreditWindow()
  const use = (delayMs: number, nowMs: number): number => {
    window.onUsed({ bytes: FRAME, delayMs, wasFull: true }, nowMs)
    return window.bytes
  }
  for (let at = 0; at < 100; at++) use(10, at * 100)
  const before = window.bytes
  expect(use(10, 10_000)).toBe(WINDOW_MIN_BYTES)
  expect(use(10, 10_005)).toBe(WINDOW_MIN_BYTES)
  expect(use(10, 10_020)).toBe(before / 2)
})
