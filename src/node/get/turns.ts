import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports.ts'
import { takeLockFile, type LockFile } from '../lock-file.ts'
import { diskTrouble } from './disk-trouble.ts'

/** What is done under these locks takes milliseconds. */
const WAIT_MS = 30_000
const LOOK_EVERY_MS = 20

/** Runs `work` while no other process has the lock at `path`, waiting for it in turn. @throws {DeliveryError} `store-failed` when that never comes */
export async function inTurn<T>(
  { path, clock }: { readonly path: string; readonly clock: Clock },
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const untilMs = clock.monotonicMs() + WAIT_MS
  for (;;) {
    signal.throwIfAborted()
    const taken = await take(path)
    if ('lock' in taken) return await holding(taken.lock, work)
    if (clock.monotonicMs() > untilMs) {
      const who = taken.holder === undefined ? 'another process' : `process ${taken.holder.pid} on ${taken.holder.host}`
      throw new DeliveryError({ code: 'store-failed', detail: `${who} does not let go of ${path}` })
    }
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

async function holding<T>(lock: LockFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

async function take(path: string): ReturnType<typeof takeLockFile> {
  try {
    await mkdir(dirname(path), { recursive: true })
    return await takeLockFile(path)
  } catch (error) {
    throw diskTrouble(error, { path: dirname(path), neededBytes: 0 })
  }
}
