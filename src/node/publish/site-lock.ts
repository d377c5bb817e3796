import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DeliveryError } from '../../core/errors.ts'
import { openJson } from '../../core/json/json.ts'
import { createFileDurably, errorCode, temporaryName, writeFileDurably } from '../durable-file.ts'

/** The right to publish to a folder, from reading its catalogue to putting the next one in its place. */
export interface SiteLock {
  /** @throws {DeliveryError} `publish-conflict`, when another publisher took the lock over, as after a long sleep of this machine */
  requireHeld(): Promise<void>
}

/** After this without a renewal a lock is anybody's. */
const LIFE_MS = 5 * 60_000
const RENEWAL_MS = 60_000
const LIMIT_BYTES = 4096
const MODE = 0o644

/**
 * Runs `work` while no other publisher is at work in this folder. A lock whose holder is gone is taken over: its process has
 * ended on this machine, or has not renewed it for five minutes.
 * @throws {DeliveryError} `publish-conflict`, when somebody else holds it
 */
export async function withSiteLock<T>(root: string, work: (lock: SiteLock) => Promise<T>): Promise<T> {
  const path = join(root, '.publish.lock')
  const token = randomUUID()
  await acquire(path, token)
  const isHeld = async (): Promise<boolean> => (await readHolder(path))?.holder?.token === token
  const renew = async (): Promise<void> => {
    if (await isHeld()) await writeFileDurably(path, encodeHolder(token), { mode: MODE })
  }
  let renewing = Promise.resolve()
  const timer = setInterval(() => {
    // A renewal that fails shows when the lock is needed: it has expired then, and may be another's.
    renewing = renewing.then(renew).catch(() => undefined)
  }, RENEWAL_MS)
  timer.unref()
  try {
    return await work({
      async requireHeld() {
        if (!(await isHeld())) throw busy('the lock of this publisher ran out, and another has taken it over; publish again')
      },
    })
  } finally {
    clearInterval(timer)
    await renewing
    if (await isHeld()) await rm(path, { force: true })
  }
}

interface Holder {
  readonly token: string
  readonly pid: number
  readonly host: string
  readonly expiresAtMs: number
}

interface LockFile {
  readonly text: string
  /** Undefined when it cannot be read: nobody writes such a lock, so nobody holds it. */
  readonly holder: Holder | undefined
}

async function acquire(path: string, token: string): Promise<void> {
  if (await createFileDurably(path, encodeHolder(token), { mode: MODE })) return
  const found = await readHolder(path)
  if (found !== undefined) {
    if (found.holder !== undefined && isAtWork(found.holder)) throw busyWith(found.holder)
    await takeAway(path, found)
  }
  if (!(await createFileDurably(path, encodeHolder(token), { mode: MODE }))) throw busy('another publisher was faster; publish again')
}

/** Two may find the same stale lock. Whoever moves away a lock that is not the one it found puts it back. */
async function takeAway(path: string, stale: LockFile): Promise<void> {
  const aside = temporaryName(path)
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== stale.text) await link(aside, path)
  } catch (error) {
    // Gone or back already: who holds it now is seen when it is created.
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function readHolder(path: string): Promise<LockFile | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    return { text, holder: parseHolder(text) }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function encodeHolder(token: string): string {
  const holder: Holder = { token, pid: process.pid, host: hostname(), expiresAtMs: Date.now() + LIFE_MS }
  return `${JSON.stringify(holder)}\n`
}

function parseHolder(text: string): Holder | undefined {
  try {
    const read = openJson(Buffer.from(text), { document: 'statement', limitBytes: LIMIT_BYTES }).object([
      'token',
      'pid',
      'host',
      'expiresAtMs',
    ])
    return {
      token: read('token').text(),
      pid: read('pid').integer(1),
      host: read('host').text(),
      expiresAtMs: read('expiresAtMs').integer(0),
    }
  } catch (error) {
    if (error instanceof DeliveryError) return undefined
    throw error
  }
}

function isAtWork({ pid, host, expiresAtMs }: Holder): boolean {
  // A lock that would hold for longer than any does is of a clock that was wrong.
  if (expiresAtMs < Date.now() || expiresAtMs > Date.now() + 2 * LIFE_MS) return false
  return host !== hostname() || isRunning(pid)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

function busyWith({ pid, host, expiresAtMs }: Holder): DeliveryError {
  const until = new Date(expiresAtMs).toISOString()
  return busy(`process ${pid} on ${host} is publishing here, and has the lock until ${until} at least; wait for it, then publish again`)
}

function busy(detail: string): DeliveryError {
  return new DeliveryError({ code: 'publish-conflict', name: 'catalogue.json', detail })
}
