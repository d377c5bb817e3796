import { expect, test } from 'vitest'
import { createCreditWindow, WINDOW_MAX_BYTES, WINDOW_MIN_BYTES, WINDOW_START_BYTES } from '../../../src/sources/mesh/credit-window.ts'

/**
 * A line of a rate with a delay before it: each grant of 64 KiB waits until what is before it has gone through.
 * @returns the window after `seconds`
 */
function windowAfter(seconds: number, line: { readonly bytesPerMs: number; readonly roundTripMs: number }): number {
  const window = createCreditWindow()
  const grantBytes = 64 * 1024
  let nowMs = 0
  let freeAtMs = 0
  let underWay: { readonly sentMs: number; readonly doneMs: number }[] = []
  while (nowMs < seconds * 1000) {
    while ((underWay.length + 1) * grantBytes <= Math.max(window.bytes, grantBytes)) {
      freeAtMs = Math.max(freeAtMs, nowMs + line.roundTripMs) + grantBytes / line.bytesPerMs
      underWay.push({ sentMs: nowMs, doneMs: freeAtMs })
    }
    const [first, ...rest] = underWay
    if (first === undefined) break
    nowMs = first.doneMs
    underWay = rest
    window.onDelay(first.doneMs - first.sentMs, nowMs, true)
  }
  return window.bytes
}

const KIB = 1024

test('the window starts at 128 KiB', () => {
  expect(createCreditWindow().bytes).toBe(WINDOW_START_BYTES)
})

test.each([
  ['100 Mbit/s over 5 ms', { bytesPerMs: 12_500, roundTripMs: 5 }, 128 * KIB, 320 * KIB],
  ['100 Mbit/s over 30 ms', { bytesPerMs: 12_500, roundTripMs: 30 }, 384 * KIB, 704 * KIB],
  ['1 Gbit/s over 50 ms', { bytesPerMs: 125_000, roundTripMs: 50 }, WINDOW_MAX_BYTES, WINDOW_MAX_BYTES],
  ['1 MB/s over 20 ms', { bytesPerMs: 1000, roundTripMs: 20 }, WINDOW_MIN_BYTES, 160 * KIB],
])('on %s it settles where the line is full and its queue short', (_name, line, least, most) => {
  const bytes = windowAfter(19, line)
  expect(bytes).toBeGreaterThanOrEqual(least)
  expect(bytes).toBeLessThanOrEqual(most)
})

test('one late answer of a busy machine changes nothing, a queue that stays does', () => {
  const window = createCreditWindow()
  for (let i = 0; i < 4; i++) window.onDelay(10, i * 10, false)
  window.onDelay(300, 340, false)
  expect(window.bytes).toBe(WINDOW_START_BYTES)
  for (let i = 0; i < 4; i++) window.onDelay(300, 1000 + i * 10, false)
  expect(window.bytes).toBeLessThan(WINDOW_START_BYTES)
})

test('a window that was not the limit does not grow', () => {
  const window = createCreditWindow()
  for (let i = 0; i < 50; i++) window.onDelay(10, i * 10, false)
  expect(window.bytes).toBe(WINDOW_START_BYTES)
})

test('it stays between 64 KiB and 1 MiB', () => {
  const [small, large] = [createCreditWindow(), createCreditWindow()]
  small.onDelay(1, 0, true)
  for (let i = 0; i < 200; i++) small.onDelay(1000, 40 * i, true)
  for (let i = 0; i < 200; i++) large.onDelay(1, i, true)
  expect([small.bytes, large.bytes]).toEqual([WINDOW_MIN_BYTES, WINDOW_MAX_BYTES])
})
