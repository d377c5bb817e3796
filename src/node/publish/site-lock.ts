import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { takeLockFile, type LockHolder } from '../lock-file.ts'

/** The right to publish to a folder, from reading its catalogue to putting the next one in its place. */
export interface SiteLock {
  /** @throws {DeliveryError} `publish-conflict`, when another publisher took the lock over, as after a long sleep of this machine */
  requireHeld(): Promise<void>
}

/**
 * Runs `work` while no other publisher is at work in this folder.
 * @throws {DeliveryError} `publish-conflict`, when somebody else holds it
 */
export async function withSiteLock<T>(root: string, work: (lock: SiteLock) => Promise<T>): Promise<T> {
  await mkdir(root, { recursive: true })
  const taken = await takeLockFile(join(root, '.publish.lock'))
  if ('holder' in taken) throw taken.holder === undefined ? busy('another publisher was faster; publish again') : busyWith(taken.holder)
  const { lock } = taken
  try {
    return await work({
      async requireHeld() {
        if (!(await lock.isHeld())) throw busy('the lock of this publisher ran out, and another has taken it over; publish again')
      },
    })
  } finally {
    await lock.release()
  }
}

function busyWith({ pid, host, expiresAtMs }: LockHolder): DeliveryError {
  const until = new Date(expiresAtMs).toISOString()
  return busy(`process ${pid} on ${host} is publishing here, and has the lock until ${until} at least; wait for it, then publish again`)
}

function busy(detail: string): DeliveryError {
  return new DeliveryError({ code: 'publish-conflict', name: 'catalogue.json', detail })
}
