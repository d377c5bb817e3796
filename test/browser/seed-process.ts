import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { SeedEvent } from '../../src/node/seed/seed-event.ts'
import { packageRoot } from '../../src/node/package-root.ts'

/** `sealift seed` as an operator starts it. */
export interface SeedProcess {
  readonly events: readonly SeedEvent[]
  /** The first event, from the beginning on, that `fits`. */
  waitFor(fits: (event: SeedEvent) => boolean): Promise<SeedEvent>
  /** @returns the exit code, or the signal that ended it */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null>
}

const SCRIPT = join(packageRoot(), 'bin', 'sealift.js')

export function startSeedProcess(args: readonly string[]): SeedProcess {
  const child = spawn(process.execPath, [SCRIPT, 'seed', ...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const events: SeedEvent[] = []
  const listeners = new Set<() => void>()
  const ended = new Promise<number | string | null>((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)))
  let rest = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    events.push(...lines.map((line): SeedEvent => JSON.parse(line)))
    for (const listener of listeners) listener()
  })
  return {
    events,
    waitFor: (fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.find(fits)
          if (found === undefined) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then((how) => reject(new Error(`the seed ended with ${how}, after ${JSON.stringify(events)}`)))
      }),
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}
