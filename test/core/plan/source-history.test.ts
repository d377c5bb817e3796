import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toSourceId } from '../../../src/core/model/ids.ts'
import { createSourceHealth, hedgeMs, isSuspect } from '../../../src/core/plan/source-health.ts'
import { fromHistory, toHistory } from '../../../src/core/plan/source-history.ts'

const CDN = toSourceId('cdn-1')
const DAY_MS = 86_400_000
const then = { nowMs: 1_700_000_000_000, monotonicMs: 5000 }

function known() {
  const health = {
    ...createSourceHealth(),
    learntAtMs: then.monotonicMs,
    bytesPerSecond: 2_000_000,
    firstBytesMs: [300, 300, 300, 300, 300],
    suspectUntilMs: 35_000,
  }
  return toHistory([[CDN, health]], then)
}

test('the next visit knows how fast a source was, how soon it answers, and that it was out of favour', () => {
  const health = fromHistory(structuredClone(known()), { nowMs: then.nowMs + 10_000, monotonicMs: 70 }).get(CDN)
  if (health === undefined) throw new RangeError('expected what was kept')
  expect(health.bytesPerSecond).toBe(2_000_000)
  expect(hedgeMs(health)).toBe(450)
  expect(isSuspect(health, 20_000)).toBe(true)
  expect(isSuspect(health, 20_071)).toBe(false)
})

test.each([
  ['a day later', DAY_MS + 1],
  ['with the clock back', -1],
])('%s nothing of it counts', (_when, laterMs) => {
  expect(fromHistory(known(), { nowMs: then.nowMs + laterMs, monotonicMs: 0 }).size).toBe(0)
})

test('what was learnt a day ago counts no more, however often it was carried on since', () => {
  const hoursMs = (hours: number): number => hours * 3_600_000
  const later = fromHistory(known(), { nowMs: then.nowMs + hoursMs(20), monotonicMs: 0 })
  const again = toHistory(later, { nowMs: then.nowMs + hoursMs(21), monotonicMs: hoursMs(1) })
  expect(fromHistory(again, { nowMs: then.nowMs + hoursMs(23), monotonicMs: 0 }).size).toBe(1)
  expect(fromHistory(again, { nowMs: then.nowMs + hoursMs(25), monotonicMs: 0 }).size).toBe(0)
})

test('of too many sources, those are kept that were heard last', () => {
  const many = Array.from({ length: 70 }, (_, at) => [toSourceId(`cdn-${at}`), { ...createSourceHealth(), learntAtMs: at }] as const)
  const rows = toHistory(many, then)
  expect(rows).toHaveLength(64)
  expect(rows.map(([id]) => id)).toContain('cdn-69')
  expect(rows.map(([id]) => id)).not.toContain('cdn-0')
})

test('whatever is found in its place does no harm', () => {
  const any = fc.oneof(fc.anything(), fc.array(fc.anything()))
  fc.assert(
    fc.property(any, (kept) => {
      for (const health of fromHistory(kept, then).values()) expect(hedgeMs(health)).toBeGreaterThan(0)
    }),
  )
  const rows = [
    ['cdn-1', then.nowMs, Number.NaN, [], 0],
    ['cdn-2', then.nowMs, -1, [], 0],
    ['cdn-3', then.nowMs, 1, ['x'], 0],
    ['', then.nowMs, 1, [1], 0],
    ['cdn-4', then.nowMs, 1, [1], 1e300],
  ]
  expect([...fromHistory(rows, then).keys()]).toEqual(['cdn-4'])
})
