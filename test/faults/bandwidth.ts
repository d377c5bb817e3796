import { setTimeout as sleep } from 'node:timers/promises'

/** A line of so many bytes in a second, shared by all who send over it. */
export interface Bandwidth {
  /** How much to send at once: small enough to come evenly, large enough to cost little. */
  readonly chunkBytes: number
  /** A body begins. As long as one is open, a late timer is made up for; an idle line saves nothing up. @returns to end it */
  open(): () => void
  /** Resolves when the last of these bytes has passed. */
  pass(bytes: number, signal: AbortSignal): Promise<void>
}

const [MIN_CHUNK, MAX_CHUNK] = [16 * 1024, 64 * 1024]
/** Timers are coarser than this: who is less ahead goes on at once, and waits the next time. */
const GRAIN_MS = 2
/** A machine that was busy for longer has lost that time: no line could have sent it afterwards. */
const LATE_MS = 250

export function createBandwidth(bytesPerSecond: number): Bandwidth {
  let freeAtMs = 0
  let openBodies = 0
  // What passes in two thousandths of a second, yet never more than in a tenth: a trickle has to trickle.
  const even = Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, Math.floor(bytesPerSecond / 500)))
  return {
    chunkBytes: Math.max(1, Math.min(even, Math.floor(bytesPerSecond / 10))),
    open() {
      if (openBodies === 0) freeAtMs = Math.max(freeAtMs, performance.now())
      openBodies++
      return () => {
        openBodies--
      }
    },
    async pass(bytes, signal) {
      const now = performance.now()
      freeAtMs = Math.max(freeAtMs, now - LATE_MS) + (bytes / bytesPerSecond) * 1000
      if (freeAtMs - now > GRAIN_MS) await sleep(freeAtMs - now, undefined, { signal })
    },
  }
}

/** As fast as it goes. */
export const UNLIMITED: Bandwidth = { chunkBytes: MAX_CHUNK, open: () => () => {}, pass: () => Promise.resolve() }
