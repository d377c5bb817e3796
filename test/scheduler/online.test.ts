import { expect, test } from 'vitest'
import type { Failure } from '../../src/core/errors.ts'
import { toSourceId } from '../../src/core/model/ids.ts'
import { createRoom } from './bench-room.ts'

const CDN = toSourceId('cdn-1')
const MIB = 2 ** 20
const signal = new AbortController().signal
/** Long enough for a source that fails to rest for a good while. */
const AWAY_MS = 20_000
/** One look of the watchdog, and one of the lanes. */
const SOON_MS = 100

/** How often a source was asked shortly before the network is said to be back, and shortly after: it fails until then, and another goes on. */
async function askedAround(failure: Failure): Promise<readonly [before: number, after: number]> {
  const room = createRoom({ sizeBytes: 16 * MIB, pieceBytes: 256 * 1024, seed: 3 })
  const source = room.source(CDN, 'cdn')
  source.fault = { kind: 'fails', failure }
  room.set.replace([source, room.source('gateway', 'gateway', { bytesPerSecond: MIB / 4 })])
  const counts: number[] = []
  const back = room.clock.sleep(AWAY_MS, signal).then(async () => {
    counts.push(source.asked.length)
    source.fault = { kind: 'none' }
    room.roster.noteOnline()
    await room.clock.sleep(SOON_MS, signal)
    counts.push(source.asked.length)
  })
  await room.deliver()
  await room.clock.drive(back)
  return [counts[0] ?? 0, counts[1] ?? 0]
}

test('a source that rests for having failed is asked at once when the network is there again, with one request', async () => {
  const [before, after] = await askedAround({ code: 'source-unreachable', source: CDN, phase: 'headers', elapsedMs: 2 })
  expect(before, 'times it was asked before').toBeGreaterThan(2)
  expect(after - before, 'times it was asked shortly after').toBeGreaterThan(0)
})

test('a rest that the source asked for outlasts an outage of the network', async () => {
  const [before, after] = await askedAround({ code: 'source-status', source: CDN, status: 503, retryAfterSeconds: 3600 })
  expect([before > 0, after - before]).toEqual([true, 0])
})
