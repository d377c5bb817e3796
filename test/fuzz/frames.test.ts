import { expect, test, vi } from 'vitest'
import { frameOf, judgeFrame, newFrameTally, type FrameTally } from './frames-target.ts'
import { runSessions } from './frames-session.ts'
import { KNOWN_SEED, NEW_SEED } from './landing.ts'

vi.setConfig({ testTimeout: 600_000 })

function* upTo(count: number): Generator<number> {
  for (let index = 0; index < count; index++) yield index
}

function expectHarmless(tally: FrameTally, count: number): void {
  expect(tally.findings).toEqual([])
  expect(tally).toMatchObject({ count, uncaught: 0, oversized: 0 })
  // Both happen, or nothing was tried.
  expect(tally.parsed).toBeGreaterThan(count / 20)
  expect(tally.refused).toBeGreaterThan(count / 20)
}

test.each([KNOWN_SEED, NEW_SEED])(
  'pe07.frames: half a million frames are read, skipped or refused, and hold no more than came: seed %i',
  (seed) => {
    const tally = newFrameTally()
    for (const index of upTo(500_000)) judgeFrame(frameOf(seed, index), tally)
    expectHarmless(tally, 500_000)
  },
)

test.each([KNOWN_SEED, NEW_SEED])('pe07.frames: a session that hears them goes on or ends, and throws nothing: seed %i', async (seed) => {
  const tally = newFrameTally()
  const sessions = await runSessions(seed, upTo(10_000), tally)
  expect(sessions).toBeGreaterThan(100)
  expect(tally.findings).toEqual([])
  expect(tally).toMatchObject({ count: 10_000, uncaught: 0 })
})
