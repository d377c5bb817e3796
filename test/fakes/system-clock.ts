import { createClock } from '../../src/core/clock.ts'
import type { Clock } from '../../src/core/ports.ts'

/** The machine's clock, for tests that touch real storage and real sockets. */
export const systemClock: Clock = createClock({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  start: (wake, ms) => setTimeout(wake, ms),
  stop: (timer) => clearTimeout(timer),
})
