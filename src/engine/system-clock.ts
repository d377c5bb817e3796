import { createClock } from '../core/clock.ts'
import type { Clock } from '../core/ports.ts'

/** The worker's clock. */
export const systemClock: Clock = createClock({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  start: (wake, ms) => setTimeout(wake, ms),
  stop: (timer) => clearTimeout(timer),
})
