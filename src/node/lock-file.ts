import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { link, open, rename, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { hostname } from 'node:os'
import { DeliveryError } from '../core/errors.ts'
import { openJson } from '../core/json/json.ts'
import { errorCode, linkNew, temporaryName, writeFileDurably } from './durable-file.ts'
import { readAtMost } from './read-at-most.ts'

/** A lock that stands in the file system, so that it counts for every process that looks there. */
export interface LockFile {
  /** False when another process took it over, as after a long sleep of this machine. */
  isHeld(): Promise<boolean>
  /** Never rejects. */
  release(): Promise<void>
}

/** Whoever has it. */
export interface LockHolder {
  readonly token: string
  readonly pid: number
  readonly host: string
  readonly expiresAtMs: number
}

/** After this without a renewal a lock is anybody's. */
const LIFE_MS = 5 * 60_000
const RENEWAL_MS = 60_000
const LIMIT_BYTES = 4096
const MODE = 0o644

/** What this thread has. */
const held = new Set<string>()

/**
 * Takes the lock, unless somebody has it. One whose holder is gone is taken over: its process has ended on this machine, or has not renewed
 * it for five minutes.
 * @returns the lock, or who holds it; undefined when another was faster just now
 */
export async function takeLockFile(path: string): Promise<{ readonly lock: LockFile } | { readonly holder: LockHolder | undefined }> {
  const token = randomUUID()
  // Before it is there for others to see: they may be of this process.
  held.add(token)
  try {
    const found = await acquire(path, token)
    if (found === 'taken') return { lock: holdLockFile(path, token) }
    held.delete(token)
    return { holder: found }
  } catch (error) {
    held.delete(token)
    throw error
  }
}

function holdLockFile(path: string, token: string): LockFile {
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
  const letGo = async (): Promise<void> => {
    clearInterval(timer)
    await renewing
    held.delete(token)
    if (await isHeld()) await rm(path, { force: true })
  }
  return {
    isHeld,
    // What stays is stale as soon as this process ends.
    release: () => letGo().catch(() => undefined),
  }
}

interface Found {
  readonly text: string
  /** Undefined when it cannot be read: nobody writes such a lock, so nobody holds it. */
  readonly holder: LockHolder | undefined
}

async function acquire(path: string, token: string): Promise<'taken' | LockHolder | undefined> {
  if (await create(path, token)) return 'taken'
  const found = await readHolder(path)
  if (found !== undefined) {
    if (found.holder !== undefined && isAtWork(found.holder)) return found.holder
    await takeAway(path, found)
  }
  return (await create(path, token)) ? 'taken' : undefined
}

/** Not synced: after a power cut nobody holds it anyway. */
async function create(path: string, token: string): Promise<boolean> {
  const temporary = temporaryName(path)
  await writeFile(temporary, encodeHolder(token), { mode: MODE, flag: 'wx' })
  try {
    const made = await linkNew(temporary, path)
    // Without links a file made in two steps is next best.
    return made === 'without-links' ? await createInPlace(path, token) : made === 'linked'
  } finally {
    await rm(temporary, { force: true })
  }
}

async function createInPlace(path: string, token: string): Promise<boolean> {
  try {
    await writeFile(path, encodeHolder(token), { mode: MODE, flag: 'wx' })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** Two may find the same stale lock. Whoever moves away a lock that is not the one it found puts it back. */
async function takeAway(path: string, stale: Found): Promise<void> {
  const aside = temporaryName(path)
  try {
    await rename(path, aside)
    if ((await readText(aside)) !== stale.text) await link(aside, path)
  } catch (error) {
    // Gone or back already: who holds it now is seen when it is created.
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function readHolder(path: string): Promise<Found | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : { text, holder: parseHolder(text) }
}

/** Undefined where nothing is. In a folder that others write to, a pipe would be waited for, and a device read without end. */
async function readText(path: string): Promise<string | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    if (['ELOOP', 'ENXIO'].includes(errorCode(error) ?? '')) throw noLock(path, error)
    throw error
  }
  try {
    if (!(await handle.stat()).isFile()) throw noLock(path)
    return (await readAtMost(handle, LIMIT_BYTES)).toString()
  } finally {
    await handle.close()
  }
}

function noLock(path: string, cause?: unknown): DeliveryError {
  return new DeliveryError({ code: 'input-invalid', path, detail: 'stands where a lock should be, and is no file; remove it' }, { cause })
}

function encodeHolder(token: string): string {
  const holder: LockHolder = { token, pid: process.pid, host: hostname(), expiresAtMs: Date.now() + LIFE_MS }
  return `${JSON.stringify(holder)}\n`
}

function parseHolder(text: string): LockHolder | undefined {
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

function isAtWork({ token, pid, host, expiresAtMs }: LockHolder): boolean {
  // A lock that would hold for longer than any does is of a clock that was wrong.
  if (expiresAtMs < Date.now() || expiresAtMs > Date.now() + 2 * LIFE_MS) return false
  if (host !== hostname()) return true
  // A container that is started again gives the same number to the same program: what was written before this process began is of one that was
  // killed. Later ones may be of another thread.
  if (pid === process.pid) return held.has(token) || expiresAtMs - LIFE_MS >= Date.now() - process.uptime() * 1000
  return isRunning(pid)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}
