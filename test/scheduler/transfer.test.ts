import { expect, test } from 'vitest'
import { toPieceIndex, toSourceId } from '../../src/core/model/ids.ts'
import { createSourceHealth } from '../../src/core/plan/source-health.ts'
import { createSourceState } from '../../src/scheduler/source-state.ts'
import { createTransfer, forgive, noteBytes, transferRate } from '../../src/scheduler/transfer.ts'
import { createArraySource } from '../fakes/array-source.ts'
import { createVirtualClock } from '../fakes/virtual-clock.ts'

test('a timer that is late while bytes are read makes no source look faster than it is', () => {
  const source = createArraySource({ id: toSourceId('cdn-1'), tier: 'cdn', clock: createVirtualClock(), blobs: [] })
  const state = createSourceState(source, 0, createSourceHealth())
  const transfer = createTransfer(state, { run: { start: toPieceIndex(0), end: 16 }, isReread: false }, 0)
  // A background tab: timers fire once a second, bytes come all the time.
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 100) {
    if (nowMs > 0 && nowMs % 1000 === 0) forgive(transfer, 960, nowMs)
    noteBytes(transfer, 10_000, nowMs)
  }
  expect(transferRate(transfer, 10_000)).toBeLessThan(130_000)
})
