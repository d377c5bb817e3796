import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lstat, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeStall, type StallLimit } from './stall.ts'

/** How to open the one connection that the rest is to go over. */
export interface SharedConnection {
  readonly program: string
  /** Of the client, up to and without the destination. */
  readonly options: readonly string[]
  readonly destination: string
}

/** How long it stays open when nothing is done over it. */
const IDLE_SECONDS = 60

/**
 * Opens one connection for everything that is done at a mirror, which stays for a minute after the last of it: each connection costs its key exchange, several round
 * trips, and a release is hundreds of files. Where that does not work, for whatever reason, each file has a connection of its own: it will say what is wrong.
 * @returns the options of a client that goes over it; none without one
 */
export async function shareConnection(shared: SharedConnection, limit: StallLimit, signal: AbortSignal): Promise<readonly string[]> {
  const folder = await ownFolder()
  if (folder === undefined) return []
  // A name of its own: an earlier run's may be about to end.
  const socket = join(folder, randomBytes(9).toString('base64url'))
  const path = ['-o', `ControlPath=${socket}`]
  const opening = [...shared.options, ...path, '-o', 'ControlMaster=yes', '-o', `ControlPersist=${IDLE_SECONDS}`, '-f', '-N', '--']
  const child = spawn(shared.program, [...opening, shared.destination], { stdio: 'ignore' })
  const ended = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
  try {
    return (await beforeStall(limit, () => ended, signal)) ? [...path, '-o', 'ControlMaster=no'] : []
  } catch {
    signal.throwIfAborted()
    return []
  } finally {
    child.kill()
  }
}

/** For sockets, whose paths have to be short: about a hundred bytes. Undefined where it is not this user's alone, or sockets are not files. */
async function ownFolder(): Promise<string | undefined> {
  const user = process.getuid?.()
  if (user === undefined) return undefined
  const folder = `/tmp/sealift-ssh-${user}`
  try {
    await mkdir(folder, { mode: 0o700, recursive: true })
    const found = await lstat(folder)
    return found.isDirectory() && found.uid === user && (found.mode & 0o077) === 0 ? folder : undefined
  } catch {
    // No such place, or no right to it: then nothing is shared.
    return undefined
  }
}
