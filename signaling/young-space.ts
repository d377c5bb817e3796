import { setFlagsFromString } from 'node:v8'

/**
 * For a process that is nothing but this server, once, before it listens. V8 lets the space of young objects grow to 48 MiB while thousands of
 * sockets open at once, and seldom gives it back; what is young here is either gone after a moment or stays as long as its socket.
 * docs/decisions/0024-young-space.md has the figures.
 */
export function keepYoungSpaceSmall(): void {
  // Read each time V8 would let it grow, so that it works in a process that runs already.
  setFlagsFromString('--semi-space-growth-factor=1')
}
