import { createClock } from '../core/clock.ts'
import type { Clock } from '../core/ports.ts'

/** The window's clock. */
export const pageClock: Clock = createClock({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  start: (wake, ms) => setTimeout(wake, ms),
  stop: (timer) => clearTimeout(timer),
})
