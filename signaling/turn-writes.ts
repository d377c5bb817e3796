import type { Duplex } from 'node:stream'

/** Holds back what is written to a line until the events at hand are dealt with: one system call for all of it, which costs more than all else about a message. */
export interface TurnWrites {
  hold(line: Duplex): void
  /** Lets go at once of what is much: else a fast reader would look like a slow one. */
  release(line: Duplex): void
}

/** @param atEnd calls back once, when the events at hand are dealt with. Default `setImmediate` */
export function createTurnWrites(atEnd: (release: () => void) => void = setImmediate): TurnWrites {
  const held = new Set<Duplex>()
  const releaseAll = (): void => {
    for (const line of held) line.uncork()
    held.clear()
  }
  return {
    hold(line) {
      if (held.has(line)) return
      if (held.size === 0) atEnd(releaseAll)
      held.add(line)
      line.cork()
    },
    release(line) {
      if (held.delete(line)) line.uncork()
    },
  }
}
