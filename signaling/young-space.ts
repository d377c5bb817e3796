import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Both halves of it. */
const ENOUGH_BYTES = 16 * 1024 * 1024
/** V8 doubles it, at the soonest when as much has survived as it holds: seconds, when thousands come at once. */
const LOOK_EVERY_MS = 250

/**
 * For a process that is nothing but this server, once. V8 lets the space of young objects grow to 48 MiB while thousands of sockets open at once, and
 * seldom gives it back; what is young here is either gone after a moment or stays as long as its socket. docs/decisions/0024-young-space-is-capped.md has the figures.
 */
export function capYoungSpace(): void {
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    if (young === undefined || young.space_size < ENOUGH_BYTES) return
    clearInterval(timer)
    // V8 looks it up each time it would let the space grow.
    setFlagsFromString('--semi-space-growth-factor=1')
  }, LOOK_EVERY_MS)
  timer.unref()
}
